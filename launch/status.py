"""`dfedsam status` and `dfedsam watch`: the progress of studies and runs, read from their files."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Literal, get_args

from dfedsam.callbacks.progress import display, duration
from dfedsam.errors import FileError, OptionError
from dfedsam.launch.execute import resume_command
from dfedsam.launch.sweeps import plan, spec
from dfedsam.launch.sweeps.study import SPEC, Study
from dfedsam.launch.tables import show
from dfedsam.lock import writer
from dfedsam.run_folder import CONFIG, RunFolder, divergence, failure_file, is_run, read_failure

State = Literal["done", "diverged", "running", "failed", "stopped", "damaged", "to do"]


@dataclass(frozen=True)
class RunStatus:
    """One run: its name, its state, its last round, and a note."""

    name: str
    state: State
    round: int | None = None
    text: str = ""


def status(folder: Path, *, all: bool = False) -> int:
    """Show the progress of a study: which runs are done, running, failed, stopped, or to do.

    For a running run it shows the round and when it last wrote, for a failed one the reason. Runs on other machines
    are read through the shared file system.

    Args:
        folder: a study's folder.
        all: show every run, including those that are done or to do.

    Examples:
        dfedsam status studies/topology_ablation
    """
    runs = list(statuses(folder))
    counts = Counter(run.state for run in runs)
    print(f"{len(runs)} runs: " + ", ".join(f"{counts[state]} {state}" for state in get_args(State) if counts[state]))
    shown = [run for run in runs if all or run.state not in ("done", "to do")]
    if shown:
        print()
        rows = [(run.name, run.state, "–" if run.round is None else str(run.round), run.text) for run in shown]
        show(("run", "state", "round", ""), rows)
    return 0


def statuses(path: Path) -> Iterator[RunStatus]:
    """Every run of a study, with the candidates of a search. Raises OptionError if the folder is not a study."""
    if not (path / SPEC).is_file():
        hint = "fix the path"
        if path.is_file():
            hint = f"the study of this file is in studies/{path.stem}, unless --out named another folder"
        elif is_run(path):
            hint = f"it is a run: see `dfedsam watch {quote(str(path))}`"
        raise OptionError("folder", path, f"must be a study's folder, but it has no {SPEC}", hint)
    study = Study(path)
    for cell in plan.plan(spec.read(path / SPEC, code=None)):
        for run in (*cell.jobs, *(cell.runs if cell.candidates else ())):
            yield _status(study, run, selected=bool(cell.candidates) and not run.part)


def _status(study: Study, run: plan.Run, *, selected: bool) -> RunStatus:
    name, folder = f"{run.part}/{run.name}".lstrip("/"), study.folder(run)
    try:
        row = folder.last_row()
    except FileError as error:
        return RunStatus(name, "damaged", text=str(error))
    last = None if row is None else row["round"]
    if study.is_running(run):
        wrote = folder.last_written()
        ago = f", {duration(time.time() - wrote)} ago" if wrote else ", starting"
        return RunStatus(name, "running", last, f"of {run.rounds}{ago}")
    failure = study.failure(run)
    if failure is not None:
        return RunStatus(name, "failed", last, str(failure.get("error", "")))
    if study.is_done(run):
        grown = divergence(folder.first_row() or {}, row or {})
        return RunStatus(name, "diverged" if grown else "done", last, grown)
    if last is not None:
        return RunStatus(name, "stopped", last, f"of {run.rounds}")
    return RunStatus(name, "to do", text="selected by the search" if selected else "")


def watch(folder: Path, *, every: float = 1.0) -> int:
    """Follow a run in the terminal, here or on another machine that shares the file system.

    Shows its round, its latest metrics and the remaining time, until the run is complete or its study records that it
    failed. If it has not started, or was stopped, this says so and waits. Ctrl-C stops watching; the run continues.

    Args:
        folder: a run's folder; it need not exist yet.
        every: seconds between updates, above 0 and at most 3600.

    Examples:
        dfedsam watch runs/a
        dfedsam watch studies/topology_ablation/runs/topology=ring,peers=16,seed=0 --every 10
    """
    if not 0 < every <= 3600:
        raise OptionError("every", every, "must be a number of seconds above 0 and at most 3600")
    if folder.exists() and not folder.is_dir():
        raise OptionError("folder", folder, "must be a run's folder, but it is a file", "fix the path")
    if (folder / SPEC).is_file():
        hint = f"see `dfedsam status {quote(str(folder))}`, or name one of its runs"
        raise OptionError("folder", folder, "must be a run's folder, but it is a study", hint)
    if not folder.is_dir() and not folder.parent.is_dir():
        raise OptionError("folder", folder, "must be a run's folder, but it does not exist", "fix the path")
    if folder.is_dir() and not is_run(folder) and not _may_start(folder):
        inside = next(
            (path for part in ("", "runs") for path in sorted((folder / part).glob("*")) if is_run(path)), None
        )
        hint = "fix the path" if inside is None else f"name one of its runs, such as {inside}"
        raise OptionError("folder", folder, f"must be a run's folder, but it has no {CONFIG}", hint)
    try:
        return _follow(RunFolder(folder), every)
    except KeyboardInterrupt:
        return 130


def _may_start(folder: Path) -> bool:
    """Whether a run may start in a folder: it is empty but for a writer's files, or somebody writes it."""
    return not any(path.name[0] != "." for path in folder.iterdir()) or writer(folder) is not None


def _follow(folder: RunFolder, every: float) -> int:
    failed = failure_file(folder.path)
    if folder.last_row() is None:
        print(f"waiting for a run to start in {folder.path}", file=sys.stderr)
    with display() as shown:
        last, was_idle = (-1, 0.0), False
        while True:
            idle = writer(folder.path) is None  # asked first: a run writes all its rows before it ends
            row, end = folder.last_row(), _end(folder)
            if row is not None and end is not None:
                now = row["round"], row.get("seconds", 0.0)
                if now != last:
                    last = now
                    shown.show(row["round"], end[0], row)
                if row["round"] >= end[0] or row.get("time", 0.0) >= end[1]:
                    return 0
                if idle and not was_idle:
                    print(_stopped(folder, row["round"], end[0]), file=sys.stderr)
                was_idle = idle
            if failure := read_failure(failed):
                print(f"{folder.path.name} failed: {failure.get('error')}", file=sys.stderr)
                return 1
            time.sleep(every)


def _stopped(folder: RunFolder, round: int, rounds: int) -> str:
    again = resume_command(folder)
    return f"nobody executes {folder.path}, which has {round} of {rounds} rounds: waiting until `{again}` continues it"


def _end(folder: RunFolder) -> tuple[int, float] | None:
    """The rounds and the simulated seconds that end a run; a resume may increase them. None: not written yet.

    Raises:
        FileError: if the settings cannot be read.
    """
    if not folder.config.is_file():
        return None
    settings = folder.read_config()
    rounds, until = settings.get("rounds"), settings.get("until", math.inf)
    if type(rounds) is not int or not isinstance(until, int | float):
        raise FileError(folder.config, "must have numbers for rounds and until; it is not the config.yaml of a run")
    return rounds, until
