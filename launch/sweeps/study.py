"""A study's folder: the runs of a sweep, their states, and the selection of a search."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dfedsam.errors import FileError, OptionError
from dfedsam.lock import FolderInUse, writer
from dfedsam.run_folder import (
    CHECKPOINT,
    CONFIG,
    PROMPT,
    REFERENCES,
    RUNS,
    SEARCH,
    SELECTION,
    Row,
    RunFolder,
    failure_file,
    read_failure,
)
from dfedsam.whole_files import temporary_name, write_atomic

if TYPE_CHECKING:
    from dfedsam.experiment import Experiment
    from dfedsam.launch.sweeps.plan import Cell, Run
    from dfedsam.launch.sweeps.spec import Search, Sweep

Action = Literal["done", "resume", "start"]
SPEC = "sweep.yaml"
_SOURCE = ".source"  # the path of the file that SPEC was copied from


class Study:
    """A study's folder with `sweep.yaml`, `runs/` and `failed/`; the last two also in `search/` if there is a search.

    Args:
        path: its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, sweep: Sweep, cells: list[Cell], source: Path) -> None:
        """Create the folder and save the sweep in it; the sweep's file may have changed since the last time.

        Args:
            sweep: the sweep.
            cells: its runs.
            source: its file.

        Raises:
            OptionError: if the folder holds the study of another file, or cannot be created.
        """
        spec, runs, origin = self.path / SPEC, self.path / RUNS, self.path / _SOURCE
        if spec.exists() and spec.read_text(encoding="utf-8") != sweep.text:
            other = Path(os.fsdecode(origin.read_bytes())) if origin.is_file() else source
            if other != source.absolute() and source.absolute() != spec.absolute() and other.exists():
                rule = f"must not hold another study, but its {SPEC} is that of {other}"
                raise OptionError("out", self.path, rule, "choose another folder, such as --out studies/NAME")
            ours = {run.name for cell in cells for run in (*cell.runs, *cell.jobs)}
            there = [path.name for part in (RUNS, f"{SEARCH}/{RUNS}") for path in (self.path / part).glob("*")]
            if not (runs.is_dir() and not there) and not ours & set(there):
                rule = f"must not hold another study, but none of the runs of its {SPEC} belongs to this sweep"
                raise OptionError("out", self.path, rule, "choose another folder")
        try:
            for part in (RUNS, "logs"):
                (self.path / part).mkdir(parents=True, exist_ok=True)
            if not spec.exists() or spec.read_text(encoding="utf-8") != sweep.text:
                write_atomic(spec, sweep.text)
                if source.absolute() != spec.absolute():
                    write_atomic(origin, os.fsencode(source.absolute()))
        except OSError as error:
            raise OptionError("out", self.path, f"must be a folder that can be written ({error.strerror})") from None

    def folder(self, run: Run) -> RunFolder:
        """A run's folder."""
        return RunFolder(self.path / run.part / RUNS / run.name)

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
        with suppress(FileError):
            return run.is_done(self.folder(run))
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
        return failure_file(self.folder(run).path)

    def select(self, cell: Cell, search: Search) -> None:
        """Copy the best candidate's runs to the cell's, once every candidate is complete or has failed.

        Candidates are compared by the mean over seeds; a candidate with a failed run is excluded.

        Raises:
            OptionError: if the runs have no such metric.
        """
        comparison = self.compare(cell, search)
        if comparison.pending:
            return
        if comparison.chosen is None:
            notes = [self.failure(run) for candidate in cell.candidates for run in candidate]
            reason = next((note["error"] for note in notes if note), "")
            for run in cell.runs:
                self.fail(run, f"every value of {search.option} failed; the first: {reason}", 1)
            return
        for winner, run in zip(cell.candidates[comparison.chosen], cell.runs, strict=True):
            with suppress(FolderInUse):  # another task of an array selects in the same cell
                _copy(self.folder(winner), self.folder(run))
                self.clear_failure(run)

    def compare(self, cell: Cell, search: Search) -> Comparison:
        """Compare a cell's candidates. Raises OptionError if the runs have no such metric."""
        metric, means, pending = search.metric, [], False
        for candidate in cell.candidates:
            values: list[float] = []
            failed = any(self.failure(run) is not None for run in candidate)
            for run in candidate:
                if self.is_done(run) and not self.is_running(run):  # even while others run: a wrong metric is found now
                    metric, value = _last(self.folder(run), search)
                    values.append(value)
                elif self.failure(run) is None:
                    pending = True
            means.append(None if failed or len(values) < len(candidate) else statistics.fmean(values))
        ranked = [(search.sign * mean, number) for number, mean in enumerate(means) if mean is not None]
        return Comparison(metric, tuple(means), min(ranked)[1] if ranked else None, pending)

    def finish_search(self, cells: list[Cell], search: Search) -> list[str]:
        """Write how values were chosen to search/search.json, and return what a reader of the results should know."""
        for cell in cells:
            self.select(cell, search)
        compared = [self.compare(cell, search) for cell in cells]
        rows = [
            {"runs": [run.name for run in cell.runs], "means": one.means, "chosen": one.chosen}
            for cell, one in zip(cells, compared, strict=True)
        ]
        metric = next((one.metric for one in compared if one.chosen is not None), search.metric)
        content = {"option": search.option, "metric": metric, "values": search.values, "cells": rows}
        write_atomic(self.path / SEARCH / SELECTION, json.dumps(content, ensure_ascii=False) + "\n")
        numbers = [value for value in search.values if isinstance(value, int | float) and not isinstance(value, bool)]
        ends = (min(numbers), max(numbers)) if len(numbers) > 1 else ()
        at_edge = sum(all(search.values[number] in ends for number in one.best) for one in compared if one.best)
        notes = [_how(cells, search.option, metric)]
        if at_edge:
            notes.append(
                f"in {at_edge} of {len(cells)} cells the best {search.option} is the smallest or the largest of those "
                "searched, so a better one may lie beyond"
            )
        return [note for note in notes if note]


