"""Labelled texts or images from a file, a folder or a hub data set, through the `datasets` library."""

from __future__ import annotations

import gzip
import json
import logging
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from dfedsam.data.split import Examples, Label
from dfedsam.errors import OptionError, first_line

if TYPE_CHECKING:
    import pyarrow as pa

_SEMICOLONS = "separate columns by commas, not semicolons, or by tabs in a .tsv"
FORMATS = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
_SPLITS = ("train", "test", "validation", "valid", "dev")


@dataclass(frozen=True)
class Source:
    """How files and data sets are read. Nothing is written next to the user's files.

    Labels may be whole numbers or strings; classes are numbered in the sorted order of the labels.

    Args:
        text_column: name of the column with the texts; two names separated by a comma if each example is a pair.
        label_column: name of the column with the labels.
        encoding: encoding of text files.
    """

    text_column: str = "text"
    label_column: str = "label"
    encoding: str = "utf-8"

    def load(
        self, source: str, option: str = "data", classes: tuple[Label, ...] = (), *, split: str = "train"
    ) -> Examples:
        """Read a file, or a split of a folder or hub data set.

        Args:
            source: path of a file (.csv, .tsv, .jsonl, .json with a JSON object a line, .parquet; also with .gz), of a
                folder that the library datasets saved, that has such files by split, or Parquet files, or a folder of
                images for each class; or a hub data set, also with a configuration: nyu-mll/glue:sst2.
            option: the option that has this value, for messages.
            classes: the allowed labels, in the order of their numbers; (): those in the data.
            split: which split of a folder or hub data set.

        Raises:
            OptionError: for a file that is missing or malformed, a missing column, an empty text or label, a
                label that is not one of `classes`, or fewer than two classes.
        """
        rows = self._rows(source, option, split)
        columns = self._columns(rows, source)
        if not len(rows):
            raise OptionError(option, source, "has no rows", "choose a file with examples")
        table = _Table(rows, option, source)
        labels, known, names = table.numbered(self.label_column, classes)
        if type(rows.features[columns[0]]).__name__ == "Image":
            return Examples(
                texts=("",) * len(rows), labels=labels, classes=known, names=names, images=_contents(rows, columns[0])
            )
        texts, *seconds = (table.texts(column) for column in columns)
        return Examples(texts=texts, labels=labels, classes=known, names=names, seconds=seconds[0] if seconds else ())

    def has_test(self, source: str) -> bool:
        """Whether a folder has a test split."""
        folder = Path(source).expanduser()
        if not folder.is_dir():
            return False
        return ((folder / "dataset_dict.json").is_file() and (folder / "test").is_dir()) or bool(_files(folder, "test"))

    def _columns(self, rows: Any, source: str) -> list[str]:
        """The text columns, checked to exist together with a label column."""
        whole = self.text_column in rows.column_names  # a column's name may hold a comma
        columns = [self.text_column] if whole else [name.strip() for name in self.text_column.split(",", maxsplit=1)]
        for option, column in (*(("text_column", column) for column in columns), ("label_column", self.label_column)):
            if column not in rows.column_names:
                semicolons = any(";" in name for name in rows.column_names)
                rule = f"must be a column: {source} has {', '.join(rows.column_names)}"
                raise OptionError(
                    option, column, rule, _SEMICOLONS if semicolons else "its first line must name the columns"
                )
        if self.label_column in columns:
            raise OptionError("label_column", self.label_column, "must be another column than the texts'")
        return columns

    def _rows(self, source: str, option: str, split: str) -> Any:
        path = Path(source).expanduser()
        if _format(path):
            if not path.is_file():
                raise OptionError(option, source, "must be a file: there is no such file", "check the path")
            return self._read([path], option, source)
        if path.is_file():
            rule = f"must end in one of {', '.join(FORMATS)}, or in one of them and .gz"
            raise OptionError(option, source, rule, "convert it to one of them")
        if path.is_dir():
            return self._folder(path, option, source, split)
        name, *configuration = source.split(":", maxsplit=1)
        try:
            return _datasets().load_dataset(name, *configuration, split=split)
        except Exception as error:
            rule = (
                "must be a file or a data set: there is no such file, and no such data set can be loaded from the "
                f"hub or its cache ({_reason(error)})"
            )
            hint = f"use a path that ends in {', '.join(FORMATS)}, or go online"
            raise OptionError(option, source, rule, hint) from None

    def _folder(self, folder: Path, option: str, source: str, split: str) -> Any:
        datasets = _datasets()
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            try:
                rows = datasets.load_from_disk(str(folder), keep_in_memory=True)
            except Exception as error:
                raise OptionError(option, source, f"cannot be read as a saved data set ({_reason(error)})") from None
            if not isinstance(rows, datasets.DatasetDict):
                return rows
            if split not in rows:
                raise OptionError(option, source, f"must have the split {split}, but has {', '.join(rows)}")
            return rows[split]
        files = _files(folder, split)
        if files:
            return self._read(files, option, source)
        with tempfile.TemporaryDirectory(prefix="dfedsam-") as scratch:
            try:
                where: dict[str, Any] = {"data_dir": str(folder.resolve()), "cache_dir": scratch}
                return datasets.load_dataset(
                    "imagefolder", split="train", keep_in_memory=True, drop_labels=False, **where
                )
            except Exception:
                rule = f"must hold a folder of images per class, a saved data set, or a file {split}.csv or the like"
                raise OptionError(option, source, rule) from None

    def _read(self, paths: Sequence[Path], option: str, source: str) -> Any:
        import pyarrow as pa

        kind = FORMATS[_format(paths[0])]
        try:
            tables = pa.concat_tables([_table(path, self.encoding) for path in paths])
            return _datasets().Dataset(_datasets().table.InMemoryTable(tables))
        except Exception as error:  # libraries raise many kinds; the user needs the path and the reason
            reason = _reason(error)
            coded = "codec can't decode" in reason or "UTF-8" in reason or "UTF-16" in reason
            hint = "set encoding to that of the file, such as latin-1 or utf-16" if coded else ""
            if re.search(r"Expected \d+ fields", reason):
                hint = f"put texts with commas in quotes; {_SEMICOLONS}"
            raise OptionError(option, source, f"cannot be read as {kind} ({reason})", hint) from None


