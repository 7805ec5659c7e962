"""Schedules that are drawn afresh in every round from all pairs of peers, or from the edges of a graph."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec
from dfedsam.topologies.matrices import adjacency_matrix, diagonal, from_pairs
from dfedsam.topologies.registry import find
from dfedsam.topologies.schedule import Drawn
from dfedsam.topologies.schedules.moments import left_over
from dfedsam.topologies.schedules.nested import static_graph
from dfedsam.topologies.topology import Topology
from dfedsam.validation import whole_number

_TWO = "give two or more peers"
_SEED = "give 0 or more"


def random_matching(n: int, seed: int = 0) -> Topology:
    """In every round all peers are paired off at random, and each pair averages, with weights ½.

    A uniform perfect matching; where n is odd a random peer sits out. Expected contraction (n - 2)/(2(n - 1)) for even
    n, ½ for odd n. Source: Boyd, Ghosh, Prabhakar and Shah (2006), "Randomized gossip algorithms", for W_t as random
    projections: E[WᵀW] = E[W].

    Args:
        n: Number of peers, at least 2.
        seed: Seed, at least 0.

    Raises:
        ValueError: if an option is out of range.
    """
    return RandomMatching(whole_number("peers", n, 2, _TWO), whole_number("seed", seed, 0, _SEED))


def pairwise(n: int, topology: Spec = "complete", seed: int = 0) -> Topology:
    """In every round one edge of a graph is drawn, and the two peers it joins average; all others keep what they have.

    Expected contraction 1 - μ₂/(2|E|). Source: Boyd, Ghosh, Prabhakar and Shah (2006), "Randomized gossip algorithms",
    with an edge, not a peer, drawn uniformly.

    Args:
        n: Number of peers, at least 2.
        topology: The graph, undirected and the same in every round; its weights are not looked at.
        seed: Seed, at least 0; also the graph's, where it is random.

    Raises:
        ValueError: if an option is out of range, or the topology is directed or a schedule.
    """
    seed = whole_number("seed", seed, 0, _SEED)
    if isinstance(topology, str) and find(topology) is find("complete"):  # without n² edges
        return Pairwise(whole_number("peers", n, 2, _TWO), seed)
    graph = static_graph(topology, n, seed, "pairwise")
    return Pairwise(len(graph), seed, adjacency_matrix(graph))


def random_neighbours(n: int, degree: int = 2, seed: int = 0) -> Topology:
    """In every round each peer draws some others at random, and is joined to these and to all that drew it; Metropolis
    weights.

    Args:
        n: Number of peers, at least 2.
        degree: How many different others each peer draws: at least 1, below n. It has about twice as many neighbours.
        seed: Seed, at least 0.

    Raises:
        ValueError: if an option is out of range.
    """
    n, degree = whole_number("peers", n, 2, _TWO), whole_number("degree", degree, 1, "the usual is 2")
    if degree >= n:
        hint = "use less, or more peers"
        raise OptionError("degree", degree, f"must be below the number of peers ({n})", hint)
    return RandomNeighbours(n, degree, whole_number("seed", seed, 0, _SEED))


class RandomMatching(Drawn):
    """See `random_matching`."""

    def draw(self, t: int, rng: np.random.Generator) -> sp.csr_array:
        """W_t of shape (n, n)."""
        half = self.n // 2
        order = rng.permutation(self.n)
        return from_pairs(self.n, order[:half], order[half : 2 * half], 0.5)

    def contraction(self) -> float:
        """λ_max(E[W] - J): two given peers meet with probability 1/(n - 1) for even n, 1/n for odd."""
        return 0.5 if self.n % 2 else (self.n - 2) / (2 * (self.n - 1))


class Pairwise(Drawn):
    """See `pairwise`.

    Args:
        n: Number of peers.
        seed: Seed.
        adjacency: The graph, symmetric, shape (n, n); None joins any two peers.
    """

    def __init__(self, n: int, seed: int, adjacency: sp.csr_array | None = None) -> None:
        support = None if adjacency is None else sp.csr_array(adjacency, dtype=bool)
        super().__init__(n, seed, support)
        self._adjacency = adjacency
        if adjacency is not None:
            self._senders = np.repeat(np.arange(n), np.diff(adjacency.indptr))

    def draw(self, t: int, rng: np.random.Generator) -> sp.csr_array:
        """W_t of shape (n, n)."""
        if self._adjacency is None:
            i = rng.integers(self.n, size=1)
            j = rng.integers(self.n - 1, size=1)
            return from_pairs(self.n, i, j + (j >= i), 0.5)
        entry = rng.integers(len(self._senders), size=1)  # each edge is stored twice
        return from_pairs(self.n, self._senders[entry], self._adjacency.indices[entry], 0.5)

    def contraction(self) -> float:
        """λ_max(E[W] - J) = 1 - μ₂/(2|E|)."""
        if self._adjacency is None:
            return 1 - 1 / (self.n - 1)  # μ₂ = n
        A = self._adjacency
        laplacian = diagonal(A.sum(axis=1)) - A
        return left_over(sp.csr_array(diagonal(np.ones(self.n)) - laplacian / A.nnz))


class RandomNeighbours(Drawn):
    """See `random_neighbours`.

    Args:
        n: Number of peers.
        degree: How many others each draws.
        seed: Seed.
    """

    def __init__(self, n: int, degree: int, seed: int) -> None:
        super().__init__(n, seed)
        self.degree = degree

    def draw(self, t: int, rng: np.random.Generator) -> sp.csr_array:
        """W_t of shape (n, n)."""
        n, others = self.n, _distinct(self.n - 1, self.n, self.degree, rng)
        drawn = others + (others >= np.arange(n)[:, None])  # all but oneself
        i, j = np.repeat(np.arange(n), self.degree), drawn.ravel()
        i, j = np.divmod(np.unique(np.minimum(i, j) * n + np.maximum(i, j)), n)
        degrees = np.bincount(i, minlength=n) + np.bincount(j, minlength=n)
        return from_pairs(n, i, j, 1 / (1 + np.maximum(degrees[i], degrees[j])))

    def contraction(self) -> float | None:
        """0 where everyone draws all others; no formula else."""
        return 0.0 if self.degree == self.n - 1 else None


def _distinct(below: int, rows: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` different integers 0 … below - 1 in each of some rows, all sets equally likely; shape (rows, count).

    Source: Floyd, in Bentley and Floyd (1987), "A sample of brilliance".
    """
    drawn = np.empty((rows, count), np.int64)
    for place, most in enumerate(range(below - count, below)):
        value = rng.integers(most + 1, size=rows)
        taken = (drawn[:, :place] == value[:, None]).any(axis=1)
        drawn[:, place] = np.where(taken, most, value)
    return drawn