@dataclass(frozen=True)
class Comparison:
    """The candidates of a cell.

    Args:
        metric: the metric compared; on validation examples if the runs have some.
        means: of each candidate, over seeds; None for one that failed or is not complete.
        chosen: the number of the best; None if there is none.
        pending: whether a candidate is not complete yet.
    """

    metric: str
    means: tuple[float | None, ...]
    chosen: int | None
    pending: bool

    @property
    def best(self) -> list[int]:
        """The numbers of all candidates that are as good as the best."""
        best = None if self.chosen is None else self.means[self.chosen]
        return [number for number, mean in enumerate(self.means) if mean is not None and mean == best]


def _how(cells: list[Cell], option: str, metric: str) -> str:
    """On which examples values were chosen; empty if there are none."""
    if metric.startswith("validation_"):
        return f"{option} was chosen by {metric}, on examples that neither training nor the results have seen"
    if not any(cell.runs[0].settings.simulation["objective"].holds_out for cell in cells):
        return ""
    return (
        f"{option} was chosen by {metric} on the held-out examples on which the results are measured too, so they look "
        "better than they are: say so, or keep a share of the training examples for the choice, such as "
        "objective.validation 0.2"
    )


def _same_settings(folder: RunFolder, experiment: Experiment) -> None:
    from dfedsam.options import only_results

    written, description = folder.read_config(), experiment.description()
    if written == description:
        return
    old, new = only_results(written, experiment), only_results(description, experiment)
    other = next((key for key in {**new, **old} if old.get(key) != new.get(key)), None)
    if other is None or (other == "rounds" and old["rounds"] < new["rounds"]):
        return
    problem = f"was executed with other settings: its {other} is {old.get(other)}, and the sweep's is {new.get(other)}"
    raise FileError(folder.path, problem, "give the sweep another --out, or move that folder away")


def _last(folder: RunFolder, search: Search) -> tuple[str, float]:
    """The metric compared, on validation examples if there are some, and its mean over a run's last evaluations."""
    rows = folder.last_rows()[-search.last :]
    validation = f"validation_{search.metric}"
    metric = validation if validation in rows[-1] else search.metric
    if metric not in rows[-1]:
        known = ", ".join(key for key in rows[-1] if key != "round")
        raise OptionError("search.metric", search.metric, f"must be a metric of the runs: {known}")
    return metric, statistics.fmean(row[metric] for row in rows if metric in row)


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
