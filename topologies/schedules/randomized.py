"""Random schedules, redrawn in every round from all pairs of peers, or from the edges of a graph.

Epidemic Learning (`el_oracle`, `el_local`): in every round each peer sends to a few random others, which average the
received vectors. Source: de Vos, Farhadkhani, Guerraoui, Kermarrec, Pires and Sharma (2023), "Epidemic Learning:
boosting decentralized learning with randomized communication", arXiv 2310.01972.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.options import whole_number
from dfedsam.topologies.graph import adjacency_matrix
from dfedsam.topologies.graphs.classic import complete
from dfedsam.topologies.graphs.helpers import W_BYTES, below, checked_peers, checked_seed, require_memory
from dfedsam.topologies.make import Spec, static_graph
from dfedsam.topologies.matrices import diagonal, from_pairs
from dfedsam.topologies.registry import find
from dfedsam.topologies.schedule import Drawn
from dfedsam.topologies.spectra.contraction import contraction_of
from dfedsam.topologies.topology import Topology

_DEGREE = "the usual is log₂ of the peers, rounded down"


def random_matching(n: int, seed: int = 0) -> Topology:
    """In every round all peers are paired off at random, and each pair averages, with weights ½.

    A uniform perfect matching; where n is odd a random peer sits out. Expected contraction (n - 2)/(2(n - 1)) for even
    n, ½ for odd n. Source: Boyd, Ghosh, Prabhakar and Shah (2006), "Randomized gossip algorithms", for W_t as random
    projections: E[WᵀW] = E[W].

    Args:
        n: number of peers, at least 2.
        seed: at least 0.
    """
    return RandomMatching(checked_peers(n), checked_seed(seed))


def pairwise(n: int, topology: Spec = "complete", seed: int = 0) -> Topology:
    """In every round one edge of a graph is drawn, and the two peers it joins average; all others keep their vectors.

    Expected contraction 1 - μ₂/(2|E|). Source: Boyd, Ghosh, Prabhakar and Shah (2006), "Randomized gossip algorithms",
    with an edge, not a peer, drawn uniformly.

    Args:
        n: number of peers, at least 2.
        topology: the graph, undirected and the same in every round; its weights are not used.
        seed: at least 0; also the graph's, where it is random.
    """
    seed = checked_seed(seed)
    if _is_complete(topology):  # without n² edges
        return Pairwise(checked_peers(n), seed)
    graph = static_graph(topology, n, seed, "pairwise")
    return Pairwise(graph.n, seed, adjacency_matrix(graph))


def random_neighbours(n: int, degree: int = 2, seed: int = 0) -> Topology:
    """In every round each peer draws some others at random and exchanges with them and with all that drew it.

    Metropolis weights, so that W_t is symmetric and doubly stochastic.

    Args:
        n: number of peers, at least 2.
        degree: how many different others each peer draws: at least 1, below n. It has about twice as many neighbours.
        seed: at least 0.
    """
    n, degree = checked_peers(n), whole_number("degree", degree, 1, "the usual is 2")
    below("degree", degree, n)
    require_memory(n, n * degree, W_BYTES)
    return RandomNeighbours(n, degree, checked_seed(seed))


def el_oracle(n: int, degree: int | None = None, seed: int = 0) -> Topology:
    """EL-Oracle: an oracle draws a regular directed graph, so that every peer also hears as many as it sends to.

    W_t has the weights 1/(s + 1), and is doubly stochastic. Expected contraction (1 - s/(n - 1))/(s + 1). Departs from
    the paper in how the graph is drawn: s random offsets around a ring of the peers in random order. So each peer hears
    s uniformly random others, on which alone the contraction depends, but not all regular graphs can occur. s · n
    vectors a round.

    Args:
        n: number of peers, at least 2.
        degree: s, to how many others a peer sends, from 1 to n - 1; None takes ⌊log₂ n⌋.
        seed: at least 0.
    """
    return EpidemicOracle(*_checked(n, degree, seed))


def el_local(n: int, degree: int | None = None, seed: int = 0) -> Topology:
    """EL-Local: each peer sends to random others of its own choice, which average all they get with equal weights.

    Rows of W_t sum to one, columns only in expectation: the mean drifts at random, but without bias
    (`unbiased_in_mean`). The number of senders of a peer is random; a peer without senders keeps its own vector. The
    expected contraction of the squared distance to the mean before the round is (1 - (1 - s/(n - 1))ⁿ)/s - 1/(n - 1). s
    · n vectors a round.

    Args:
        n: number of peers, at least 2.
        degree: s, to how many others a peer sends, from 1 to n - 1; None takes ⌊log₂ n⌋.
        seed: at least 0.

    Examples:
        >>> from dfedsam.topologies import el_local
        >>> el_local(64).weights(0).nnz == 64 + 64 * 6
        True
    """
    return EpidemicLocal(*_checked(n, degree, seed))


class RandomMatching(Drawn):
    """A matching of all peers in every round; made by `random_matching`."""

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        half = self.n // 2
        order = rng.permutation(self.n)
        return from_pairs(self.n, order[:half], order[half : 2 * half], 0.5)

    def contraction(self) -> float:
        """λ_max(E[W] - J): two given peers meet with probability 1/(n - 1) for even n, 1/n for odd."""
        return 0.5 if self.n % 2 else (self.n - 2) / (2 * (self.n - 1))


class Pairwise(Drawn):
    """One edge in every round; made by `pairwise`."""

    def __init__(self, n: int, seed: int, adjacency: sp.csr_array | None = None) -> None:
        support = None if adjacency is None else sp.csr_array(adjacency, dtype=bool)
        super().__init__(n, seed, support)
        self._adjacency = adjacency
        if adjacency is not None:
            self._senders = np.repeat(np.arange(n), np.diff(adjacency.indptr))

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        if self._adjacency is None:
            i = rng.integers(self.n, size=1)
            j = rng.integers(self.n - 1, size=1)
            return from_pairs(self.n, i, j + (j >= i), 0.5)
        entry = rng.integers(len(self._senders), size=1)  # each edge is stored twice
        return from_pairs(self.n, self._senders[entry], self._adjacency.indices[entry], 0.5)

    def contraction(self) -> float:
        if self._adjacency is None:
            return 1 - 1 / (self.n - 1)  # μ₂ = n
        A = self._adjacency
        L = diagonal(A.sum(axis=1)) - A
        return contraction_of(sp.csr_array(diagonal(np.ones(self.n)) - L / A.nnz))


class OfDegree(Drawn):
    """Of which each peer draws `degree` others, or is drawn by as many."""

    def __init__(self, n: int, degree: int, seed: int) -> None:
        super().__init__(n, seed)
        self.degree = degree

    def others(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """For each peer different others, shape (n, degree)."""
        drawn = draw_distinct(self.n - 1, self.n, self.degree, rng)
        return drawn + (drawn >= np.arange(self.n)[:, None])  # all but oneself


class RandomNeighbours(OfDegree):
    """Random neighbours in every round; made by `random_neighbours`."""

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        n = self.n
        i, j = np.repeat(np.arange(n), self.degree), self.others(rng).ravel()
        i, j = np.divmod(np.unique(np.minimum(i, j) * n + np.maximum(i, j)), n)
        degrees = np.bincount(i, minlength=n) + np.bincount(j, minlength=n)
        return from_pairs(n, i, j, 1 / (1 + np.maximum(degrees[i], degrees[j])))

    def contraction(self) -> float | None:
        return 0.0 if self.degree == self.n - 1 else None


class EpidemicOracle(OfDegree):
    """A random regular digraph in every round; made by `el_oracle`."""

    directed = True

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        n, order = self.n, rng.permutation(self.n)
        offsets = 1 + draw_distinct(n - 1, 1, self.degree, rng)
        senders = order[(np.arange(n)[:, None] + offsets) % n]
        return _from_arcs(n, np.repeat(order, self.degree), senders.ravel())

    def contraction(self) -> float:
        return (1 - self.degree / (self.n - 1)) / (self.degree + 1)


class EpidemicLocal(OfDegree):
    """Random recipients in every round; made by `el_local`."""

    directed, sums, unbiased_in_mean = True, "rows", True

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        return _from_arcs(self.n, self.others(rng).ravel(), np.repeat(np.arange(self.n), self.degree))

    def contraction(self) -> float:
        n, s = self.n, self.degree
        return (1 - (1 - s / (n - 1)) ** n) / s - 1 / (n - 1)


def draw_distinct(below: int, rows: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` different integers from 0 … below - 1 in each row, all sets equally likely; shape (rows, count).

    Source: Floyd, in Bentley and Floyd (1987), "A sample of brilliance".
    """
    drawn = np.empty((rows, count), np.int64)
    for column, largest in enumerate(range(below - count, below)):
        value = rng.integers(largest + 1, size=rows)
        taken = (drawn[:, :column] == value[:, None]).any(axis=1)
        drawn[:, column] = np.where(taken, largest, value)
    return drawn


def _is_complete(topology: Any) -> bool:
    """Whether an inner topology is the complete graph, by name or in its long form, before it is built."""
    if isinstance(topology, dict):
        topology = topology["class_path"]
    return (find(topology) if isinstance(topology, str) else topology) is complete


def _from_arcs(n: int, receivers: NDArray[np.integer], senders: NDArray[np.integer]) -> sp.csr_array:
    """W of shape (n, n) in which each peer takes the mean of its own vector and of those it receives."""
    peers = np.arange(n)
    row, column = np.concatenate([receivers, peers]), np.concatenate([senders, peers])
    W = sp.csr_array(((1 / np.bincount(row))[row], (row, column)), shape=(n, n))
    W.sort_indices()
    return W


def _checked(n: int, degree: int | None, seed: int) -> tuple[int, int, int]:
    n = checked_peers(n)
    degree = whole_number("degree", n.bit_length() - 1 if degree is None else degree, 1, _DEGREE)
    below("degree", degree, n)
    require_memory(n, n * degree, W_BYTES)
    return n, degree, checked_seed(seed)
