"""Executes a run, for `run`, `resume`, sweeps and SLURM tasks alike, with notes before it and a summary after it."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

from dfedsam.callbacks.base import INTERRUPTED, Callback
from dfedsam.callbacks.progress import size
from dfedsam.errors import OptionError, one_line, reason
from dfedsam.launch import ranks
from dfedsam.run_folder import CHECKPOINT, CONFIG, METRICS, PROMPT, REFERENCES, TOPOLOGY, Row, RunFolder

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
_LINES = {
    "loss": ("loss of the mean", "{:.5g}"),
    "accuracy": ("accuracy of the mean", "{:.1%}"),
    "validation_accuracy": ("accuracy on validation examples", "{:.1%}"),
    "accuracy_local": ("accuracy, mean over peers", "{:.1%}"),
    "accuracy_worst": ("accuracy, worst peer", "{:.1%}"),
    "consensus_distance": ("consensus distance", "{:.3g}"),
    "gamma": ("consensus step size γ", "{:.3g}"),
    "cosine": ("cosine with the gradient", "{:.3f}"),
    "gradient_norm": ("gradient norm of the mean", "{:.3g}"),
    "distance": ("distance to the optimum", "{:.3g}"),
    "regret": ("loss above the optimum", "{:.3g}"),
    "trace": ("trace of the Hessian", "{:.4g}"),
    "epsilon": ("privacy spent, ε", "{:.3g}"),
    "queries": ("queries per peer", "{:,.0f}"),
    "bytes": ("sent per peer", None),
    "time": ("simulated seconds", "{:,.4g}"),
    "idle": ("share of them idle", "{:.1%}"),
    "present": ("peers present", "{:.0%}"),
    "seconds": ("seconds", "{:.1f}"),
}
_FILES = {  # files of a run's folder and their contents
    CONFIG: "settings; `dfedsam run --config` repeats the run",
    TOPOLOGY: "graph and spectrum",
    METRICS: "metrics, one line per evaluation",
    REFERENCES: "reference metrics of the objective",
    CHECKPOINT: "state for `dfedsam resume`",
    PROMPT: "the mean of all peers",
    "prompt.txt": "its most likely tokens as text",
    "convergence.png": "figure",
    "convergence.pdf": "figure for print",
}


class Notes(Callback):
    """Prints notes on a run to standard error right before its first round."""

    def on_start(self, run: Run) -> None:
        if run.communicator.is_root:
            for note in notes(run.experiment):
                _note(note)


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
    every = [*topology.notes, bias if topology.biased else None, experiment.algorithm.note(topology)]
    attackers, gossip = experiment.attackers, experiment.algorithm.gossip_of_x()
    if attackers is not None and gossip is not None:
        every += [attackers.adversary.note(attackers.mask), gossip.note_attackers(topology, attackers.mask)]
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
    from dfedsam.callbacks.progress import Evaluations, Progress
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
        RunError: for a folder that cannot be written, on all ranks.
    """
    from dfedsam.communication import abort
    from dfedsam.errors import RunError

    communicator, taken = experiment.connect(), list[Path]()
    if isinstance(out, Iterator):
        out = _remember_last(out, taken)
    with ranks.Stop() as stop:
        try:
            if isinstance(out, Path) and resume and not is_free(out, communicator, stop, level):
                return stop.status
            result = execute(experiment, out, communicator, stop, resume=resume, log=log, figure=figure, level=level)
        except KeyboardInterrupt:  # the second one: end now
            abort(130)
        except BrokenPipeError:  # `dfedsam run … | head`
            raise
        except OSError as error:
            raise RunError(reason(error) + _resume_hint(out, taken)) from error
        except RunError as error:
            ranks.end_together(f"dfedsam: rank {communicator.rank}: {error}", 1)
            return _failed(error, out, "resume" if resume else "run") if communicator.is_root else 1
    return stop.status if result.stopped == INTERRUPTED else 0


def is_free(folder: Path, communicator: Communicator, stop: ranks.Stop, level: Level) -> bool:
    """Wait until a writer of a folder on another machine is certainly dead; False if a signal ended the wait.

    Raises:
        FolderInUse: on all ranks, if it lives.
    """
    from dfedsam.callbacks.base import on_root
    from dfedsam.lock import in_use, others_are_dead

    def wait() -> bool:
        dead = others_are_dead(folder, stop, _note if level != "quiet" else lambda _: None)
        if not dead and not stop():
            raise in_use(folder)
        return dead

    return on_root(communicator, wait)


def _remember_last(paths: Iterator[Path], taken: list[Path]) -> Iterator[Path]:
    """The same paths; `taken` holds the last one."""
    for path in paths:
        taken[:] = [path]
        yield path


