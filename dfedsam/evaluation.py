"""The recorder's figures: exact network-wide means that no peer of a decentralised run could see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.communication.base import Communicator
from dfedsam.context import QueryCounter
from dfedsam.errors import RunError
from dfedsam.objectives import Problem

Cosines = list[tuple[slice, NDArray]]  # some rows of the block, and a figure for each
_STRETCH = 256  # rows whose distance to the mean is taken at a time, in float64


def consensus_distance(x: NDArray, communicator: Communicator) -> float:
    """Ξ² = (1/n) Σ ‖x_i − x̄‖² over all peers, from the block's rows x (peers, dim); the same bits for every split."""
    mean = communicator.total(x) / communicator.peers
    squares = np.empty(len(x))
    for low in range(0, len(x), _STRETCH):
        away = x[low : low + _STRETCH] - mean
        squares[low : low + _STRETCH] = np.einsum("pd,pd->p", away, away)
    return float(communicator.gather(squares).mean())


class Evaluation:
    """Takes the figures of a run.

    Args:
        problem: the objective on this block.
        communicator: carries figures of peers to the recorder; not counted as communication.
        meter: the block's queries.
        local: also evaluate each peer's own model.
        counts: the problem's further meters up to a checkpoint, which this process goes on from.
    """

    def __init__(
        self, problem: Problem, communicator: Communicator, meter: QueryCounter, local: bool, counts: dict[str, int]
    ) -> None:
        self.problem, self.communicator, self.meter, self.local = problem, communicator, meter, local
        self._earlier = counts
        self._before: float | None = None

    def before_gossip(self, x: NDArray) -> None:
        """Note the consensus distance of x (peers, dim) just before it is mixed."""
        if self._before is None:  # an algorithm may mix other vectors after x
            self._before = consensus_distance(x, self.communicator)

    def counts(self) -> dict[str, int]:
        """The problem's further meters, summed over all ranks and over the stretches before a resume."""
        counts = {}
        for name, value in self.problem.counts().items():
            rows = np.zeros(len(self.communicator.block), np.int64)
            rows[0] = value
            counts[name] = int(self.communicator.gather(rows).sum()) + self._earlier.get(name, 0)
        return counts

    def row(self, x: NDArray, cosines: Cosines | None) -> dict[str, Any]:
        """The figures of one evaluation of the block's x (peers, dim); the same on every rank.

        Raises:
            RunError: if the loss of the mean model is not finite.
        """
        communicator, n = self.communicator, self.communicator.peers
        row: dict[str, Any] = {
            "queries": float(communicator.gather(self.meter.queries).mean()),
            "bytes": communicator.bytes / n,
        }
        mean = (communicator.total(x) / n).astype(x.dtype)
        figures = {}
        if communicator.is_root:
            figures = {name: float(value[0]) for name, value in self.problem.evaluate(mean[None]).items()}
        row |= communicator.broadcast(figures)
        if not np.isfinite(row["loss"]):
            raise RunError("evaluation: the loss of the mean model is not finite; a lower lr or sigma usually helps")
        if self.local:
            row |= self._local(x)
        row["consensus_distance"] = consensus_distance(x, communicator)
        before = self._before
        row["consensus_distance_before_gossip"] = row["consensus_distance"] if before is None else before
        self._before = None
        if cosines:
            sums, counts = np.zeros(len(x)), np.zeros(len(x))
            for rows, values in cosines:
                sums[rows] += values
                counts[rows] += 1
            worked = communicator.gather(counts) > 0  # peers that were away have none
            if worked.any():
                row["cosine"] = float(communicator.gather(sums / np.maximum(counts, 1))[worked].mean())
        gradients = float(communicator.gather(self.meter.gradients).mean())
        return row | ({"gradients": gradients} if gradients else {}) | {k: v / n for k, v in self.counts().items()}

    def _local(self, x: NDArray) -> dict[str, float]:
        figures = {name: self.communicator.gather(value) for name, value in self.problem.evaluate(x).items()}
        row = {"loss_local": float(figures["loss"].mean())}
        if "accuracy" in figures:
            row["accuracy_local"] = float(figures["accuracy"].mean())
            row["accuracy_worst"] = float(figures["accuracy"].min())
        return row
