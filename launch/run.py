"""`dfedsam run`: build the plug-ins, play the rounds, say how it went."""

from __future__ import annotations

import itertools
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from dfedsam.launch import loggers, options, ranks

if TYPE_CHECKING:
    from dfedsam.errors import RunError
    from dfedsam.simulation import Simulation

ABOUT = """Run an experiment: peers on a graph minimise an objective by queries alone, take local steps, and average
with their neighbours. The run's folder gets its settings, metrics, checkpoint and the mean prompt."""
EXAMPLES = """examples:
  dfedsam run --topology ring --peers 16 --algorithm DFedSAM --algorithm.rho 0.05 --rounds 100 --out runs/a
  dfedsam run --algorithm DFedSAMMG --algorithm.gossip.steps 4 --algorithm.estimator two_point
  dfedsam run --objective prompt_tuning --objective.data train.csv --objective.words "terrible, great"
  dfedsam run --config demo.yaml --topology grid --ranks 4

A plug-in's own options follow a dot: --algorithm.help lists algorithms, --algorithm.help DFedSAM the options of one.
In a file a plug-in is a name, or {class_path: NAME, init_args: {…}}. A yes-or-no option alone means yes."""
Note = Callable[[Exception, int], None]
FIGURE_AFTER = 10.0  # seconds of a run from which drawing its figure by itself is worth the time


def main(argv: list[str]) -> int:
    """Run `dfedsam run ARGV`."""
    settings = options.parse(argv, ABOUT, EXAMPLES)
    if settings is None:
        return 0
    loggers.check(settings.own["log"])
    simulation = build(settings)
    out = settings.own["out"]
    if out is None:
        out = _fresh(settings)
    elif Path(out).exists():
        raise ValueError(
            f"out is {out}: it is there already and is never overwritten; choose another folder, or go on with it by "
            f"`dfedsam resume {out}`"
        )
    starts = launches(settings, simulation)
    say_notes(simulation)
    if settings.own["draw_split"] and ranks.rank() == 0 and ranks.ASKED not in os.environ:
        print(draw_split(simulation, settings.own["draw_split"]))
    if starts:
        return ranks.start(settings.own["ranks"], ["run", *argv, "--out", str(out)])
    simulation.out = Path(out)
    return play(simulation, settings)


def build(settings: options.Settings) -> Simulation:
    """The simulation that was asked for, with its topology; all that can be checked without data is checked.

    Raises:
        ValueError: for a topology that cannot be built, or a value out of range.
    """
    from dfedsam.simulation import Simulation

    return Simulation(topology=options.topology(settings), **settings.simulation)


def launches(settings: options.Settings, simulation: Simulation) -> bool:
    """Whether the command must start itself again under mpirun; in a job already, the world's size is checked.

    Raises:
        ValueError: if ranks is below 1, above the number of peers, or not the size of the job.
    """
    count = settings.own["ranks"]
    check_ranks(count, simulation.topology.n)
    if count is None:
        return False
    if not ranks.in_job():
        return count > 1
    if ranks.size() not in (count, None):
        raise ValueError(f"ranks is {count}: this MPI job has {ranks.size()}; leave --ranks out, or start {count}")
    os.environ[ranks.ASKED] = str(count)  # for communicator.connect to check
    return False


def check_ranks(count: int | None, peers: int) -> None:
    """Raise ValueError unless that many ranks, None for one, can play the peers."""
    if count is not None and not 1 <= count <= peers:
        raise ValueError(f"ranks is {count}: it must be at least 1 and at most the number of peers, {peers}")


def play(simulation: Simulation, settings: options.Settings, *, resume: bool = False, note: Note | None = None) -> int:
    """Run the rounds with live progress, then print the final figures and what was written.

    Args:
        simulation: what is played, with its folder.
        settings: what was asked for.
        resume: go on from the folder's checkpoint.
        note: told why a run fails, and its exit status.

    Returns:
        The exit status: 0, also for a run that was asked to stop and can be resumed; 1 for one that could not go on.
    """
    from dfedsam.communication import abort
    from dfedsam.errors import RunError
    from dfedsam.launch.progress import progress

    communicator = simulation.communicator = simulation.communicator or simulation.connect()
    simulation.out = out = Path(communicator.broadcast(str(simulation.out)))
    began = time.perf_counter()
    try:
        with ExitStack() as stack:
            simulation.stop = stack.enter_context(ranks.Stop())
            tells = [stack.enter_context(progress(communicator.is_root))]
            if communicator.is_root:
                tells += loggers.start(stack, settings.own["log"], out, simulation.description(), resume=resume)
            simulation.progress = loggers.each(tells)
            rows = simulation.run(resume=resume)
    except KeyboardInterrupt:  # the second one: end now
        abort(130)
    except (RunError, ValueError) as error:
        if note is not None:
            note(error, 1 if isinstance(error, RunError) else 2)
        if not ranks.all_come_here():
            print(f"dfedsam: rank {communicator.rank}: {error}", file=sys.stderr)
            abort(1)
        if isinstance(error, ValueError):
            raise
        return _failed(error, out) if communicator.is_root else 1
    if communicator.is_root:
        from dfedsam.launch.summary import summary

        figure = settings.own["figure"]
        if figure or (figure is None and time.perf_counter() - began > FIGURE_AFTER):
            from dfedsam.analysis import plot_run

            plot_run(out)
        print(summary(out, rows, simulation.interrupted, simulation.spent))
    return 0


def say_notes(simulation: Simulation) -> None:
    """What a user should know before the rounds, on standard error; from the root, and once where it starts ranks."""
    if ranks.rank() == 0 and ranks.ASKED not in os.environ:
        for note in notes(simulation):
            print(f"dfedsam: note: {note}", file=sys.stderr)


def notes(simulation: Simulation) -> list[str]:
    """What a user should know of a run before it starts."""
    found = (_bias(simulation), simulation.algorithm.note(simulation.topology))
    return [note for note in found if note is not None]


def _bias(simulation: Simulation) -> str | None:
    if not simulation.topology.biased:
        return None
    return (
        "this topology is biased: only the rows of W sum to one, so peers agree on an average that counts some of them "
        "more than others; keep its gap out of comparisons"
    )


def draw_split(simulation: Simulation, path: str) -> Path:
    """Draw how the objective's examples are dealt to the peers; returns the file.

    Raises:
        ValueError: if the objective has no classes, or the file has another ending than a figure's.
    """
    try:
        names, counts = simulation.objective.class_counts(simulation.topology.n, simulation.seed)
    except ValueError as error:
        raise ValueError(f"draw_split is {path}: {error}") from error
    from dfedsam.analysis import draw_split as draw
    from dfedsam.analysis import save

    return save(draw(counts, names), path)[0]


def _failed(error: RunError, out: Path) -> int:
    if error.__cause__ is not None or os.environ.get("DFEDSAM_TRACEBACK"):
        traceback.print_exception(error)
    print(f"dfedsam run: {error}; the last checkpoint is kept in {out}", file=sys.stderr)
    return 1


def _fresh(settings: options.Settings) -> Path:
    """A folder under runs/ that is not there yet, named after graph and algorithm."""
    topology = settings.topology
    graph = Path(topology["init_args"].get("path") or topology["class_path"].rpartition(".")[2]).stem
    stem = f"{graph}-{type(settings.simulation['algorithm']).__name__}"
    return next(path for n in itertools.count(1) if not (path := Path("runs", f"{stem}-{n}")).exists())