@dataclass(frozen=True)
class _Table:
    """Rows of a data set, and its name in messages."""

    rows: Any
    option: str
    source: str

    def texts(self, column: str) -> tuple[str, ...]:
        """The texts of a column, none empty."""
        texts = tuple("" if text is None else str(text).strip() for text in self.rows[column])
        if "" in texts:
            self._refuse(f"must have a text in every row: the column {column} has none", texts.index(""))
        return texts

    def numbered(
        self, column: str, known: tuple[Label, ...]
    ) -> tuple[np.ndarray, tuple[Label, ...], tuple[str, ...] | None]:
        """Each row's class number, the classes' labels, and their names where the data have them."""
        names = tuple(getattr(self.rows.features[column], "names", ()) or ())
        labels = self._labels(column)
        present: list[Label] = sorted(set(labels))
        classes: list[Label] = list(known) or list(range(len(names))) or present
        number = {label: i for i, label in enumerate(classes)}
        for label in present:
            if label not in number:
                rule = f"must have the classes {', '.join(map(str, classes))} only, but has the label {label}"
                self._refuse(rule, labels.index(label))
        if len(classes) < 2:
            self._refuse(f"must have two classes or more: all its labels are {classes[0]}")
        if not names and isinstance(classes[0], str):
            names = tuple(map(str, classes))
        return np.array([number[label] for label in labels], dtype=np.int64), tuple(classes), names or None

    def _labels(self, column: str) -> list[Label]:
        labels = list(self.rows[column])
        for row, label in enumerate(labels):
            if label is None or label == "" or label != label:
                self._refuse("must have a label in every row, but one has none", row)
            if not isinstance(label, (int, float, str)):
                kind = type(label).__name__
                self._refuse(f"must have whole numbers or names as labels, but the column {column} has a {kind}", row)
        if isinstance(labels[0], float):  # whole numbers, where a reader took the column for fractions
            for row, label in enumerate(labels):
                if not float(label).is_integer():
                    self._refuse("must have whole numbers or names as labels: its labels are fractions", row)
            return [int(label) for label in labels]
        return labels

    def _refuse(self, rule: str, row: int | None = None) -> NoReturn:
        where = "" if row is None else f" (row {row + 1}{self._line(row)})"
        raise OptionError(self.option, self.source, f"{rule}{where}")

    def _line(self, row: int) -> str:
        """The line number of a row in a file of lines, if known."""
        suffix = _format(Path(self.source))
        if not Path(self.source).is_file() or suffix == ".parquet":
            return ""
        if FORMATS[suffix] == "json":
            return f", line {row + 1}"
        earlier = self.rows.select(range(row))
        breaks = sum(str(cell).count("\n") for column in earlier.column_names for cell in earlier[column])
        return f", line {row + 2 + breaks}"


