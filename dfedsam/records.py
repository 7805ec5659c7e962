"""The run folder: what was run, one line of figures an evaluation, the last checkpoint and the mean model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dfedsam import run_folder, topologies
from dfedsam.communication.base import Communicator
from dfedsam.objectives import Problem

if TYPE_CHECKING:
    from dfedsam.gossip import Gossip

Row = dict[str, Any]


write_whole = run_folder.write_atomic


class RunFolder:
    """A run's folder; the root writes it, and every rank calls the same methods.

    Args:
        path: where it is, or is to be.
        communicator: tells the root, and tells every rank where the root fails.
    """

    def __init__(self, path: Path, communicator: Communicator) -> None:
        self.path, self.communicator = path, communicator
        self.files = run_folder.RunFolder(path)
        self.checkpoint = path / "checkpoint.safetensors"
        self.metrics = path / "metrics.jsonl"

    def create(self, description: Row, topology: topologies.Topology, gossip: Gossip | None) -> None:
        """Make the folder and write down what is run: `config.yaml` and `topology.json`.

        The latter holds the graph, its figures for the run's gossip steps, and how the gossip mixes on it.

        Raises:
            ValueError: on every rank, if it is there already or cannot be made: a run is never overwritten.
        """
        failure = self._make() if self.communicator.is_root else ""
        failure = self.communicator.broadcast(failure)
        if failure:
            raise ValueError(failure)
        self.write_config(description)
        if self.communicator.is_root:
            spectrum = topologies.spectrum(topology, 1 if gossip is None else gossip.length(topology))
            mixing = {} if gossip is None else {"gossip": gossip.mixing(topology, spectrum["lambda_q"])}
            graph = topologies.to_dict(topology, spectrum=spectrum, **mixing)
            self.files.write_topology(graph)

    def _make(self) -> str:
        try:
            self.path.mkdir(parents=True)
        except FileExistsError:
            return (
                f"out is {self.path}: it is there already and is never overwritten; choose another folder, or go on "
                f"with it by `dfedsam resume {self.path}`"
            )
        except OSError as error:
            return f"out is {self.path}: the folder cannot be made ({error.strerror}); choose another"
        return ""

    def write_config(self, description: Row) -> None:
        """Write `config.yaml`: feeding it back repeats the run."""
        if self.communicator.is_root:
            self.files.write_config(description)

    def finish(self, problem: Problem, mean: NDArray, *, references: bool) -> None:
        """Write the mean model (dim,) to `prompt.safetensors`, and `references.json` where they are asked for."""
        if self.communicator.is_root:
            problem.save(mean, self.path / "prompt.safetensors")
            if references:
                self.files.write_references(problem.references())


class Metrics:
    """The figures of a run, one dict an evaluation; on the root also lines of `metrics.jsonl`, each flushed."""

    def __init__(self, folder: RunFolder | None) -> None:
        self.rows: list[Row] = []
        self._path = folder.metrics if folder is not None and folder.communicator.is_root else None

    def reload(self, last_round: int) -> None:
        """Take up the rows of an earlier stretch up to `last_round`; later ones are cut off, to be played again."""
        if self._path is None or not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:  # the line that a killed run was writing
                break
            if row["round"] > last_round:
                break
            self.rows.append(row)
        write_whole(self._path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def append(self, row: Row) -> None:
        """Add one evaluation."""
        self.rows.append(row)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()
