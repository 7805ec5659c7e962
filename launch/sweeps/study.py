"""A study's folder: the runs of a sweep, their states, and the selection of a search."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dfedsam.errors import FileError, OptionError
from dfedsam.lock import FolderInUse, writer
from dfedsam.run_folder import CHECKPOINT, CONFIG, PROMPT, REFERENCES, Row, RunFolder, temporary_name, write_atomic

if TYPE_CHECKING:
    from dfedsam.experiment import Experiment
    from dfedsam.launch.sweeps.plan import Cell, Run
    from dfedsam.launch.sweeps.spec import Search, Sweep

Action = Literal["done", "resume", "start"]
SPEC = "sweep.yaml"


class Study:
    """A study's folder with `sweep.yaml`, `runs/` and `failed/`; the last two also in `search/` if there is a search.

    Args:
        path: its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, sweep: Sweep, cells: list[Cell]) -> None:
        """Create the folder and save the sweep in it; the sweep's file may have changed since the last time.

        Raises:
            OptionError: if the folder holds another study, or cannot be created.
        """
        spec, runs = self.path / SPEC, self.path / "runs"
        if spec.exists() and spec.read_text(encoding="utf-8") != sweep.text:
            ours = {run.name for cell in cells for run in (*cell.runs, *cell.jobs)}
            there = [path.name for part in ("runs", "search/runs") for path in (self.path / part).glob("*")]
            if not (runs.is_dir() and not there) and not ours & set(there):
                rule = f"must not hold another study, but its {SPEC} is of one: none of its runs is of this sweep"
                raise OptionError("out", self.path, rule, "choose another folder")
        try:
            for part in ("runs", "logs"):
                (self.path / part).mkdir(parents=True, exist_ok=True)
            if not spec.exists() or spec.read_text(encoding="utf-8") != sweep.text:
                write_atomic(spec, sweep.text)
        except OSError as error:
            raise OptionError("out", self.path, f"must be a folder that can be written ({error.strerror})") from None

    def folder(self, run: Run) -> RunFolder:
        """A run's folder."""
        return RunFolder(self.path / run.part / "runs" / run.name)

    def pending(self, run: Run, experiment: Experiment) -> Action:
        """The action that a run needs, judged by its folder.

        Raises:
            FileError: if the folder holds something else, a run with other settings, or a run without its checkpoint.
        """
        folder = self.folder(run)
        if not folder.path.exists():
            return "start"
        if not folder.config.is_file() and not folder.is_unstarted():
            raise FileError(folder.path, "is not a run of this sweep", "give another --out, or move that folder away")
        if folder.config.is_file():
            _same_settings(folder, experiment)
        if folder.is_unstarted():
            return "start"
        if folder.is_complete(experiment.rounds, references=experiment.references, until=experiment.until):
            return "done"
        if not folder.checkpoint.is_file():
            problem = f"has evaluations, but no {CHECKPOINT} to continue from"
            raise FileError(folder.path, problem, "restore it, or move that folder away")
        return "resume"

    def is_done(self, run: Run) -> bool:
        """Whether a run is complete, determined without building it."""
        folder = self.folder(run)
        with suppress(FileError):
            return folder.is_complete(run.rounds, references=run.references)
        return False

    def is_running(self, run: Run) -> bool:
        """Whether a process executes a run, on this machine or another one."""
        return writer(self.folder(run).path) is not None

    def failure(self, run: Run) -> Row | None:
        """Why a run failed, {"error", "status", "time"}, if its last execution failed; otherwise None."""
        return read_failure(self._failed(run))

    def fail(self, run: Run, error: str, status: int) -> None:
        """Record that a run failed."""
        note = {"error": " ".join(error.split()), "status": status, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        self._failed(run).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._failed(run), json.dumps(note, ensure_ascii=False) + "\n")

    def clear_failure(self, run: Run) -> None:
        """Delete the record that a run failed, because it is tried again or complete."""
        self._failed(run).unlink(missing_ok=True)

    def _failed(self, run: Run) -> Path:
        return self.path / run.part / "failed" / f"{run.name}.json"

    def select(self, cell: Cell, search: Search) -> Any:
        """Copy the best candidate's runs to the cell's, once every candidate is complete or has failed.

        Candidates are compared by the mean over seeds; a candidate with a failed run is excluded.

        Returns:
            The value chosen; None if none is yet, or all failed.

        Raises:
            OptionError: if the runs have no such metric.
        """
        values = [self._value(candidate, search) for candidate in cell.candidates]
        if any(value == "pending" for value in values):
            return None
        sign = search.sign
        compared = [sign * value for value in values if isinstance(value, float)]
        if not compared:
            notes = [self.failure(run) for candidate in cell.candidates for run in candidate]
            reason = next((note["error"] for note in notes if note), "")
            for run in cell.runs:
                self.fail(run, f"every value of {search.option} failed; the first: {reason}", 1)
            return None
        chosen = values.index(sign * min(compared))
        best = cell.candidates[chosen]
        for winner, run in zip(best, cell.runs, strict=True):
            with suppress(FolderInUse):  # another task of an array selects in the same cell
                _copy(self.folder(winner), self.folder(run))
                self.clear_failure(run)
        return search.values[chosen]

    def _value(self, candidate: tuple[Run, ...], search: Search) -> float | Literal["pending", "failed"]:
        """The metric's mean over seeds."""
        values: list[float] = []
        failed = pending = False
        for run in candidate:
            if self.failure(run) is not None:
                failed = True
            elif self.is_done(run) and not self.is_running(run):
                values.append(
                    _last(self.folder(run), search)
                )  # even while others run, so that a wrong metric is found at once
            else:
                pending = True
        if pending:
            return "pending"
        return "failed" if failed or not values else statistics.fmean(values)


