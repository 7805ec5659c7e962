"""Run folders as one table."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from dfedsam.analysis.labels import labels

REFERENCE = "reference."  # prefix of the columns that hold a run's references
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser takes a tenth of the time


def read_runs(folders: Iterable[Path | str]) -> pd.DataFrame:
    """Read the metrics of runs, finished or still going on.

    Args:
        folders: run folders; one given twice is read once.

    Returns:
        One row an evaluation, runs below one another in the order given. Columns: `run` (its folder), `label` (what a
        figure calls it: the same for seeds of the same settings, see `analysis.labels`), `seed` (missing if the
        configuration has none), those of metrics.jsonl, and one constant column for each figure of references.json,
        such as `reference.zero_shot_accuracy`.

    Raises:
        ValueError: if no folder is given, a folder is not a run (says what is missing), or a file in it cannot be read.
    """
    paths = list({Path(folder).resolve(): Path(folder) for folder in folders}.values())
    if not paths:
        raise ValueError("folders is empty: at least one run folder is needed; name one, such as runs/a")
    configs = [read_config(path) for path in paths]
    names = folder_names(paths)
    rows = []
    for path, config, name, label in zip(paths, configs, names, labels(configs, names), strict=True):
        beside = {REFERENCE + reference: value for reference, value in read_references(path).items()}
        first = {"run": name, "label": label, "seed": config.get("seed")}
        rows += [{**first, **row, **beside} for row in read_metrics(path)]
    return pd.DataFrame(rows, columns=None if rows else ["run", "label", "seed"])


def folder_names(paths: Sequence[Path]) -> list[str]:
    """What runs are called: their folders' names, or the whole path where two have the same."""
    names = [path.resolve().name for path in paths]
    count = Counter(names)
    return [name if count[name] == 1 else str(path) for name, path in zip(names, paths, strict=True)]


def read_config(folder: Path | str) -> dict[str, Any]:
    """The settings of a run, from its config.yaml. Raises ValueError if the folder is not a run."""
    path = Path(folder) / "config.yaml"
    _expect_run(Path(folder))
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} must hold settings by name; it is not the config.yaml of a run")
    return config


def read_metrics(folder: Path | str, notes: list[str] | None = None) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl, in order of rounds.

    A last line that was cut short is left out: the run is still writing it, or was killed while it did. Of a round that
    was played again after a resume, the later row counts.

    Args:
        folder: the run's.
        notes: where to say what else is broken, and is left out then; None raises instead.

    Raises:
        ValueError: if the folder is not a run, or another line is not a JSON object with a round.
    """
    path = Path(folder) / "metrics.jsonl"
    _expect_run(Path(folder))
    lines = path.read_bytes().split(b"\n")
    rows: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            rows[int(row["round"])] = row
        except (ValueError, TypeError, KeyError) as error:  # ValueError: also what is not UTF-8
            if number == len(lines):  # no newline after it
                if notes is not None:
                    notes.append(
                        f"{path}: its last line is cut short, so it is left out: the run is at it, or was killed"
                    )
                continue
            if notes is not None:
                notes.append(f"{path}, line {number}: not a JSON object with a round; it is left out")
                continue
            raise ValueError(
                f"{path}, line {number}: not a JSON object with a round; repair or remove that line"
            ) from error
    return [rows[number] for number in sorted(rows)]


def read_references(folder: Path | str, notes: list[str] | None = None) -> dict[str, float]:
    """The figures that a run is set beside, from its references.json; empty if there is none or it cannot be read.

    Args:
        folder: the run's.
        notes: where to say that it cannot be read.
    """
    path = Path(folder) / "references.json"
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        if notes is not None:
            notes.append(f"{path}: it is cut short or not JSON, so that the run stands beside nothing")
        return {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{path} must hold figures by name; it is not the references.json of a run")
    return {str(name): float(value) for name, value in found.items() if isinstance(value, int | float)}


def _expect_run(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a run folder: it is {'a file' if folder.exists() else 'not there'}; check the path"
        )
    missing = [name for name in ("config.yaml", "metrics.jsonl") if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder} is not a run folder: {' and '.join(missing)} missing; name a folder that dfedsam run wrote"
        )
