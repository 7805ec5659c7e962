"""Points for the peers of a large graph: its slowest modes, unfolded by springs."""

from collections.abc import Callable

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from scipy.spatial import KDTree

from dfedsam.topologies.matrices import adjacency_matrix, diagonal

Strength = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # from distances to forces
STEPS = 80
RELAXED = 3000  # peers above which the modes alone must do


def springs(graph: nx.Graph) -> NDArray[np.float64]:
    """A point for each peer, shape (n, 2): edges pull, peers that are near push; the same graph gets the same points.

    The forces are those of Fruchterman and Reingold (1991), "Graph drawing by force-directed placement"; the start is
    the second and third eigenvector of D^(-1/2) A D^(-1/2), since springs alone would fold a large graph.

    Args:
        graph: Peers 0..n-1, at least four; directions of edges do not matter.
    """
    A = adjacency_matrix(graph.to_undirected())
    n = len(graph)
    x = _modes(A)
    x = np.argsort(np.argsort(x, axis=0), axis=0) * 2 / n - 1  # ranks fill the square, however few peers a mode is of
    if n > RELAXED:
        return x
    length = 2 / np.sqrt(n)
    entries = sp.triu(A).tocoo()
    i, j = entries.row, entries.col
    for step in np.geomspace(0.2, 0.002, STEPS):
        near = KDTree(x).query_pairs(2 * length, output_type="ndarray")
        pull = _forces(x, i, j, lambda d: -d / length)
        push = _forces(x, near[:, 0], near[:, 1], lambda d: (length / d) ** 2)
        move = pull + push
        far = np.linalg.norm(move, axis=1, keepdims=True)
        x = x + move * np.minimum(1, step / np.maximum(far, 1e-12))
    return x


def _modes(A: sp.csr_array) -> NDArray[np.float64]:
    n = len(A.indptr) - 1
    scale = diagonal(1 / np.sqrt(np.maximum(A.sum(axis=1), 1)))
    start = np.random.default_rng(0).standard_normal(n)
    try:
        _, modes = eigsh(scale @ A @ scale, k=3, which="LA", v0=start, tol=0.01, maxiter=3000)  # type: ignore[arg-type]
    except ArpackNoConvergence:  # a long path, say: any start will do
        return np.random.default_rng(0).uniform(-1, 1, (n, 2))
    return modes[:, 1::-1]  # rising eigenvalues: the last is the constant mode


def _forces(x: NDArray[np.float64], i: NDArray, j: NDArray, strength: Strength) -> NDArray[np.float64]:
    """Forces on all peers of pairs (i, j) that act along the line between them; positive ones push apart."""
    apart = x[i] - x[j]
    d = np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6)
    force = apart * strength(d)
    n = len(x)
    both = [np.bincount(i, force[:, axis], n) - np.bincount(j, force[:, axis], n) for axis in (0, 1)]
    return np.array(both, dtype=np.float64).T
