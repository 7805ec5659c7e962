"""Mixing matrices built at once from pairs of peers, or from offsets around the ring of peers."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray


def from_pairs(n: int, i: NDArray[np.integer], j: NDArray[np.integer], weights: ArrayLike) -> sp.csr_array:
    """W of shape (n, n), float64, sorted indices: symmetric bit for bit, its diagonal what each row leaves to one.

    Args:
        n: Number of peers.
        i: One peer of each pair, shape (pairs,), in 0..n-1.
        j: The other peer, shape (pairs,); no pair stands twice, in either order, nor a peer with itself.
        weights: What the two give each other, one number for all pairs or shape (pairs,).
    """
    given = np.broadcast_to(np.asarray(weights, dtype=np.float64), i.shape)
    peers = np.arange(n, dtype=np.int32)
    row = np.concatenate([i, j, peers], dtype=np.int32, casting="same_kind")
    column = np.concatenate([j, i, peers], dtype=np.int32, casting="same_kind")
    data = np.concatenate([given, given, np.zeros(n)])
    data[len(row) - n :] = 1 - np.bincount(row, data, minlength=n)
    W = sp.csr_array((data, (row, column)), shape=(n, n))
    W.sort_indices()
    return W


def circulant(n: int, offsets: Sequence[int] | NDArray[np.integer], weights: ArrayLike) -> sp.csr_array:
    """W of shape (n, n), float64, sorted indices: every peer sends to the peers so many places on, around the ring.

    W[i, (i - u) mod n] is the weight of offset u, and W[i, i] what they leave to one, so that rows and columns sum to
    one.

    Args:
        n: Number of peers.
        offsets: Different numbers u in 1..n-1, shape (offsets,).
        weights: One number for all offsets, or one each, shape (offsets,).
    """
    shifts = np.concatenate([[0], np.asarray(offsets)]).astype(np.int32)
    given = np.broadcast_to(np.asarray(weights, dtype=np.float64), len(shifts) - 1)
    row = np.concatenate([[1 - given.sum()], given])
    senders = (np.arange(n, dtype=np.int32)[:, None] - shifts) % n
    indptr = np.arange(0, senders.size + 1, len(shifts), dtype=np.int32)
    W = sp.csr_array((np.tile(row, n), senders.ravel(), indptr), shape=(n, n))
    W.sort_indices()
    return W
