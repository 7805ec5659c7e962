"""What a network's graph does for privacy: correlated noise, and who learns how much about whom."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from dfedsam.topologies import cache_by_id


@cache_by_id
def correlated_leak(W: sp.csr_array, sigma: float, shared: float) -> float:
    """max_i [(σ²I + σ_c²L)⁻¹]_ii: 1/σ² of the plain Gaussian mechanism that is as private as correlated noise.

    An observer sees all messages, but none of the pairs' shared noise. Source: Allouah, Koloskova, El Firdoussi, Jaggi
    and Guerraoui (2024), "The privacy power of correlated noise in decentralized learning" (DECOR), theorem 1. Costs
    n³.

    Args:
        W: whose links are the pairs with shared noise, shape (n, n).
        sigma: σ, standard deviation of each peer's own noise, above 0.
        shared: σ_c, that of each pair's.
    """
    links = W.toarray() != 0
    np.fill_diagonal(links, False)
    L = np.diag(links.sum(axis=1)) - links.astype(np.float64)
    mu, vectors = np.linalg.eigh(L)
    return float((vectors**2 / (sigma**2 + shared**2 * np.maximum(mu, 0))).sum(axis=1).max())


def pairwise_losses(W: sp.csr_array, steps: int) -> NDArray[np.float64]:
    """What peer v learns about u's noisy value in some gossip steps, in units of the local loss αΔ²/(2σ²).

    f(u, v) = Σ_{t < T} Σ_{w ∈ N(v)} (W^t)²_{wu} / ‖(W^t)_w‖²; v sees what its neighbours send, and nothing else. It is
    a
    bound; the value itself is never above 1. Source: Cyffers, Even, Bellet and Massoulié (2022), "Muffliato:
    peer-to-peer privacy amplification for decentralized optimization and averaging", theorem 1. Costs T n² times the
    mean degree.

    Args:
        W: symmetric, shape (n, n).
        steps: T, gossip steps after the noise was added, at least 1.

    Returns:
        Shape (n, n): row u, column v.
    """
    links = sp.csr_array(W - sp.diags_array(W.diagonal()))
    links.eliminate_zeros()
    hears = sp.csr_array((np.ones(links.nnz), links.indices, links.indptr), shape=links.shape)
    n = len(W.diagonal())
    power, total = np.eye(n), np.zeros((n, n))
    for _ in range(steps):
        squares: NDArray[np.float64] = np.asarray(power) ** 2
        total += hears @ (squares / squares.sum(axis=1, keepdims=True))
        power = W @ power
    return total.T


def by_distance(W: sp.csr_array, losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of losses (n, n) over the pairs of each distance in links 0, 1, …, shape (diameter + 1,)."""
    distances = shortest_path(abs(W) > 0, unweighted=True).astype(int)
    counts = np.bincount(distances.ravel())
    return np.bincount(distances.ravel(), losses.ravel()) / counts
