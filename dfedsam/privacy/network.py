"""What a network's graph does for privacy: correlated noise, and who learns how much about whom."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from dfedsam.topologies import cache_by_id


@cache_by_id
def correlated_leak(W: sp.csr_array, sigma: float, shared: float) -> NDArray[np.float64]:
    """[(σ²I + σ_c²L)⁻¹]_ii for each peer i: 1/σ² of the plain Gaussian mechanism that is as private.

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
    return (vectors**2 / (sigma**2 + shared**2 * np.maximum(mu, 0))).sum(axis=1)


@cache_by_id
def zero_sum_leak(W: sp.csr_array) -> NDArray[np.float64]:
    """1ᵀΣ_a⁻¹1 for each peer a, Σ_a the covariance of Zip-DL's noise of unit scale in its messages to others.

    That is 1/σ² of the plain Gaussian mechanism that tells an observer of these messages as much about x_a. With
    m_v = W_av, m_a = W_aa − 1 and D = diag(W_av) over a's neighbours and itself, it is
    mᵀD⁻²m − (1ᵀD⁻²m)²/(1ᵀD⁻²1): d (d − 1) for d equal weights.

    Args:
        W: symmetric, rows sum to one, with a positive diagonal, shape (n, n).
    """
    entries, own = W.tocoo(), W.diagonal()
    other = (entries.row != entries.col) & (entries.data != 0)
    row, weights, n = entries.row[other], entries.data[other], len(own)
    count, inverse, squares = (np.bincount(row, weights**power, minlength=n) for power in (0, -1, -2))
    mine = (1 - own) / own**2
    return count + (1 - own) * mine - (inverse - mine) ** 2 / (squares + own**-2.0)


def pairwise_losses(W: sp.csr_array, steps: int) -> NDArray[np.float64]:
    """What peer v learns about u's noisy value in some gossip steps, in units of the local loss αΔ²/(2σ²).

    f(u, v) = Σ_{t < T} Σ_{w ∈ N(v)} (W^t)²_{wu} / ‖(W^t)_w‖²; v sees what its neighbours send, and nothing else. It is
    a bound; the value itself is never above 1. Source: Cyffers, Even, Bellet and Massoulié (2022), "Muffliato:
    peer-to-peer privacy amplification for decentralized optimization and averaging", theorem 1. Costs T n² times the
    mean degree.

    Args:
        W: symmetric, shape (n, n).
        steps: T, gossip steps after the noise was added, at least 1.

    Returns:
        Shape (n, n): row u, column v.
    """
    *_, total = _totals(W, steps)
    return total


def losses_of_run(W: sp.csr_array, steps: int, rounds: int) -> NDArray[np.float64]:
    """Σ over the rounds of min(1, pairwise losses), of a noisy value in each round, gossiped until the run's end.

    Later noise, which only hides more, is left out, and so is that local updates depend on what was received.

    Args:
        W: as in `pairwise_losses`.
        steps: Q, gossip steps a round, at least 1.
        rounds: at least 1.
    """
    losses = np.zeros((len(W.diagonal()),) * 2)
    for t, total in enumerate(_totals(W, steps * rounds), 1):
        if t % steps == 0:
            losses += np.minimum(1, total)
    return losses


def _totals(W: sp.csr_array, steps: int) -> Iterator[NDArray[np.float64]]:
    """The pairwise losses after 1, 2, …, T gossip steps."""
    links = sp.csr_array(W - sp.diags_array(W.diagonal()))
    links.eliminate_zeros()
    hears = sp.csr_array((np.ones(links.nnz), links.indices, links.indptr), shape=links.shape)
    n = len(W.diagonal())
    power, total = np.eye(n), np.zeros((n, n))
    for _ in range(steps):
        squares: NDArray[np.float64] = np.asarray(power) ** 2
        total = total + hears @ (squares / squares.sum(axis=1, keepdims=True))
        power = W @ power
        yield total.T


def by_distance(W: sp.csr_array, losses: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and the largest of losses (n, n) over the pairs of each distance in links 0, 1, …, (diameter + 1,)."""
    distances = shortest_path(abs(W) > 0, unweighted=True).astype(int).ravel()
    counts, largest = np.bincount(distances), np.zeros(distances.max() + 1)
    np.maximum.at(largest, distances, losses.ravel())
    return np.bincount(distances, losses.ravel()) / counts, largest
