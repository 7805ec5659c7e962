"""Executes one run of a study: in a worker process or, with `--only`, in this process or on the ranks of this job."""

from __future__ import annotations

import traceback
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dfedsam.launch import ranks
from dfedsam.launch.sweeps.study import Study
from dfedsam.machine import mpi_rank

if TYPE_CHECKING:
    from dfedsam.communication.base import Communicator
    from dfedsam.experiment import Experiment
    from dfedsam.launch.execute import Level
    from dfedsam.launch.sweeps.plan import Cell, Run
    from dfedsam.launch.sweeps.spec import Sweep

Ending = Literal["done", "stopped", "failed", "elsewhere"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        ending: "done", "stopped" as requested, "failed", or "elsewhere" (another process executes it).
        reason: why the run failed.
        status: exit status of a process that executes only this run: 1, or 2 for bad input found only with the data.
    """

    ending: Ending
    reason: str = ""
    status: int = 0


def execute(path: Path, run: Run, stop: ranks.Stop, level: Level = "quiet") -> Outcome:
    """Start or resume a run, and record a failure in the study; the outcome is the same on every rank.

    Args:
        path: the study's folder.
        run: one of its runs.
        stop: ends the run after its round, with a checkpoint.
        level: what to print; a quiet run draws its figure only on request.
    """
    from dfedsam.errors import RunError, reason
    from dfedsam.lock import FolderInUse

    study = Study(path)
    try:
        experiment = run.build()
        return _execute(study, run, experiment, experiment.connect(), stop, level)
    except FolderInUse as error:
        return Outcome("elsewhere", str(error))
    except (RunError, ValueError, OSError) as error:
        outcome = Outcome("failed", reason(error), 2 if isinstance(error, ValueError) else 1)
    except Exception as error:
        traceback.print_exc()
        outcome = Outcome("failed", f"{type(error).__name__}: {error}", 1)
    if mpi_rank() == 0:
        with suppress(OSError):  # a full disk may be the reason itself
            study.fail(run, outcome.reason, outcome.status)
    ranks.end_together(f"dfedsam: {run.name}: {outcome.reason}", outcome.status)
    return outcome


def _execute(
    study: Study, run: Run, experiment: Experiment, communicator: Communicator, stop: ranks.Stop, level: Level
) -> Outcome:
    from dfedsam.callbacks.base import INTERRUPTED, on_root
    from dfedsam.launch.execute import execute as execute_run

    folder = study.folder(run)
    with ExitStack() as stack:

        def prepare() -> str:
            action = study.pending(run, experiment)
            if action != "done":
                folder.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(folder.writing())
                stack.callback(folder.remove_unstarted)  # a run that fails before its first checkpoint leaves nothing
                action = study.pending(run, experiment)  # another process may have executed it until now
                study.clear_failure(run)
            return action

        action = on_root(communicator, prepare)
        if action == "done":
            return Outcome("done")
        execution = run.settings.execution
        result = execute_run(
            experiment, folder, communicator, stop, resume=action == "resume", log=execution["log"],
            figure=execution["figure"] or (False if level == "quiet" else None), level=level,
        )  # fmt: skip
    if result.stopped == INTERRUPTED:
        return Outcome("stopped")
    if result.stopped is not None:
        error = f"stopped by its budget: {result.stopped}; raise it in the sweep's file, and rerun the sweep"
        on_root(communicator, lambda: study.fail(run, error, 1))
        return Outcome("failed", error, 1)
    return Outcome("done")


def execute_only(path: Path, sweep: Sweep, cell: Cell, run: Run, level: Level) -> int:
    """Execute a run in this process, or on all ranks of the MPI job to which it belongs.

    Returns:
        The exit status: 0 if it is done, or another process executes it; 75 if SIGUSR1 stopped it; 130 or 143 after
        another signal; 1 if it failed; 2 for bad input found only with the data.

    Raises:
        ValueError: if the runs do not have the metric of a search.
    """
    with ranks.Stop() as stop:
        outcome = execute(path, run, stop, level)
    if mpi_rank() == 0:
        if outcome.ending != "stopped" and level != "quiet":
            print(f"{run.name}: {outcome.ending}{': ' * bool(outcome.reason)}{outcome.reason}", flush=True)
        if outcome.ending == "done" and sweep.search:
            Study(path).select(cell, sweep.search)
    return stop.status if outcome.ending == "stopped" else outcome.status
