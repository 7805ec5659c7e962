"""Sparse matrices of graphs: adjacency, diagonals, and W from pairs of peers or from offsets around a ring."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray


def adjacency_matrix(graph: nx.Graph) -> sp.csr_array:
    """A of shape (n, n), float64, sorted indices: 1 where an edge leads from the row's peer to the column's.

    Edge weights are ignored.

    Args:
        graph: peers 0..n-1 in order; directed or not, no self-loops.
    """
    counts = np.fromiter((len(neighbours) for _, neighbours in graph.adjacency()), np.int32, len(graph))
    i = np.repeat(np.arange(len(graph), dtype=np.int32), counts)
    j = np.fromiter(chain.from_iterable(neighbours for _, neighbours in graph.adjacency()), np.int32, len(i))
    A = sp.csr_array((np.ones(len(i)), (i, j)), shape=(len(graph), len(graph)))
    A.sort_indices()
    return A


def diagonal(values: NDArray[np.float64]) -> sp.csr_array:
    """The matrix of shape (n, n) with these n values on its diagonal."""
    return sp.csr_array(sp.dia_array((values[None, :], [0]), shape=(len(values), len(values))))


def from_pairs(n: int, i: NDArray[np.integer], j: NDArray[np.integer], weights: ArrayLike) -> sp.csr_array:
    """The symmetric W with these weights on pairs of peers; its diagonal completes each row to one.

    Args:
        n: number of peers.
        i: first peer of each pair, shape (pairs,), in 0..n-1.
        j: second peer, shape (pairs,); no pair occurs twice, in either order, and no peer is paired with itself.
        weights: weight of each pair, shape (pairs,), or one number for all.

    Returns:
        W of shape (n, n), float64, sorted indices: symmetric bit for bit; rows and columns sum to one.
    """
    each = np.broadcast_to(np.asarray(weights, dtype=np.float64), i.shape)
    peers = np.arange(n, dtype=np.int32)
    row = np.concatenate([i, j, peers], dtype=np.int32, casting="same_kind")
    column = np.concatenate([j, i, peers], dtype=np.int32, casting="same_kind")
    data = np.concatenate([each, each, np.zeros(n)])
    data[len(row) - n :] = 1 - np.bincount(row, data, minlength=n)
    W = sp.csr_array((data, (row, column)), shape=(n, n))
    W.sort_indices()
    return W


def circulant(n: int, offsets: Sequence[int] | NDArray[np.integer], weights: ArrayLike) -> sp.csr_array:
    """The circulant W: W[i, (i - u) mod n] is the weight of offset u, and W[i, i] completes each row to one.

    Args:
        n: number of peers.
        offsets: distinct numbers u in 1..n-1, shape (offsets,): every peer sends to the peer u places further on.
        weights: one number for all offsets, or one each, shape (offsets,).

    Returns:
        W of shape (n, n), float64, sorted indices; rows and columns sum to one.
    """
    shifts = np.concatenate([[0], np.asarray(offsets)]).astype(np.int32)
    each = np.broadcast_to(np.asarray(weights, dtype=np.float64), len(shifts) - 1)
    row = np.concatenate([[1 - each.sum()], each])
    senders = (np.arange(n, dtype=np.int32)[:, None] - shifts) % n
    indptr = np.arange(0, senders.size + 1, len(shifts), dtype=np.int32)
    W = sp.csr_array((np.tile(row, n), senders.ravel(), indptr), shape=(n, n))
    W.sort_indices()
    return W
