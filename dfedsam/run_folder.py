"""The run folder: names of its files, their format, and how they are read and written.

config.yaml            the settings; `dfedsam run --config` repeats the run
topology.json          graph, spectrum, contraction of the gossip, and theory's predictions
metrics.jsonl          one JSON object per evaluation
checkpoint.safetensors the state from which `dfedsam resume` continues
prompt.safetensors     the mean model
references.json        reference metrics of the objective

This module needs neither numpy nor torch, so that commands which only look at runs start at once.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any

from dfedsam.errors import FileError
from dfedsam.lock import LOCK, WRITER, FolderLock
from dfedsam.whole_files import load_object, load_yaml, naming, write_atomic

FORMAT = 1  # of all files except the checkpoint; increased when readers of this version would misread them
CONFIG = "config.yaml"
TOPOLOGY = "topology.json"
METRICS = "metrics.jsonl"
CHECKPOINT = "checkpoint.safetensors"
PROMPT = "prompt.safetensors"
REFERENCES = "references.json"
RUNS, FAILED, SEARCH = "runs", "failed", "search"  # folders of a study; the last has its own runs/ and failed/
SELECTION = "search.json"  # in search/: the values searched, their metric in each cell, and the chosen ones
EXPLODED = 1e3  # times the loss at the start, and times 1, beyond which a run has diverged
Row = dict[str, Any]
"""One evaluation: its round and its metrics by name."""
_TAIL = 1 << 16  # bytes at the end of metrics.jsonl that are searched for the last rows


class RunFolder:
    """A run's folder; it need not exist."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / CONFIG
        self.topology = self.path / TOPOLOGY
        self.metrics = self.path / METRICS
        self.checkpoint = self.path / CHECKPOINT
        self.prompt = self.path / PROMPT
        self.references = self.path / REFERENCES
        self._is_writer = False

    def expect(self, *names: str) -> None:
        """Raise FileError unless it is a folder that has these files."""
        if not self.path.is_dir():
            problem = f"must be a run's folder, but it {'is a file' if self.path.exists() else 'does not exist'}"
            raise FileError(self.path, problem, "fix the path")
        missing = [name for name in names if not (self.path / name).is_file()]
        if missing:
            problem = f"must be a run's folder, but it has no {' and no '.join(missing)}"
            raise FileError(self.path, problem, "name a folder that dfedsam run wrote")

    def read_config(self) -> Row:
        """The settings, without the format number.

        Raises:
            FileError: if the file is missing, is not YAML, or has a format that this version does not know.
        """
        self.expect(CONFIG)
        settings = load_yaml(self.config)
        if not isinstance(settings, dict):
            raise FileError(self.config, "must hold settings by name; it is not the config.yaml of a run")
        if "format" not in settings:
            raise FileError(self.config, "has no format number", "read it with the version that wrote it")
        return without_format(self.config, settings)

    def write_config(self, description: Mapping[str, Any]) -> None:
        """Write the settings; feeding the file back repeats the run."""
        import yaml

        settings = {"format": FORMAT, **description}
        write_atomic(self.config, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))

    def read_topology(self) -> Row:
        """Graph (networkx's node-link form), "spectrum", "gossip" and "theory" of topology.json.

        Raises:
            FileError: if it is missing or damaged.
        """
        return load_object(self.topology)

    def write_topology(self, topology: Mapping[str, Any]) -> None:
        """Write topology.json."""
        write_atomic(self.topology, json.dumps(topology))

    def read_references(self) -> dict[str, float]:
        """The reference metrics; empty if the run has none. Raises FileError if the file is damaged."""
        if not self.references.is_file():
            return {}
        values = load_object(self.references)
        return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}

    def write_references(self, references: Mapping[str, float]) -> None:
        """Write references.json."""
        write_atomic(self.references, json.dumps(references, indent=2) + "\n")

    def read_metrics(self, problems: list[str] | None = None) -> list[Row]:
        """All evaluations in order of rounds.

        A damaged last line is skipped: the run is writing it, or was killed while writing. `problems` receives a
        message for every other damaged line, which is skipped too.

        Raises:
            FileError: if the file is missing, or, without `problems`, a line before the last is damaged.
        """
        try:
            lines = self.metrics.read_bytes().split(b"\n")
        except OSError as error:
            raise FileError(self.metrics, f"cannot be read ({error.strerror})") from None
        return _rows(self.metrics, lines, 1, problems)

    def last_rows(self) -> list[Row]:
        """The last evaluations, read quickly: at least one if there is any, not all of a long run's.

        Raises:
            FileError: as `read_metrics`, but empty if there are no metrics yet.
        """
        try:
            with self.metrics.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
                file.seek(start)
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise FileError(self.metrics, f"cannot be read ({error.strerror})") from None
        return _rows(self.metrics, lines[1:] if start else lines, None if start else 1)

    def first_row(self) -> Row | None:
        """The first evaluation; None if there is none yet."""
        with self.metrics.open("rb") as file:
            return _row(file.readline())

    def last_row(self) -> Row | None:
        """The last evaluation; None if there is none yet."""
        rows = self.last_rows()
        return rows[-1] if rows else None

    def append(self, row: Row) -> None:
        """Add an evaluation to metrics.jsonl."""
        with naming(self.metrics), self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")

    def rewrite(self, rows: Iterable[Row]) -> None:
        """Replace metrics.jsonl by these evaluations."""
        write_atomic(self.metrics, "".join(json.dumps(row) + "\n" for row in rows))

    def sync_metrics(self) -> None:
        """Fsync metrics.jsonl, so that it survives a loss of power as the next checkpoint does."""
        with naming(self.metrics), self.metrics.open("ab") as file:
            os.fsync(file.fileno())

    @contextmanager
    def writing(self) -> Generator[None, None, None]:
        """Lock the folder for writing; a second call of the same object changes nothing.

        Raises:
            FolderInUse: if another process is.
        """
        if self._is_writer:
            yield
            return
        lock = FolderLock(self.path)
        lock.acquire()
        self._is_writer = True
        try:
            for temporary in self.path.glob(".*.part"):  # of a process that was killed
                temporary.unlink(missing_ok=True)
            yield
        finally:
            self._is_writer = False
            lock.release()

    def is_unstarted(self) -> bool:
        """Whether a run may start in it: it holds only files that a run writes before its first checkpoint.

        Temporary files that a killed process left behind do not count.
        """
        first = {CONFIG, TOPOLOGY, METRICS, LOCK, WRITER}
        names = {path.name for path in self.path.iterdir()} - {path.name for path in self.path.glob(".*.part")}
        if not names <= first:
            return False
        return METRICS not in names or len(self.read_metrics()) <= 1

    def remove_unstarted(self) -> None:
        """Remove the folder of a run that did not reach its first checkpoint."""
        with suppress(OSError, ValueError):
            if self.is_unstarted():
                for path in self.path.iterdir():
                    path.unlink()
                self.path.rmdir()

    def is_complete(self, rounds: int, *, references: bool = False, until: float | None = None) -> bool:
        """Whether the run has finished its rounds, or the simulated seconds `until`, and written all its final files.

        `references` is whether reference metrics were requested.
        """
        row = self.last_row()
        if row is None or (references and not self.references.is_file()):
            return False
        if row["round"] != rounds and (until is None or row.get("time", 0) < until):
            return False
        try:
            return self.prompt.stat().st_mtime_ns >= self.metrics.stat().st_mtime_ns
        except OSError:
            return False

    def last_written(self) -> float:
        """When the last evaluation was written, in seconds since 1970; 0 if there is none."""
        try:
            return self.metrics.stat().st_mtime
        except OSError:
            return 0.0