def read_failure(path: Path) -> Row | None:
    """The record of a failed run; None if it does not exist or cannot be read."""
    with suppress(OSError, ValueError):
        note = json.loads(path.read_text(encoding="utf-8"))
        return note if isinstance(note, dict) else None
    return None


def _same_settings(folder: RunFolder, experiment: Experiment) -> None:
    from dfedsam.describe import only_results

    written, description = folder.read_config(), experiment.description()
    if written == description:
        return
    old, new = only_results(written), only_results(description)
    other = next((key for key in {**new, **old} if old.get(key) != new.get(key)), None)
    if other is None or (other == "rounds" and old["rounds"] < new["rounds"]):
        return
    problem = f"was executed with other settings: its {other} is {old.get(other)}, and the sweep's is {new.get(other)}"
    raise FileError(folder.path, problem, "give the sweep another --out, or move that folder away")


def _last(folder: RunFolder, search: Search) -> float:
    """The metric's mean over a run's last evaluations."""
    rows = folder.last_rows()[-search.last :]
    if search.metric not in rows[-1]:
        known = ", ".join(key for key in rows[-1] if key != "round")
        raise OptionError("search.metric", search.metric, f"must be a metric of the runs: {known}")
    return statistics.fmean(row[search.metric] for row in rows if search.metric in row)


def _copy(source: RunFolder, target: RunFolder) -> None:
    """Copy a run's files over those of an earlier selection; other files in the folder stay."""
    if target.config.is_file() and target.config.read_bytes() == source.config.read_bytes():
        rows = source.read_metrics()
        if target.metrics.is_file() and target.read_metrics() == rows and target.prompt.is_file():
            return
    target.path.mkdir(parents=True, exist_ok=True)
    with target.writing():
        target.prompt.unlink(missing_ok=True)  # until the last file is copied, the copy counts as incomplete
        if not source.references.is_file():
            target.references.unlink(missing_ok=True)
        names = sorted(path.name for path in source.path.iterdir() if path.is_file() and path.name[0] != ".")
        for name in sorted(names, key=lambda name: (name == PROMPT, name in (CONFIG, REFERENCES))):
            temporary = temporary_name(target.path / name)
            shutil.copyfile(source.path / name, temporary)
            temporary.replace(target.path / name)
