"""Writes the run's folder: settings and topology first, then rows and checkpoints, finally the mean model."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shlex import quote

from dfedsam import checkpoint, state, theory, topologies
from dfedsam.callbacks.base import Callback, Run, on_every_rank, on_root
from dfedsam.callbacks.evaluation import mean_model, total_counts
from dfedsam.communication.base import Communicator
from dfedsam.context import QueryCounter
from dfedsam.errors import FileError, OptionError
from dfedsam.experiment import Experiment
from dfedsam.run_folder import Row, RunFolder, is_run, run_again

Out = Path | str | RunFolder | Iterator[Path]
_QUERIES, _GRADIENTS = "meter.queries", "meter.gradients"  # the query counter's arrays in a checkpoint
_KEPT = "kept."  # before the names of arrays that callbacks keep
_NOTE = {
    "experiment": str,
    "round": int,
    "seconds": float,
    "messages": int,
    "bytes": int,
    "counts": dict,
    "evaluations": int,
}


@contextmanager
def open_folder(
    out: Out | None, communicator: Communicator, *, resume: bool
) -> Generator[RunFolder | None, None, None]:
    """Create or, to resume, open a run's folder, and lock it for the duration of the run.

    `out` is its path, an iterator of paths of which the first free one is used, or an existing RunFolder.

    Raises:
        OptionError: if the folder of a new run exists already, or cannot be created.
        FolderInUse: if another process writes it.
    """
    if out is None:
        yield None
        return
    with ExitStack() as stack:

        def take() -> Path:
            new = not (resume or isinstance(out, RunFolder))
            folder = out if isinstance(out, RunFolder) else make_folder(out) if new else RunFolder(_path(out))
            if new:
                stack.callback(folder.remove_unstarted)  # a run that fails before its first checkpoint leaves nothing
            stack.enter_context(folder.writing())
            return folder.path

        yield RunFolder(on_root(communicator, take))


def _path(out: Path | str | Iterator[Path]) -> Path:
    return Path(out) if isinstance(out, Path | str) else next(out)


def make_folder(out: Path | str | Iterator[Path]) -> RunFolder:
    """Create the folder of a new run; of an iterator's paths the first free one.

    Raises:
        OptionError: if it exists already, or cannot be created.
    """
    chosen = isinstance(out, Path | str)
    while True:
        path = _path(out)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if chosen:
                raise exists_already(path) from None
        except OSError as error:
            raise OptionError("out", path, f"must be a folder that can be created ({error.strerror})") from None
        else:
            return RunFolder(path)


def exists_already(path: Path) -> OptionError:
    """The error if the folder of a new run exists already."""
    hint = "choose another folder"
    if is_run(path):
        hint += f", or continue that run by `dfedsam resume {quote(str(path))}`"
    return OptionError("out", path, "must not exist yet, since nothing is ever overwritten", hint)


def restore(run: Run, folder: RunFolder) -> None:
    """Restore a run from its folder's checkpoint; nothing is written.

    A run that was killed before its first checkpoint starts again.

    Raises:
        FileError: if the checkpoint or the metrics are damaged, or do not belong together.
        OptionError: if it belongs to another experiment.
    """
    communicator = run.communicator
    if on_root(communicator, folder.is_unstarted):
        return
    arrays, note = on_every_rank(communicator, lambda: checkpoint.load(folder.checkpoint, communicator))
    _check_note(folder, note, run.experiment)
    try:
        run.counter = QueryCounter(arrays[_QUERIES], arrays[_GRADIENTS])
        run.state = state.with_arrays(run.state, arrays)
    except KeyError as error:
        raise FileError(folder.checkpoint, f"has no array {error}", "resume with the version that wrote it") from None
    run.kept = {name.removeprefix(_KEPT): array for name, array in arrays.items() if name.startswith(_KEPT)}
    communicator.messages, communicator.bytes = note["messages"], note["bytes"]
    run.round, run.seconds, run.earlier_counts = note["round"], note["seconds"], note["counts"]
    run.rows = on_root(communicator, lambda: _rows(folder, note))


def _check_note(folder: RunFolder, note: Row, experiment: Experiment) -> None:
    for name, kind in _NOTE.items():
        if type(note.get(name)) is not kind:
            raise FileError(folder.checkpoint, f"has no valid {name}", "resume with the version that wrote it")
    if note["experiment"] != experiment.digest():
        hint = "resume a run with the settings it was started with; only rounds may grow"
        raise FileError(folder.checkpoint, "belongs to another experiment than the one described", hint)
    if note["round"] > experiment.rounds:
        raise OptionError(
            "rounds", experiment.rounds, f"must be at least {note['round']}, which {folder.path} has done"
        )


def _rows(folder: RunFolder, note: Row) -> list[Row]:
    rows = [row for row in folder.read_metrics() if row["round"] <= note["round"]]
    if len(rows) != note["evaluations"]:
        problem = f"has {len(rows)} evaluations up to round {note['round']}, and the run made {note['evaluations']}"
        raise FileError(folder.metrics, problem, run_again(folder.path))
    return rows


class Files(Callback):
    """Writes config.yaml, topology.json and metrics.jsonl; at the end prompt.safetensors and references.json."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_start(self, run: Run) -> None:
        """Write the settings, possibly with more rounds than before, and the rows up to the checkpoint."""

        def write() -> None:
            self.folder.write_config(run.experiment.description())
            self.folder.rewrite(run.rows)
            if not (run.rows and self.folder.topology.is_file()):
                self.folder.write_topology(topology_row(run.experiment))

        on_root(run.communicator, write)

    def after_round(self, run: Run) -> None:
        if run.row is not None:
            on_root(run.communicator, lambda row=run.row: self.folder.append(row))

    def on_end(self, run: Run) -> None:
        mean = mean_model(run.x, run.communicator, run.recorded)

        def write() -> None:
            if run.experiment.references and run.stopped is None:
                self.folder.write_references(run.problem.references())
            run.problem.save(mean, self.folder.prompt)
            self.folder.prompt.chmod(self.folder.config.stat().st_mode & 0o777)

        on_root(run.communicator, write)


