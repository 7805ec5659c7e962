"""Executes a run, for `run`, `resume`, sweeps and SLURM tasks alike."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

from dfedsam.callbacks.base import INTERRUPTED, Callback
from dfedsam.errors import OptionError
from dfedsam.launch import ranks

if TYPE_CHECKING:
    from dfedsam.callbacks.base import Run
    from dfedsam.callbacks.files import Out
    from dfedsam.communication.base import Communicator
    from dfedsam.errors import RunError
    from dfedsam.experiment import Experiment
    from dfedsam.result import Result

FIGURE_AFTER = 10.0  # seconds; shorter runs draw their figure only on request
Level = Literal["quiet", "normal", "verbose"]
"""What a run prints besides errors: nothing; notes, progress and a summary; or also every evaluation."""


class Notes(Callback):
    """Prints notes on a run to standard error right before its first round."""

    def on_start(self, run: Run) -> None:
        if run.communicator.is_root:
            for note in notes(run.experiment):
                _note(note)


class Evaluations(Callback):
    """Prints every evaluation with all its metrics."""

    def after_round(self, run: Run) -> None:
        if run.row is not None and run.communicator.is_root:
            metrics = ", ".join(f"{name} {value:.6g}" for name, value in run.row.items() if name != "round")
            print(f"round {run.round}/{run.experiment.rounds}: {metrics}", flush=True)


def level(quiet: bool, verbose: bool) -> Level:
    """What to print. Raises OptionError for both options at once."""
    if quiet and verbose:
        raise OptionError("quiet", True, "must not be given with --verbose", "give one of them")
    return "quiet" if quiet else "verbose" if verbose else "normal"


def notes(experiment: Experiment) -> list[str]:
    """Notes on a run for the user, before it starts."""
    topology = experiment.topology
    bias = (
        "this topology is biased: only the rows of W sum to one, so peers agree on an average that weights some "
        "peers more than others; exclude its gap from comparisons"
    )
    every = (*topology.notes, bias if topology.biased else None, experiment.algorithm.note(topology))
    return [note for note in every if note is not None]


def execute(
    experiment: Experiment, out: Out, communicator: Communicator, stop: ranks.Stop,
    *, resume: bool, log: str | None, figure: bool | None, level: Level,
) -> Result:  # fmt: skip
    """Execute a run with progress, loggers, a figure and a summary.

    Args:
        experiment: the experiment.
        out: its folder, as `dfedsam.simulation.run` takes it.
        communicator: the partition of peers over ranks.
        stop: ends the run after its round, with a checkpoint.
        resume: continue from the folder's checkpoint.
        log: services that also receive the metrics, as in `--log`.
        figure: whether to draw the figure into the folder; None: after FIGURE_AFTER, unless a signal stopped the run.
        level: what to print.

    Raises:
        OptionError: for bad input.
        FileError: for a folder that is damaged, in use or cannot be written.
        RunError: if the run cannot continue; its last checkpoint is kept.
    """
    from dfedsam.callbacks.loggers import Logger, services
    from dfedsam.callbacks.progress import Progress
    from dfedsam.callbacks.rounds import Interrupt
    from dfedsam.simulation import run

    shown = Evaluations() if level == "verbose" else Progress()
    callbacks = [*([] if level == "quiet" else [Notes(), shown]), *map(Logger, services(log)), Interrupt(stop)]
    start = time.perf_counter()
    result = run(experiment, out=out, resume=resume, callbacks=callbacks, communicator=communicator)
    if communicator.is_root and result.folder is not None:
        slow = result.stopped != INTERRUPTED and time.perf_counter() - start > FIGURE_AFTER
        if figure or (figure is None and slow):
            _draw(result.folder)
        if level != "quiet":
            _say(result)
    return result


def as_command(
    experiment: Experiment, out: Out, *, resume: bool = False, log: str | None, figure: bool | None, level: Level
) -> int:
    """Execute a run as a command does.

    Returns:
        The exit status: 0; 1 for a run that could not continue; 130, 143 or 75 for one stopped by a signal.

    Raises:
        ValueError: for bad input, on all ranks.
        OSError: for a folder that cannot be written, on all ranks.
    """
    from dfedsam.communication import abort
    from dfedsam.errors import RunError

    communicator = experiment.connect()
    with ranks.Stop() as stop:
        try:
            result = execute(experiment, out, communicator, stop, resume=resume, log=log, figure=figure, level=level)
        except KeyboardInterrupt:  # the second one: end now
            abort(130)
        except RunError as error:
            ranks.end_together(f"dfedsam: rank {communicator.rank}: {error}", 1)
            return _failed(error, out) if communicator.is_root else 1
    return stop.status if result.stopped == INTERRUPTED else 0


def _failed(error: RunError, out: Out) -> int:
    """Print why a run could not continue, and return the exit status."""
    if error.__cause__ is not None or os.environ.get("DFEDSAM_TRACEBACK"):
        traceback.print_exception(error)
    kept = f"; the last checkpoint is kept in {out}" if isinstance(out, Path) and out.exists() else ""
    print(f"dfedsam run: {error}{kept}", file=sys.stderr)
    return 1


def _draw(folder: Path) -> None:
    """Draw the figure; a failure here does not affect the run."""
    try:
        from dfedsam.analysis import plot_run

        plot_run(folder)
    except Exception as error:
        again = f"dfedsam plot {quote(str(folder))}"
        _note(f"the figure could not be drawn ({' '.join(str(error).split())}); {again} draws it")


def _say(result: Result) -> None:
    try:
        from dfedsam.launch.summary import summary

        print(summary(result))
    except BrokenPipeError:  # `dfedsam run … | head`
        raise
    except (ValueError, KeyError, OSError) as error:
        _note(f"the summary could not be printed ({' '.join(str(error).split())})")


def _note(text: str) -> None:
    print(f"dfedsam: note: {text}", file=sys.stderr)
