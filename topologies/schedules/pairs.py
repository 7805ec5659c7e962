"""Mixing matrices made of pairs of peers that average: symmetric and doubly stochastic by their form."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray


def from_pairs(n: int, i: NDArray[np.integer], j: NDArray[np.integer], weight: ArrayLike) -> sp.csr_array:
    """The symmetric W that has these weights on these pairs of peers, and on the diagonal what is left to one.

    Args:
        n: Number of peers.
        i: One peer of each pair, shape (m,).
        j: The other, shape (m,); no pair stands there twice.
        weight: Weight of each pair, shape (m,), or of all.

    Returns:
        W of shape (n, n), float64, sorted indices, symmetric bit for bit; rows and columns sum to one.
    """
    w = np.broadcast_to(np.asarray(weight, np.float64), i.shape)
    left = 1 - np.bincount(i, w, n) - np.bincount(j, w, n)
    everyone = np.arange(n)
    places = np.concatenate([i, j, everyone]), np.concatenate([j, i, everyone])
    W = sp.csr_array(sp.coo_array((np.concatenate([w, w, left]), places), shape=(n, n)))
    W.sort_indices()
    return W
