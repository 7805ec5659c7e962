"""`dfedsam run` and `dfedsam resume`: build the experiment, and execute it here or on ranks."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from dfedsam.errors import OptionError
from dfedsam.experiment import Experiment
from dfedsam.launch import arguments, help, options, ranks
from dfedsam.launch.arguments import Pair
from dfedsam.launch.execute import as_command, level, resume_command
from dfedsam.launch.options import build, check_ranks
from dfedsam.launch.signatures import MissingValue
from dfedsam.machine import ASKED_RANKS, in_mpi_job, mpi_rank, mpi_size
from dfedsam.options import whole_number
from dfedsam.run_folder import RunFolder

_RESERVED = "DFEDSAM_RESERVED"  # the folder that the parent process has created for its ranks


def run(argv: list[str]) -> int:
    """Run an experiment: peers on a graph minimise an objective with queries and gossip.

    Peers query losses or class scores, take local steps, and average with their neighbours. Settings, metrics, a
    checkpoint and the mean prompt are written to the run's folder.

    Options of a plug-in follow a dot, as in --algorithm.rho. --algorithm.help lists all algorithms, --algorithm.help
    dfedsam the options of one. In a file, write a plug-in as its name or as {class_path: NAME, init_args: {…}}. If you
    replace a plug-in from a file, options shared by both keep the file's values. A yes-or-no option without a value
    means yes.

    Examples:
        dfedsam run --topology ring --peers 16 --algorithm dfedsam --algorithm.rho 0.05 --rounds 100 --out runs/a
        dfedsam run --algorithm dfedsam_mg --algorithm.gossip.steps 4 --algorithm.estimator two_point
        dfedsam run --objective prompt_tuning --objective.data train.csv --objective.words "terrible, great"
        dfedsam run --config demo.yaml --topology grid --ranks 4
    """
    from dfedsam.callbacks.files import exists_already
    from dfedsam.callbacks.loggers import services

    words, pairs = arguments.split(argv, [*options.FLAGS, "help"])
    text = help.answer(pairs, lambda: help.run_help(run))
    if text is not None:
        print(text)
        return 0
    settings = parse(words, pairs)
    if settings is None:
        return 0
    execution = settings.execution
    whole_number("restarts", execution["restarts"], 0)
    services(execution["log"])
    shown = level(execution["quiet"], execution["verbose"])
    out = None if execution["out"] is None else Path(execution["out"])
    reserved = os.environ.get(_RESERVED) == str(out)
    if out is not None and out.exists() and not reserved:
        raise exists_already(out)
    experiment = build(settings)
    starts = _starts_ranks(execution["ranks"], experiment.topology.n)
    if execution["draw_split"] and mpi_rank() == 0 and ASKED_RANKS not in os.environ:
        print(_draw_split(experiment, execution["draw_split"]))
    if starts:
        return _start(argv, out, experiment, execution)
    folder = RunFolder(out) if reserved and out else out or _fresh_folders(experiment)
    return as_command(experiment, folder, log=execution["log"], figure=execution["figure"], level=shown)


def parse(words: list[str], pairs: list[Pair]) -> options.Settings | None:
    """Settings from a command line's words that belong to no option, and its options; None if it prints them.

    Raises:
        ValueError: for invalid options, in one line.
    """
    if words:
        raise MissingValue(words[0], arguments.NO_OPTION)
    flags = dict(pairs)
    files = [options.read_file(value, code="allow_code" in flags) for option, value in pairs if option == "config"]
    typed = [pair for pair in pairs if pair[0] not in options.ACTIONS]
    settings = options.read(files, typed, endpoint="allow_endpoint" in flags)
    if "print_config" in flags:
        print(options.to_yaml(settings), end="")
        return None
    return settings


def resume(
    folder: Path,
    *,
    rounds: int | None = None,
    until: float | None = None,
    ranks: int | None = None,
    placement: Literal["contiguous", "reorder", "metis"] | None = None,
    log: str | None = None,
    figure: bool | None = None,
    restarts: int = 0,
    quiet: bool = False,
    verbose: bool = False,
    allow_code: bool = False,
    allow_endpoint: bool = False,
) -> int:
    """Continue a stopped or killed run from its last checkpoint, or extend it by more rounds or simulated seconds.

    The result is bit for bit that of an uninterrupted run. The settings are those of the folder's config.yaml.

    Args:
        folder: a run's folder.
        rounds: total number of rounds, to extend the run (default: as it was started).
        until: simulated seconds in all, to extend a run that they end (default: as it was started).
        ranks: MPI ranks on this machine; the number may differ from before (default: this process alone).
        placement: which rank owns which peers (default: as it was started).
        log: also send metrics to tensorboard, wandb or mlflow.
        figure: draw the convergence figure into the folder (default: if the run takes more than ten seconds).
        restarts: how often to continue from the last checkpoint, on one rank fewer, after a rank was lost.
        quiet: print nothing but errors.
        verbose: print every evaluation with all its metrics, instead of the progress.
        allow_code: allow import paths of your own plug-ins in the folder's settings; this runs their code.
        allow_endpoint: let the folder's settings choose where prompts, texts and a key are sent, even if you have not
            typed that address before.

    Examples:
        dfedsam resume runs/a
        dfedsam resume runs/a --rounds 200 --ranks 4
    """
    from dfedsam.callbacks.loggers import services
    from dfedsam.launch.ranks import start

    whole_number("restarts", restarts, 0)
    services(log)
    shown = level(quiet, verbose)
    RunFolder(folder).read_config()
    tree = options.read_file(str(RunFolder(folder).config), code=allow_code)
    changed = {"rounds": rounds, "until": until, "ranks": ranks, "placement": placement}
    pairs: list[Pair] = [(name, str(value)) for name, value in changed.items() if value is not None]
    experiment = build(options.read([tree], pairs, endpoint=allow_endpoint))
    if _starts_ranks(ranks, experiment.topology.n) and ranks is not None:
        kept = {"placement": placement, "log": log, "figure": figure, "quiet": quiet or None}
        shared = {"verbose": verbose or None, "allow_code": allow_code or None, **kept}
        argv = _resume(folder, rounds=rounds, until=until, **shared)
        return _say_if_lost(start(ranks, argv, restarts=restarts, again=lambda _: argv), RunFolder(folder), ranks)
    return as_command(experiment, folder, resume=True, log=log, figure=figure, level=shown)


def _start(argv: list[str], out: Path | None, experiment: Experiment, execution: dict[str, Any]) -> int:
    """Start the ranks of a run, after creating its folder so that no other run takes it."""
    from dfedsam.callbacks.files import make_folder

    folder = make_folder(out or _fresh_folders(experiment))
    os.environ[_RESERVED] = str(folder.path)
    more = {
        "log": execution["log"],
        "figure": execution["figure"],
        "quiet": execution["quiet"] or None,
        "verbose": execution["verbose"] or None,
        "allow_code": True,  # of a user who has typed the import paths, or trusts the file that has them
    }
    command = ["run", *argv, "--out", str(folder.path)]

    def again(count: int) -> list[str]:
        return _resume(folder.path, **more) if folder.config.is_file() else [*command, "--ranks", str(count)]

    try:
        status = ranks.start(execution["ranks"], command, restarts=execution["restarts"], again=again)
    finally:
        del os.environ[_RESERVED]
        folder.remove_unstarted()
    return _say_if_lost(status, folder, execution["ranks"])


def _say_if_lost(status: int, folder: RunFolder, count: int) -> int:
    """Print how to continue a job on so many ranks if it lost one; returns its exit status."""
    if ranks.is_lost(status):
        again = "it had no checkpoint yet: start it again"
        if folder.checkpoint.is_file():
            again = f"continue from the last checkpoint with: {resume_command(folder)} --ranks {count}"
        print(f"dfedsam: a rank was lost ({ranks.how(status)}); {again}", file=sys.stderr)
    return status


def _resume(folder: Path, **values: Any) -> list[str]:
    """The command line that continues a run with these options, except None; its addresses are confirmed already."""
    options = (f"--{name}={value}" for name, value in values.items() if value is not None)
    return ["resume", str(folder), *options, "--allow_endpoint=True"]


def _starts_ranks(count: int | None, peers: int) -> bool:
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


def _draw_split(experiment: Experiment, path: str) -> Path:
    """Draw how the objective's examples are partitioned over the peers, and return the file.

    Raises:
        ValueError: if the objective has no classes, or the file name has no suffix of a figure.
    """
    from dfedsam.analysis import check_format, draw_split as draw, save

    check_format(path, "draw_split")
    try:
        names, counts = experiment.objective.class_counts(experiment.topology.n, experiment.seed)
    except ValueError as error:
        raise OptionError("draw_split", path, f"cannot be drawn: {error}") from error
    return save(draw(counts, names), path)[0]


def _fresh_folders(experiment: Experiment) -> Iterator[Path]:
    """Numbered folders under runs/, named after graph and algorithm."""
    description = experiment.description()
    topology = description["topology"]
    graph = Path(str(topology.get("init_args", {}).get("path") or topology["class_path"].rpartition(".")[2])).stem
    stem = f"{graph}-{description['algorithm']['class_path'].rpartition('.')[2]}"
    return (Path("runs", f"{stem}-{n}") for n in itertools.count(1))
