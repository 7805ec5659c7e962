"""The end of a search: of a cell's candidates the best one stands."""

from __future__ import annotations

import math
import shutil
import statistics
from pathlib import Path

from launch.sweeps import study
from launch.sweeps.file import Search
from launch.sweeps.plan import Cell, Run


def settle(path: Path, cell: Cell, search: Search) -> None:
    """Copy the best candidate's runs to where the cell's runs stand, once every candidate is done or has failed.

    Args:
        path: the study.
        cell: one with candidates.
        search: how they are compared: by the mean over the seeds; one of which a run failed is out.
    """
    candidates, stands = study.Folder(path / "search"), study.Folder(path)
    values = []
    for candidate in cell.candidates:
        value: float | None = 0.0
        for run in candidate:
            if candidates.failure(run.name) is not None:
                value = None
            elif not _done(candidates, run) or candidates.is_played(run.name):
                return
        values.append(value if value is None else _value(candidates, candidate, search))
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
        _copy(candidates.run(winner.name), stands.run(run.name))
        stands.forgive(run.name)


def _done(folder: study.Folder, run: Run) -> bool:
    return study.is_done(folder.run(run.name), run.rounds)


def _value(folder: study.Folder, candidate: tuple[Run, ...], search: Search) -> float:
    """The metric's mean over the seeds, each its mean over the last evaluations.

    Raises:
        ValueError: if the runs have no such metric.
    """
    means = []
    for run in candidate:
        rows = study.rows_at_end(folder.run(run.name))[-search.last :]
        if search.metric not in rows[-1]:
            known = ", ".join(key for key in rows[-1] if key != "round")
            raise ValueError(f"search.metric is {search.metric}: no run has it; there are {known}")
        means.append(statistics.fmean(row.get(search.metric, math.nan) for row in rows))
    return statistics.fmean(means)


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