def is_run(path: Path) -> bool:
    """Whether a folder is a run's, judging by its files' names."""
    return (path / CONFIG).is_file() or (path / METRICS).is_file()


def run_again(path: Path) -> str:
    """What to do about a run that cannot continue, because a file in its folder is damaged."""
    return f"restore it, or start the run again with: dfedsam run --config {quote(str(path / CONFIG))}"


def failure_file(run: Path) -> Path:
    """Where a study records that the run in this folder failed."""
    return run.parent.parent / FAILED / f"{run.name}.json"


def read_failure(path: Path) -> Row | None:
    """Why a run failed, {"error", "status", "time"}; None if it did not, or the record cannot be read."""
    with suppress(FileError):
        return load_object(path)
    return None


def divergence(first: Row, last: Row) -> str:
    """How the loss has grown between two evaluations, if a run with it has diverged; otherwise empty."""
    start, end = first.get("loss"), last.get("loss")
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        return ""
    exploded = end > EXPLODED * max(abs(start), 1.0) or not math.isfinite(end)
    return f"the loss has grown from {start:.3g} to {end:.3g}" if exploded else ""


def without_format(path: Path | str, settings: Row) -> Row:
    """Settings without their format number, which an experiment file need not have.

    Raises:
        FileError: if this version does not know the format.
    """
    number = settings.get("format", FORMAT)
    if isinstance(number, bool) or number != FORMAT:
        problem = f"has format {number}, and this version of dfedsam knows format {FORMAT}"
        raise FileError(path, problem, "read it with the version that wrote it")
    return {name: value for name, value in settings.items() if name != "format"}


def _rows(path: Path, lines: list[bytes], first: int | None, problems: list[str] | None = None) -> list[Row]:
    """Lines to rows; `first` is the number of the first line, None if that is not known."""
    rows: list[Row] = []
    last = max((index for index, line in enumerate(lines) if line.strip()), default=-1)
    for index, line in enumerate(lines[: last + 1]):
        row = _row(line)
        if row is not None and (not rows or row["round"] > rows[-1]["round"]):
            rows.append(row)
        elif index < last or (row is not None and rows):
            number = None if first is None else first + index
            error = FileError(
                path, "is not an evaluation: a JSON object with a round above the previous one", line=number
            )
            if problems is None:
                raise FileError(path, error.problem, "restore the file, or remove that line", number)
            problems.append(f"{error}; it is skipped")
    return rows


def _row(line: bytes) -> Row | None:
    """An evaluation; None if the line is damaged."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: also what is not UTF-8
        return None
    if not isinstance(row, dict) or type(row.get("round")) is not int:
        return None
    return None if any(isinstance(value, dict | list) for value in row.values()) else row
