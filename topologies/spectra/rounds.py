"""Which rounds of a topology its spectrum is computed from, who may talk to whom in them, and how much is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.topology import Sums, Topology

LONG = 1000  # rounds of a period up to which all of it is used
ENTRIES = 50_000  # where rounds are drawn: peers of all sampled rounds together; but FEWEST to MOST rounds
FEWEST, MOST = 40, 500


@dataclass(frozen=True)
class Rounds:
    """The matrices that a topology's spectrum is computed from.

    Args:
        matrices: W_0, W_1, …, each (n, n); at least one.
        sampled: whether the rounds are a sample: W_t is random, or the period is longer than LONG.
        sums: which of their sums are one (see `Topology`).
    """

    matrices: list[sp.csr_array]
    sampled: bool
    sums: Sums

    @property
    def n(self) -> int:
        """Number of peers."""
        return len(self.matrices[0].indptr) - 1

    @property
    def keeps_mean(self) -> bool:
        """Whether gossip keeps the mean."""
        return self.sums == "both"


class SupportMetrics(TypedDict):
    """The graph of all who may talk over time; `Spectrum` explains the fields."""

    edges: int
    degree_min: int
    degree_mean: float
    degree_max: int
    diameter: int | None


class TrafficMetrics(TypedDict):
    """The messages of a round; `Spectrum` explains the fields."""

    degree_round_mean: float
    degree_round_max: int
    vectors_per_round: float


def sample_rounds(topology: Topology) -> Rounds:
    """Take all rounds of a period, or the first 40 to 500 of a topology that is drawn, fewer of larger ones."""
    sampled = topology.period is None or topology.period > LONG
    count = min(MOST, max(FEWEST, ENTRIES // topology.n)) if sampled else topology.period or 1
    return Rounds([topology.weights(t) for t in range(count)], sampled, topology.sums)


def support_metrics(support: sp.csr_array | None, n: int, *, directed: bool) -> SupportMetrics:
    """Edges, degrees and diameter of the graph of all who may talk.

    Args:
        support: possible links, bool, shape (n, n), row i receives from column j; None: all.
        n: number of peers.
        directed: count each direction as an edge, and as degree the peers that one sends to.
    """
    if support is None:
        degrees = np.full(n, n - 1)
        diameter: int | None = 1
    else:
        degrees = np.bincount(support.indices, minlength=n)
        diameter = _diameter(support) if extremes.small(n) else None
    return {
        "edges": int(degrees.sum()) // (1 if directed else 2),
        "degree_min": int(degrees.min()),
        "degree_mean": float(degrees.mean()),
        "degree_max": int(degrees.max()),
        "diameter": diameter,
    }


def traffic_metrics(matrices: Sequence[sp.csr_array], steps: int) -> tuple[TrafficMetrics, bool]:
    """The messages of some rounds, with Q gossip steps in each.

    Returns:
        The metrics, and whether the rounds differ in what is sent.
    """
    degrees = np.stack([_receivers(W) for W in matrices])
    sent = steps * int(degrees.sum())
    metrics: TrafficMetrics = {
        "degree_round_mean": float(degrees.mean()),
        "degree_round_max": int(degrees.max()),
        "vectors_per_round": sent / len(matrices) if sent % len(matrices) else sent // len(matrices),
    }
    return metrics, bool(np.ptp(degrees.sum(axis=1)))


def _receivers(W: sp.csr_array) -> NDArray[np.int64]:
    """To how many others each peer sends, shape (n,)."""
    entries = np.bincount(W.indices[W.data != 0], minlength=len(W.indptr) - 1)
    return entries - (W.diagonal() != 0)


def _diameter(support: sp.csr_array) -> int | None:
    longest = shortest_path(support.astype(np.float64), unweighted=True).max()
    return int(longest) if np.isfinite(longest) else None
