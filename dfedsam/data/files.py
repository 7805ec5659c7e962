"""Labelled texts or images from a file, a folder of images or a hub data set, through the `datasets` library."""

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dfedsam.data.examples import Examples, Label

FORMATS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}


def load(
    source: str,
    text_column: str,
    label_column: str,
    *,
    split: str = "train",
    option: str = "data",
    classes: tuple[Label, ...] = (),
) -> Examples:
    """Read a file, or a split of a hub data set. Nothing is written beside the user's file.

    Labels may be whole numbers or strings; classes are numbered in the sorted order of the labels.

    Args:
        source: path of a .csv, .jsonl, .json (JSON lines) or .parquet file, of a folder that holds a folder of images a
            class, or the name of a hub data set.
        text_column: name of the column with the texts; two names, set apart by a comma, where each example is a pair.
        label_column: name of the column with the labels.
        split: which split of a hub data set.
        option: what the user calls `source`, for messages.
        classes: the labels that there may be, in the order of their numbers; () takes those that there are.

    Raises:
        ValueError: for a file that is missing or malformed, a column that is not there, an empty text or label, a label
            that is not one of `classes`, or fewer than two classes.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() in FORMATS:
        if not path.is_file():
            raise ValueError(f"{option} is {source}: there is no such file; check the path")
        rows = _file(path, option)
    elif path.is_dir():
        rows = _images(path, option)
    elif path.exists():
        raise ValueError(f"{option} is {source}: it must end in one of {', '.join(FORMATS)}; convert it to one of them")
    else:
        rows = _hub(source, split, option)
    whole = text_column in rows.column_names  # a column's name may hold a comma
    columns = [text_column] if whole else [name.strip() for name in text_column.split(",", maxsplit=1)]
    named = [(f"{option}'s text column", column) for column in columns]
    for name, column in (*named, (f"{option}'s label column", label_column)):
        if column not in rows.column_names:
            raise ValueError(f"{name} is {column}: {source} has the columns {', '.join(rows.column_names)}; name one")
    if not len(rows):
        raise ValueError(f"{option} is {source}: it has no rows; give a file with examples")
    feature = rows.features[label_column]
    names = tuple(getattr(feature, "names", ()) or ())
    if type(rows.features[columns[0]]).__name__ == "Image":
        images = _contents(rows, columns[0])
        blank = ("",) * len(images)
        return replace(
            _numbered(blank, list(rows[label_column]), names, classes, f"{option} is {source}"), images=images
        )
    texts = [tuple("" if text is None else str(text).strip() for text in rows[column]) for column in columns]
    for column, part in zip(columns, texts, strict=True):
        if "" in part:
            where = f" in {column}" if len(columns) > 1 else ""
            raise ValueError(
                f"{option} is {source}: row {part.index('') + 1} has no text{where}; every row must have one"
            )
    examples = _numbered(texts[0], list(rows[label_column]), names, classes, f"{option} is {source}")
    return replace(examples, seconds=texts[1]) if len(texts) > 1 else examples


def _file(path: Path, option: str) -> Any:
    datasets = _quiet_datasets()
    kind = FORMATS[path.suffix.lower()]
    options = {"keep_default_na": False} if kind == "csv" else {}  # "null" and "NA" are texts like any other
    with tempfile.TemporaryDirectory(prefix="dfedsam-") as scratch:
        try:
            return datasets.load_dataset(
                kind, data_files=str(path.resolve()), split="train", cache_dir=scratch, keep_in_memory=True, **options
            )
        except Exception as error:  # the library raises many kinds; the user needs the path and the reason
            raise ValueError(f"{option} is {path}: it cannot be read as {kind} ({_reason(error)}); check it") from None


def _images(folder: Path, option: str) -> Any:
    """A folder with a folder of images a class."""
    datasets = _quiet_datasets()
    with tempfile.TemporaryDirectory(prefix="dfedsam-") as scratch:
        try:
            return datasets.load_dataset(
                "imagefolder",
                data_dir=str(folder.resolve()),
                split="train",
                cache_dir=scratch,
                keep_in_memory=True,
                drop_labels=False,
            )
        except Exception as error:
            raise ValueError(
                f"{option} is {folder}: it must hold a folder of images a class ({_reason(error)}); check it"
            ) from None


def _contents(rows: Any, column: str) -> tuple[bytes, ...]:
    """The files of a column of images."""
    import datasets

    files = rows.cast_column(column, datasets.Image(decode=False))[column]
    return tuple(one["bytes"] or Path(one["path"]).read_bytes() for one in files)


def _hub(name: str, split: str, option: str) -> Any:
    datasets = _quiet_datasets()
    try:
        return datasets.load_dataset(name, split=split)
    except Exception as error:
        raise ValueError(
            f"{option} is {name}: there is no such file, and no data set of that name can be had from the hub or its "
            f"cache ({_reason(error)}); give a path that ends in {', '.join(FORMATS)}, or go online"
        ) from None


def _quiet_datasets() -> Any:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(logging.CRITICAL)  # its errors reach the user as ours, in one line
    return datasets


def _reason(error: BaseException) -> str:
    """The first line of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"


def _numbered(
    texts: tuple[str, ...], labels: list[Any], names: tuple[str, ...], known: tuple[Label, ...], what: str
) -> Examples:
    """Number the classes. `names` are a hub data set's own, for labels that are numbers already."""
    for row, label in enumerate(labels, start=1):
        if label is None or label == "" or label != label:
            raise ValueError(f"{what}: row {row} has no label; every row must have one")
    if isinstance(labels[0], float):  # whole numbers, where a reader took the column for fractions
        if not all(label.is_integer() for label in labels):
            raise ValueError(f"{what}: its labels are fractions; they must be whole numbers or names")
        labels = [int(label) for label in labels]
    found: list[Label] = sorted(set(labels))
    classes: list[Label] = list(known) or list(range(len(names))) or found
    number = {label: i for i, label in enumerate(classes)}
    strange = [label for label in found if label not in number]
    if strange:
        raise ValueError(f"{what}: label {strange[0]} is not among the classes {', '.join(map(str, classes))}")
    if len(classes) < 2:
        raise ValueError(f"{what}: all its labels are {classes[0]}; there must be two classes or more")
    if not names and isinstance(classes[0], str):
        names = tuple(map(str, classes))
    numbers = np.array([number[label] for label in labels], dtype=np.int64)
    return Examples(texts=texts, labels=numbers, classes=tuple(classes), names=names or None)