def _format(path: Path) -> str:
    """The suffix of a file that we read, without .gz; empty for others."""
    name = Path(path.stem) if path.suffix.lower() == ".gz" else path
    return name.suffix.lower() if name.suffix.lower() in FORMATS else ""


def _files(folder: Path, split: str) -> list[Path]:
    """A split's files in a folder, of one format.

    train.csv; or the parts train-00000-of-00002.parquet, in the folder or in its `data`; or all Parquet files in a
    folder `train`; or, of a folder that names no splits, all of them, for training.
    """
    places = [place for place in (folder, folder / "data", folder / split) if place.is_dir()]
    named = [path for place in places for path in sorted(place.iterdir()) if _format(path) and path.is_file()]
    parts = [path for path in named if _format(path) == ".parquet"]
    others = [path for path in parts if not path.name.startswith(_SPLITS)] if split == "train" else []
    return (
        [path for path in named if path.name.partition(".")[0] == split][:1]
        or [path for path in parts if path.name.startswith(f"{split}-") or path.parent == folder / split]
        or others
    )


def _table(path: Path, encoding: str) -> pa.Table:
    """The rows of one file."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet

    suffix = _format(path)
    if FORMATS[suffix] == "json":
        return pa.Table.from_pandas(pd.DataFrame(_objects(path, encoding)), preserve_index=False)
    if FORMATS[suffix] == "csv":  # "null" and "NA" are texts like any other
        separator = "\t" if suffix == ".tsv" else ","
        frame = pd.read_csv(path, sep=separator, encoding=encoding, keep_default_na=False)
        return pa.Table.from_pandas(frame, preserve_index=False)
    table = pyarrow.parquet.read_table(path)
    for number, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):  # a pandas categorical
            table = table.set_column(number, table.column_names[number], column.cast(column.type.value_type))
    return table


def _objects(path: Path, encoding: str) -> list[dict[str, Any]]:
    """The objects of a JSON file, one a line or in one list."""
    with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rt", encoding=encoding) as file:
        text = file.read().lstrip("\ufeff \t\r\n")
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line]
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ValueError(f"row {number} is {str(row)[:20]}, not an object")
    return rows


def _contents(rows: Any, column: str) -> tuple[bytes, ...]:
    """The files of a column of images."""
    import datasets

    files = rows.cast_column(column, datasets.Image(decode=False))[column]
    return tuple(one["bytes"] or Path(one["path"]).read_bytes() for one in files)


def _datasets() -> Any:
    """A context that silences the library, whose errors become ours, in one line."""
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(logging.CRITICAL)
    return datasets


def _reason(error: BaseException) -> str:
    """The first line of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {first_line(error, 160)}"
