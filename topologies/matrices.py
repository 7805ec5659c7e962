"""Sparse matrices: diagonals, unions, and W from links, from pairs of peers, or from offsets around a ring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from dfedsam.topologies.graph import pattern, same_pattern

TOLERANCE = 1e-12  # of sums of rows and columns, and of symmetry
_BLOCK = 1 << 20  # entries that are compared at once
_CACHED = 1 << 19  # columns whose part of x, in float32, fits in a core's cache


def diagonal(values: NDArray[np.float64]) -> sp.csr_array:
    """The matrix of shape (n, n) with these n values on its diagonal."""
    return sp.csr_array(sp.dia_array((values[None, :], [0]), shape=(len(values), len(values))))


def union(matrices: Sequence[sp.csr_array]) -> sp.csr_array:
    """Where any of these matrices (n, n) differs from zero off the diagonal: bool, shape (n, n), sorted indices."""
    whole: sp.csr_array | None = None
    for matrix in matrices:
        one = matrix
        if not matrix.data.all():
            one = matrix.copy()
            one.eliminate_zeros()
        there = pattern(one)
        whole = there if whole is None else sp.csr_array(whole + there)
    assert whole is not None
    n = len(whole.indptr) - 1
    row = np.repeat(np.arange(n, dtype=np.int32), np.diff(whole.indptr))
    off = row != whole.indices
    ends = np.concatenate([[0], np.cumsum(np.bincount(row[off], minlength=n))])
    return sp.csr_array((whole.data[off], whole.indices[off], ends.astype(whole.indptr.dtype)), shape=whole.shape)


def with_diagonal(links: sp.csr_array, off: ArrayLike, on: NDArray[np.floating]) -> sp.csr_array:
    """W of shape (n, n), float64, with `off` at the entries of `links`, one number or one each, none of them diagonal.

    On the diagonal stands `on`, shape (n,); where it is 0 nothing is stored.
    """
    n, peers = len(on), np.arange(len(on), dtype=np.int32)
    row = np.repeat(peers, np.diff(links.indptr))
    place = links.indptr[:-1] + peers + np.bincount(row[links.indices < row], minlength=n)  # of the diagonal
    others = np.ones(links.nnz + n, dtype=bool)
    others[place] = False
    indices, data = np.empty(links.nnz + n, dtype=np.int32), np.empty(links.nnz + n)
    indices[place], indices[others] = peers, links.indices
    data[place], data[others] = on, off
    W = sp.csr_array((data, indices, links.indptr + np.arange(n + 1, dtype=links.indptr.dtype)), shape=(n, n))
    W.has_sorted_indices = W.has_canonical_format = True
    if not on.all():
        W.eliminate_zeros()
    return W


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
    """The circulant W, float64: W[i, (i - u) mod n] is the weight of offset u, and W[i, i] completes each row to one.

    The offsets are distinct numbers u in 1..n-1: every peer sends to the peer u places further on. Weights are one
    number, or one for each offset.
    """
    shifts = np.concatenate([[0], np.asarray(offsets)]).astype(np.int32)
    each = np.broadcast_to(np.asarray(weights, dtype=np.float64), len(shifts) - 1)
    row = np.concatenate([[1 - each.sum()], each])
    senders = (np.arange(n, dtype=np.int32)[:, None] - shifts) % n
    indptr = np.arange(0, senders.size + 1, len(shifts), dtype=np.int32)
    W = sp.csr_array((np.tile(row, n), senders.ravel(), indptr), shape=(n, n))
    W.sort_indices()
    return W


def square_matrix(content: Any) -> sp.csr_array:
    """The content of a file, as a square matrix of finite numbers: csr, float64, sorted indices, no zeros stored.

    Raises:
        ValueError: if it is no such matrix.
    """
    array: Any = content if sp.issparse(content) else np.asarray(content)
    shape = " × ".join(map(str, array.shape))
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] < 2:
        raise ValueError(f"it is {shape or 'a number'}, and not n × n with n of at least 2")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"its numbers are of type {array.dtype}, and not real")
    W = sp.csr_array(array, dtype=np.float64)
    W.sum_duplicates()
    W.eliminate_zeros()
    W.indices, W.indptr = W.indices.astype(np.int32), W.indptr.astype(np.int32)
    wrong = np.flatnonzero(~np.isfinite(W.data))
    if wrong.size:
        row = np.searchsorted(W.indptr, wrong[0], side="right") - 1
        raise ValueError(f"row {row} has the number {W.data[wrong[0]]}")
    return W


def uneven(W: sp.csr_array, axis: int) -> int | None:
    """The first row (axis 1) or column (axis 0) that does not sum to one."""
    wrong = np.flatnonzero(np.abs(np.asarray(W.sum(axis=axis)) - 1) > TOLERANCE)
    return int(wrong[0]) if wrong.size else None


def skew(W: sp.csr_array) -> tuple[int, int] | None:
    """The first entry that differs from the one across the diagonal."""
    W.sum_duplicates()
    back = W.T.tocsr()
    if same_pattern(W, back):
        some = (slice(start, start + _BLOCK) for start in range(0, W.nnz, _BLOCK))  # to save memory
        unlike = (np.flatnonzero(np.abs(W.data[these] - back.data[these]) > TOLERANCE) + these.start for these in some)
        wrong = next((places[:1] for places in unlike if places.size), np.empty(0, np.intp))
        row, column = np.searchsorted(W.indptr, wrong, side="right") - 1, W.indices[wrong]
    else:
        difference = (W - back).tocoo()
        wrong = np.flatnonzero(np.abs(difference.data) > TOLERANCE)[:1]
        row, column = difference.row[wrong], difference.col[wrong]
    return (int(row[0]), int(column[0])) if wrong.size else None


def is_adjacency(matrix: sp.csr_array) -> bool:
    """Whether a matrix is an adjacency matrix and no W; raises ValueError if it can be both."""
    binary = bool(np.isin(matrix.data, (0, 1)).all())
    stochastic = uneven(matrix, 0) is None or uneven(matrix, 1) is None
    if binary and stochastic:
        raise ValueError("it can be an adjacency matrix, or W; set form to adjacency or weights")
    return binary


def blocked_product(L: sp.csr_array) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """x ↦ Lx, (n,) → (n,), for a large Laplacian (n, n) in float32 without empty rows, some columns after others.

    Where neighbours are anywhere, fetching their values takes most of the time of a product: so their part of x should
    stay in a core's cache.

    What its rows sum to for rounding is taken off: so the small eigenvalues are as exact, relatively, as its entries.
    """
    n = len(L.indptr) - 1
    excess = np.add.reduceat(L.data, L.indptr[:-1], dtype=np.float64)
    cuts = [slice(start, min(n, start + _CACHED)) for start in range(0, n, _CACHED)]
    parts = [_columns(L, columns) for columns in cuts]

    def product(x: NDArray[np.float64]) -> NDArray[np.float64]:
        short, y = x.astype(np.float32), np.zeros(n, np.float32)
        for part, columns in zip(parts, cuts, strict=True):
            y += part @ short[columns]
        return y - excess * x

    return product


def _columns(L: sp.csr_array, columns: slice) -> sp.csr_array:
    """Some columns of L, with less memory than slicing takes."""
    there = (L.indices >= columns.start) & (L.indices < columns.stop)
    counts = np.add.reduceat(there, L.indptr[:-1], dtype=np.int32)
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    indices = L.indices[there]
    indices -= columns.start
    return sp.csr_array((L.data[there], indices, ends), shape=(len(ends) - 1, columns.stop - columns.start))