class Checkpoints(Callback):
    """Saves the run's state every few rounds, after the start, after the last round, and when it is stopped."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def after_round(self, run: Run) -> None:
        """Save if a checkpoint is due.

        Raises:
            OSError: on every rank, if writing fails; the last checkpoint is kept.
        """
        if not (run.stopped or run.over or run.experiment.is_saved(run.round)):
            return
        on_root(run.communicator, self.folder.sync_metrics)
        note = {
            "experiment": run.experiment.digest(),
            "round": run.round,
            "seconds": run.seconds,
            "messages": int(run.communicator.messages),
            "bytes": int(run.communicator.bytes),
            "counts": total_counts(run),
            "evaluations": len(run.rows),
        }
        arrays = state.arrays(run.state) | {_QUERIES: run.counter.queries, _GRADIENTS: run.counter.gradients}
        arrays |= {f"{_KEPT}{name}": array for name, array in run.kept.items()}
        checkpoint.save(self.folder.checkpoint, arrays, note, run.communicator)


def topology_row(experiment: Experiment) -> Row:
    """The content of topology.json: the graph, its spectrum, the gossip of a round, predictions, and who attacks.

    What theory says of undisturbed runs is left out of others.
    """
    topology, gossip = experiment.topology, experiment.algorithm.gossip_of_x()
    spectrum = topologies.spectrum(topology, 1 if gossip is None else gossip.num_steps(topology))
    mixing = {}
    if gossip is not None:
        summary = gossip.mixing_summary(topology, spectrum["lambda_q"])
        mixing = {"gossip": {**summary, "mixes": experiment.algorithm.mixes}}
    rounds = [t for t in range(experiment.rounds + 1) if t == 0 or experiment.is_evaluated(t)]
    prediction = theory.predict(topology, experiment.algorithm, experiment.objective, spectrum, rounds)
    if not experiment.is_undisturbed:
        prediction |= dict.fromkeys(("consensus_distance", "error", "course", "rate"))
    attackers = experiment.attackers
    attacked = {} if attackers is None else {"attackers": attackers.mask.nonzero()[0].tolist()}
    unused = {} if gossip is not None or experiment.algorithm.wakes else {"unused": True}
    return topologies.to_dict(topology, spectrum=spectrum, **mixing, theory=prediction, **attacked, **unused)
