"""`dfedsam run` and `dfedsam resume`: build the experiment, and execute it here or on ranks."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam.errors import OptionError
from dfedsam.launch import options, ranks
from dfedsam.machine import ASKED_RANKS, in_mpi_job, mpi_rank, mpi_size
from dfedsam.run_folder import RunFolder

if TYPE_CHECKING:
    from dfedsam.experiment import Experiment
    from dfedsam.topologies.placement import Placement

_RESERVED = "DFEDSAM_RESERVED"  # the folder that the parent process has created for its ranks


def main(argv: list[str], about: str = "", examples: str = "") -> int:
    """Run `dfedsam run ARGV`."""
    from dfedsam.callbacks.files import exists_already
    from dfedsam.callbacks.loggers import services
    from dfedsam.launch.execute import as_command

    settings = options.parse(argv, about, examples)
    if settings is None:
        return 0
    own = settings.own
    services(own["log"])
    out = None if own["out"] is None else Path(own["out"])
    reserved = os.environ.get(_RESERVED) == str(out)
    if out is not None and out.exists() and not reserved:
        raise exists_already(out)
    experiment = build(settings)
    starts = starts_ranks(own["ranks"], experiment.topology.n)
    say_notes(experiment)
    if own["draw_split"] and _is_first():
        print(draw_split(experiment, own["draw_split"]))
    if starts:
        return _start(argv, out, experiment, own)
    folder = RunFolder(out) if reserved and out else out or fresh_folders(experiment)
    return as_command(experiment, folder, log=own["log"], figure=own["figure"])


def resume(
    folder: Path,
    *,
    rounds: int | None = None,
    ranks: int | None = None,
    placement: Placement | None = None,
    log: str | None = None,
    figure: bool | None = None,
    restarts: int = 0,
    allow_code: bool = False,
) -> int:
    """Continue a run from its last checkpoint; the arguments are those of `dfedsam resume`."""
    from dfedsam.callbacks.loggers import services
    from dfedsam.launch.execute import as_command
    from dfedsam.launch.ranks import start

    services(log)
    RunFolder(folder).read_config()
    tree = options.read_file(str(RunFolder(folder).config), code=allow_code)
    changed = {"rounds": rounds, "ranks": ranks, "placement": placement}
    pairs: list[options.Pair] = [(name, str(value)) for name, value in changed.items() if value is not None]
    experiment = build(options.read([tree], pairs))
    starts = starts_ranks(ranks, experiment.topology.n)
    say_notes(experiment)
    if starts and ranks is not None:
        more = [f"--{name}={value}" for name, value in (*pairs, ("log", log), ("figure", figure)) if value is not None]
        more = [word for word in more if not word.startswith("--ranks")] + ["--allow_code"] * allow_code
        argv = ["resume", str(folder), *more]
        return start(ranks, argv, restarts=restarts, again=lambda _: argv)
    return as_command(experiment, folder, resume=True, log=log, figure=figure)


def _start(argv: list[str], out: Path | None, experiment: Experiment, own: dict[str, Any]) -> int:
    """Start the ranks of a run, after creating its folder so that no other run takes it."""
    from dfedsam.callbacks.files import make_folder

    folder = make_folder(out or fresh_folders(experiment))
    os.environ[_RESERVED] = str(folder.path)
    more = [f"--{name}={own[name]}" for name in ("log", "figure") if own[name] is not None]
    resume = ["resume", str(folder.path), *more, *(word for word in argv if word == "--allow_code")]
    try:
        command = ["run", *argv, "--out", str(folder.path)]

        def again(count: int) -> list[str]:
            return resume if folder.config.is_file() else [*command, "--ranks", str(count)]

        return ranks.start(own["ranks"], command, restarts=own["restarts"], again=again)
    finally:
        del os.environ[_RESERVED]
        folder.remove_unstarted()


def build(settings: options.Settings) -> Experiment:
    """Build the experiment, and check everything that can be checked without data.

    Raises:
        ValueError: for a topology that cannot be built, or a value out of range.
    """
    from dfedsam.experiment import Experiment

    return Experiment(topology=options.topology(settings), **settings.simulation)


def starts_ranks(count: int | None, peers: int) -> bool:
    """Whether the command must restart itself under mpirun; inside an MPI job, check the number of ranks.

    Raises:
        OptionError: if `count` is below 1, above the number of peers, or not the size of the job.
    """
    check_ranks(count, peers)
    if count is None:
        return False
    if not in_mpi_job():
        return count > 1
    if mpi_size() not in (count, None):
        hint = f"leave --ranks out, or start {count}"
        raise OptionError("ranks", count, f"must be the size of this MPI job, {mpi_size()}", hint)
    os.environ[ASKED_RANKS] = str(count)  # for communication.connect to check
    return False


def check_ranks(count: int | None, peers: int) -> None:
    """Raise OptionError unless the peers can be divided among `count` ranks (None: one)."""
    if count is not None and not 1 <= count <= peers:
        raise OptionError("ranks", count, f"must be at least 1 and at most the number of peers, {peers}")


def say_notes(experiment: Experiment) -> None:
    """Print notes on a run to standard error before the rounds, only once if ranks are started."""
    if _is_first():
        for note in notes(experiment):
            print(f"dfedsam: note: {note}", file=sys.stderr)


def _is_first() -> bool:
    """Whether no process has printed the notes on this run yet."""
    return mpi_rank() == 0 and ASKED_RANKS not in os.environ


def notes(experiment: Experiment) -> list[str]:
    """Notes on a run for the user, before it starts."""
    topology = experiment.topology
    all_notes = (*topology.notes, _bias(experiment), experiment.algorithm.note(topology))
    return [note for note in all_notes if note is not None]


def _bias(experiment: Experiment) -> str | None:
    if not experiment.topology.biased:
        return None
    return (
        "this topology is biased: only the rows of W sum to one, so peers agree on an average that weights some "
        "peers more than others; exclude its gap from comparisons"
    )


def draw_split(experiment: Experiment, path: str) -> Path:
    """Draw how the objective's examples are partitioned over the peers, and return the file.

    Raises:
        ValueError: if the objective has no classes, or the file name has no suffix of a figure.
    """
    try:
        names, counts = experiment.objective.class_counts(experiment.topology.n, experiment.seed)
    except ValueError as error:
        raise OptionError("draw_split", path, f"cannot be drawn: {error}") from error
    from dfedsam.analysis import draw_split as draw
    from dfedsam.analysis import save

    return save(draw(counts, names), path)[0]


def fresh_folders(experiment: Experiment) -> Iterator[Path]:
    """Numbered folders under runs/, named after graph and algorithm."""
    description = experiment.description()
    topology = description["topology"]
    graph = Path(str(topology.get("init_args", {}).get("path") or topology["class_path"].rpartition(".")[2])).stem
    stem = f"{graph}-{description['algorithm']['class_path'].rpartition('.')[2]}"
    return (Path("runs", f"{stem}-{n}") for n in itertools.count(1))
