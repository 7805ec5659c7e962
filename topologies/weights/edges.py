"""What semidefinite programs over an edge's weights need: Laplacians of weights, and matrices seen along the edges."""

from functools import cached_property

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Edges:
    """The m edges of a graph with n peers; b_l = e_i - e_j stands for edge l, between i and j.

    Args:
        graph: Undirected, peers 0..n-1 in order.

    Attributes:
        n: Number of peers.
        m: Number of edges.
        i: The smaller peer of each edge, shape (m,); edges stand in the order of their pairs.
        j: The larger one, shape (m,).
    """

    def __init__(self, graph: nx.Graph) -> None:
        ends = np.array(sorted((min(edge), max(edge)) for edge in graph.edges()), dtype=np.int32).reshape(-1, 2)
        self.n, self.m = len(graph), len(ends)
        self.i, self.j = np.ascontiguousarray(ends.T)

    @cached_property
    def degrees(self) -> NDArray[np.int64]:
        """Shape (n,)."""
        return np.bincount(np.concatenate([self.i, self.j]), minlength=self.n)

    @cached_property
    def incidence(self) -> sp.csr_array:
        """|B|, shape (n, m): 1 where a peer is an end of an edge."""
        numbers = np.arange(self.m)
        places = (np.concatenate([self.i, self.j]), np.concatenate([numbers, numbers]))
        return sp.csr_array((np.ones(2 * self.m), places), shape=(self.n, self.m))

    def laplacian(self, w: Array) -> Array:
        """Σ_l w_l b_l b_lᵀ, shape (n, n), of weights of shape (m,)."""
        L = np.zeros((self.n, self.n))
        L[self.i, self.j] = L[self.j, self.i] = -w
        np.fill_diagonal(L, self.incidence @ w)
        return L

    def along(self, X: Array) -> Array:
        """b_lᵀ X b_l, shape (m,), of a symmetric X."""
        return X[self.i, self.i] + X[self.j, self.j] - 2 * X[self.i, self.j]

    def between(self, X: Array) -> Array:
        """b_kᵀ X b_l, shape (m, m), of a symmetric X."""
        columns = X[:, self.i] - X[:, self.j]
        return columns[self.i] - columns[self.j]
