"""What is mixed in the tests of communication: matrices, types and widths, the same in the test and on the ranks."""

from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, lil_array, random_array

from dfedsam.rows import SparseRows

PEERS = 23  # not divisible by 2, 3 or 4


def averaging(graph: nx.Graph) -> csr_array:
    """Metropolis weights, written out once more."""
    n, degree = len(graph), graph.degree
    W = lil_array((n, n))
    for i, j in graph.edges:
        W[i, j] = W[j, i] = 1 / (1 + max(degree[i], degree[j]))
    W.setdiag(1 - W.sum(axis=1))
    return W.tocsr()


def directed(n: int, seed: int) -> csr_array:
    """Weights of any sign that are not symmetric; some peers take in nothing, some are alone."""
    return csr_array(random_array((n, n), density=0.04, format="csr", rng=seed))


def drawn(peers: int, size: int) -> NDArray:
    """The rank that plays each peer: scattered at random, unevenly, at least one on each rank."""
    rng = np.random.default_rng(size)
    return rng.permutation(np.concatenate([np.arange(size), rng.integers(size, size=peers - size)]))


def few(x: NDArray) -> SparseRows:
    """The smaller half of each row's entries."""
    columns = np.sort(np.argsort(x, axis=1, kind="stable")[:, : (x.shape[1] + 1) // 2], axis=1)
    return SparseRows(columns, np.take_along_axis(x, columns, axis=1))


@dataclass(frozen=True)
class Case:
    """Rows that are mixed with a schedule of matrices, one after another."""

    schedule: tuple[csr_array, ...]
    dtype: str = "float32"
    width: int = 5
    panel_bytes: int | None = None
    """Bytes that may be on their way at once; None for the network's own choice."""

    def start(self) -> NDArray:
        """The rows of all peers, (PEERS, width)."""
        return np.random.default_rng(7).normal(size=(PEERS, self.width)).astype(self.dtype)

    def steps(self) -> list[csr_array]:
        """Each matrix three times, in turn."""
        return list(self.schedule) * 3

    def mixed(self) -> NDArray:
        """What scipy makes of it."""
        x = self.start()
        for W in self.steps():
            x = W.astype(self.dtype) @ x
        return x

    def few_mixed(self) -> NDArray:
        """The same where only few entries are sent and taken in, one's own too."""
        x = self.start()
        for W in self.steps():
            x = W.astype(self.dtype) @ few(x).dense(self.width)
        return x


ring = averaging(nx.cycle_graph(PEERS))
star = averaging(nx.star_graph(PEERS - 1))
random = averaging(nx.erdos_renyi_graph(PEERS, 0.3, seed=1))
long = tuple(directed(PEERS, seed) for seed in range(40))  # longer than plans are kept

CASES = {
    "ring": Case((ring,)),
    "ring-float64": Case((ring,), dtype="float64"),
    "star": Case((star,)),
    "random": Case((random,), width=64),
    "random-float64": Case((random,), dtype="float64", width=1),
    "complete": Case((averaging(nx.complete_graph(PEERS)),)),
    "directed": Case((directed(PEERS, 2),)),
    "no edges": Case((averaging(nx.empty_graph(PEERS)),)),
    "schedule": Case((ring, random)),
    "schedule of directed": Case((directed(PEERS, 3), star, directed(PEERS, 4)), dtype="float64"),
    "long schedule": Case(long),
    "panels": Case((random, ring), width=37, panel_bytes=200),
    "single columns": Case((random,), width=3, panel_bytes=1),
    "complex": Case((ring,), dtype="complex64"),
}
