"""What is to be done for a sweep: all its runs checked, and each judged by its folder."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dfedsam.launch.execute import Level, notes as run_notes
from dfedsam.launch.options import EXPERIMENTS
from dfedsam.launch.sweeps import spec
from dfedsam.launch.sweeps.metric import check_metric
from dfedsam.launch.sweeps.plan import Cell, Run, plan
from dfedsam.launch.sweeps.study import SPEC, Action, Study
from dfedsam.run_folder import RUNS


@dataclass(frozen=True)
class Pending:
    """A sweep, and what is to be done for it.

    Args:
        sweep: the sweep as read from its file.
        source: that file.
        folder: the study's folder.
        cells: the runs, by cell.
        actions: the pending action of every job.
    """

    sweep: spec.Sweep
    source: Path
    folder: Study
    cells: list[Cell]
    actions: tuple[Action, ...] = ()

    @property
    def runs(self) -> list[Run]:
        """All runs to execute."""
        return [run for cell in self.cells for run in cell.jobs]

    @property
    def todo(self) -> list[tuple[int, Run]]:
        """Those that are not done, with their numbers among all."""
        numbered = zip(self.runs, self.actions, strict=True)
        return [(number, run) for number, (run, action) in enumerate(numbered) if action != "done"]


def pending(
    file: Path,
    out: Path | None = None,
    *,
    ranks: int | None = None,
    log: str | None = None,
    code: bool = False,
    endpoint: bool = False,
    level: Level = "normal",
) -> Pending:
    """Read a sweep, check all its runs, and judge by their folders what is to be done; arguments as for `sweep`.

    Raises:
        ValueError: for bad input, in one line.
    """
    study = read(file, out, ranks, log, code, endpoint)
    notes: Counter[str] = Counter()
    actions: list[Action] = []
    for cell in study.cells:
        selected = bool(cell.candidates) and all(study.folder.is_done(run) for run in cell.runs)
        for run in cell.jobs:
            experiment = run.build()
            if study.sweep.search is not None:
                check_metric("search.metric", study.sweep.search.metric, experiment)
            notes.update(run_notes(experiment))
            action = study.folder.pending(run, experiment)
            actions.append("done" if selected else action)
    say((f"{note} ({count} runs)" for note, count in notes.items()), level)
    return replace(study, actions=tuple(actions))


def read(file: Path, out: Path | None, ranks: int | None, log: str | None, code: bool, endpoint: bool) -> Pending:
    """As `pending`, without checking anything but the file."""
    path, folder = _paths(file, out)
    sweep = spec.read(path, code=code)
    if log is not None:
        sweep.base["log"] = log
    source = path if path.exists() else EXPERIMENTS / path
    return Pending(sweep, source, Study(folder), plan(sweep, ranks, endpoint=endpoint))


def say(notes: Iterable[str], level: Level) -> None:
    """Print notes, unless asked to be quiet."""
    for note in notes:
        if level != "quiet":
            print(f"dfedsam: note: {note}", file=sys.stderr)


def _paths(path: Path, out: Path | None) -> tuple[Path, Path]:
    """The sweep's file and the study's folder; a folder with a sweep.yaml is a study."""
    if path.is_dir():
        path = path / SPEC
    if out is not None:
        return path, out
    is_study = path.name == SPEC and (path.parent / RUNS).is_dir()
    return path, path.parent if is_study else Path("studies", path.stem)