def _resume_hint(out: Out, taken: Sequence[Path]) -> str:
    """How a run continues whose files could not be written; empty if it has no checkpoint."""
    path = out.path if isinstance(out, RunFolder) else Path(out) if isinstance(out, Path | str) else None
    folder = RunFolder(path or next(iter(taken), Path()))
    return f", then continue with: {resume_command(folder)}" if folder.checkpoint.is_file() else ""


def _failed(error: RunError, out: Out, command: str) -> int:
    """Print why a run could not continue, and return the exit status."""
    if error.__cause__ is not None or os.environ.get("DFEDSAM_TRACEBACK"):
        traceback.print_exception(error)
    kept = f"; the last checkpoint is kept in {out}" if isinstance(out, Path) and out.exists() else ""
    print(f"dfedsam {command}: {error}{kept}", file=sys.stderr)
    return 1


def _draw(folder: Path) -> None:
    """Draw the figure; a failure here does not affect the run."""
    try:
        from dfedsam.analysis import plot_run

        plot_run(folder)
    except Exception as error:
        again = f"dfedsam plot {quote(str(folder))}"
        _note(f"the figure could not be drawn ({one_line(error)}); {again} draws it")


def _say(result: Result) -> None:
    try:
        print(summary(result))
    except BrokenPipeError:  # `dfedsam run … | head`
        raise
    except (ValueError, KeyError, OSError) as error:
        _note(f"the summary could not be printed ({one_line(error)})")


def _note(text: str) -> None:
    print(f"dfedsam: note: {text}", file=sys.stderr, flush=True)


def summary(result: Result) -> str:
    """The summary of a run that wrote a folder."""
    folder, rows = RunFolder(result.folder or ""), result.rows
    out, first, last = folder.path, rows[0], rows[-1]
    shown = {key: line for key, line in _LINES.items() if key in last}
    table = [("", f"round {first['round']}", f"round {last['round']}")]
    table += [(name, _cell(form, first.get(key)), _cell(form, last[key])) for key, (name, form) in shown.items()]
    widths = [max(len(row[i]) for row in table) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in table]
    lines += _gossip(folder, last)
    if (attackers := result.experiment.attackers) is not None:
        lines.append(f"attack: {attackers}; metrics are of the other {(~attackers.mask).sum()}")
    for name, value in folder.read_references().items():
        words = name.replace("zero_shot", "zero-shot").replace("first_order", "first-order").replace("_", " ")
        lines.append(f"{words}: {_cell('{:.1%}' if 'accuracy' in name else '{:.5g}', value)}")
    if result.stopped == INTERRUPTED:
        lines.append(f"stopped as requested; continue with: {resume_command(folder)}")
    elif result.stopped is not None:
        lines.append(f"stopped by its budget: {result.stopped}")
        lines.append(f"to continue, raise the budget in {folder.config}, then run: {resume_command(folder)}")
    width = len(str(out)) + 1 + max(map(len, _FILES))
    lines += ["", *(f"{out / name!s:<{width}}  {what}" for name, what in _FILES.items() if (out / name).exists())]
    if not (out / "convergence.png").exists():
        lines.append(f"to draw the figure: dfedsam plot {quote(str(out))}")
    return "\n".join(["", *lines])


def resume_command(folder: RunFolder) -> str:
    """The command that continues a run; it says that its import paths may be imported, if it has any."""
    from dfedsam.launch.options import read_file

    command = f"dfedsam resume {quote(str(folder.path))}"
    try:
        read_file(str(folder.config))
    except ValueError:
        return f"{command} --allow-code"
    return command


def _gossip(folder: RunFolder, last: Row) -> list[str]:
    """The gossip's effective λ_Q, compared with that of as many steps of plain gossip, or its measured contraction."""
    mixing = folder.read_topology().get("gossip")
    if mixing is None:
        return []
    rate, plain, words = mixing["lambda_q"], mixing["plain"], []
    before, after = last["consensus_distance_before_gossip"], last["consensus_distance"]
    if "exact_after" in mixing:
        rounds = mixing["exact_after"]
        words, plain = [f"all peers know an update after {rounds} round{'s' * (rounds != 1)}"], None
    elif rate is not None:
        words, plain = [f"λ_Q = {rate:.3g}"], None if rate == plain else plain
    elif before > 0:
        words = [f"measured contraction {(after / before) ** 0.5:.3g}"]
    if plain is not None:
        words.append(f"(plain: λ_Q = {plain:.3g})" if rate is None else f"(plain: {plain:.3g})")
    return [f"gossip: {mixing['name']}, Q = {mixing['steps']}: {' '.join(words)}"]


def _cell(form: str | None, value: Any) -> str:
    if value is None:
        return "–"
    if not isinstance(value, (int, float)):
        return str(value)
    return form.format(value) if form else size(value)
