"""The end of a search: of a cell's candidates the best one stands."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

from dfedsam.launch.sweeps import study
from dfedsam.launch.sweeps.file import Search
from dfedsam.launch.sweeps.plan import Cell, Run


def settle(path: Path, cell: Cell, search: Search) -> None:
    """Copy the best candidate's runs to where the cell's runs stand, once every candidate is done or has failed.

    Args:
        path: the study.
        cell: one with candidates.
        search: how they are compared: by the mean over the seeds; one of which a run failed is out.
    """
    candidates, stands = study.Folder(path / "search"), study.Folder(path)
    values: list[float | None] = []
    waiting = False
    for candidate in cell.candidates:
        found: list[float] = []
        failed = False
        for run in candidate:
            if candidates.failure(run.name) is not None:
                failed = True
            elif _done(candidates, run) and not candidates.is_played(run.name):
                found.append(_value(candidates, run, search))  # also while others go on: a mistake is told at once
            else:
                waiting = True
        values.append(None if failed or not found else statistics.fmean(found))
    if waiting:
        return
    compared = [value if search.choose == "min" else -value for value in values if value is not None]
    if not compared:
        reasons = [candidates.failure(run.name) for candidate in cell.candidates for run in candidate]
        reason = next((reason["error"] for reason in reasons if reason), "")
        for run in cell.runs:
            stands.fail(run.name, f"no value of {search.option} came to its end; the first: {reason}", 1)
        return
    sign = 1 if search.choose == "min" else -1
    best = values.index(sign * min(compared))
    for winner, run in zip(cell.candidates[best], cell.runs, strict=True):
        with stands.playing(run.name) as ours:  # another task of an array may settle the same cell
            if ours:
                _copy(candidates.run(winner.name), stands.run(run.name))
                stands.forgive(run.name)


def _done(folder: study.Folder, run: Run) -> bool:
    return study.is_done(folder.run(run.name), run.rounds)


def _value(folder: study.Folder, run: Run, search: Search) -> float:
    """The metric's mean over a run's last evaluations.

    Raises:
        ValueError: if the run has no such metric.
    """
    rows = study.rows_at_end(folder.run(run.name))[-search.last :]
    if search.metric not in rows[-1]:
        known = ", ".join(key for key in rows[-1] if key != "round")
        raise ValueError(f"search.metric is {search.metric}: no run has it; there are {known}")
    return statistics.fmean(row[search.metric] for row in rows if search.metric in row)


def _copy(source: Path, target: Path) -> None:
    """Copy a run's folder so that it is whole or absent; one that stands is kept if it is the same run."""
    if target.exists():
        if (target / "config.yaml").read_bytes() == (source / "config.yaml").read_bytes():
            return
        shutil.rmtree(target)
    beside = target.with_name(target.name + ".part")
    study.clear(beside)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, beside)
    beside.replace(target)
