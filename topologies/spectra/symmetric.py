"""Eigenvalues of one symmetric W and of its graph's Laplacian, and the steady consensus distance that they give.

λ₂ and λ_min are the second largest and the smallest eigenvalue of W, μ₂ and μ_n the second smallest and the largest of
the unweighted Laplacian. Where all links have the same weight α, W = I - αL, so that the one follows from the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import whole_number
from dfedsam.topologies.matrices import diagonal, skew
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.circulant import Circulant
from dfedsam.topologies.topology import TOLERANCE

T = TypeVar("T")
P = ParamSpec("P")
Multipliers = Callable[[NDArray[np.float64]], NDArray[np.float64]]
_BREAKDOWN = 1e-9  # residual of Lanczos's method once it has met every eigenvalue
_KEPT = 8  # matrices whose results are cached


@dataclass(frozen=True)
class Modes:
    """Extreme eigenvalues of W and of its graph's Laplacian.

    Args:
        lambda_2: second largest eigenvalue of W.
        lambda_min: smallest eigenvalue of W.
        mu_2: second smallest eigenvalue of the Laplacian.
        mu_n: its largest eigenvalue.
        values: all eigenvalues of W, falling, shape (n,); None above 500 peers.
    """

    lambda_2: float
    lambda_min: float
    mu_2: float
    mu_n: float
    values: NDArray[np.float64] | None


def cache_by_id(function: Callable[Concatenate[sp.csr_array, P], T]) -> Callable[Concatenate[sp.csr_array, P], T]:
    """Cache a function's last few results by the identity of W, its first argument, and by its other arguments.

    A mixing matrix is never changed in place, so that its identity stands for its content; the cache keeps it alive.
    """
    results: dict[tuple[object, ...], tuple[sp.csr_array, T]] = {}

    @wraps(function)
    def cached(W: sp.csr_array, *args: P.args, **kwargs: P.kwargs) -> T:
        key = id(W), *args, *kwargs.items()
        if key not in results:
            if len(results) >= _KEPT:
                results.pop(next(iter(results)))
            results[key] = W, function(W, *args, **kwargs)
        return results[key][1]

    return cached


def eigenvalues(W: sp.csr_array) -> NDArray[np.float64]:
    """All eigenvalues of a symmetric W, falling, shape (n,); the first is 1. Costs n³.

    Raises:
        ValueError: if W is not symmetric.
    """
    need_symmetric(W)
    return _all_eigenvalues(W)[::-1]


def slem(W: sp.csr_array) -> float:
    """λ = ‖W - J‖₂, the second largest eigenvalue modulus: the largest factor by which a step scales disagreement.

    In [0, 1] for Metropolis weights: 0 on the complete graph, 1 where the peers are not connected.

    Raises:
        ValueError: if W is not symmetric.
    """
    need_symmetric(W)
    return max(abs(value) for value in _extremes(W))


@cache_by_id
def spectrum_ends(W: sp.csr_array) -> tuple[float, float]:
    """(λ_min, λ₂): the smallest and the second largest eigenvalue of a symmetric W; cached for the last few W.

    Above 500 peers as exact as `topologies.spectra.extremes` says.

    Raises:
        ValueError: if W is not symmetric.
    """
    need_symmetric(W)
    return _extremes(W)


@cache_by_id
def distinct_eigenvalues(W: sp.csr_array, most: int) -> NDArray[np.float64] | None:
    """The distinct eigenvalues of a symmetric W on vectors of mean zero, rising; None if there are more than `most`.

    Lanczos from a random vector ends after as many steps as there are (Golub and Van Loan, 2013, section 10.1).
    """
    n = len(W.indptr) - 1
    basis: NDArray[np.float64] = np.zeros((most + 1, n))
    start = np.random.default_rng(0).standard_normal(n)
    start -= start.mean()
    basis[0] = start / np.linalg.norm(start)
    alphas, betas = np.zeros(most), np.zeros(most)
    for k in range(min(most, n - 1)):
        y = W @ basis[k]
        alphas[k] = basis[k] @ y
        for _ in range(2):  # orthogonalising twice is enough
            y -= basis[: k + 1].T @ (basis[: k + 1] @ y)
            y -= y.mean()
        betas[k] = np.linalg.norm(y)
        if betas[k] < _BREAKDOWN:
            tridiagonal = np.diag(alphas[: k + 1]) + np.diag(betas[:k], 1) + np.diag(betas[:k], -1)
            return np.asarray(np.linalg.eigvalsh(tridiagonal), np.float64)
        basis[k + 1] = y / betas[k]
    return None


def steady_consensus(
    W: sp.csr_array,
    centres: NDArray[np.floating],
    lr: float,
    noise: float = 0.0,
    steps: int = 1,
    *,
    multipliers: Multipliers | None = None,
    before_gossip: bool = False,
) -> float:
    """The steady consensus distance of adapt-then-combine gradient steps on noisy quadratics.

    For f_i(x) = ½‖x - b_i‖² and X ← M(X - lr · G), G the gradients plus independent noise, and M = P(W) a polynomial of
    W, such as W^Q, with eigenpairs (m_k, v_k): E (1/n) Σ ‖x_i - x̄‖² = (1/n) Σ_{k≥2} [(lr m_k / (1 - (1-lr) m_k))²
    ‖v_kᵀB‖² + lr² σ² d m_k² / (1 - (1-lr)² m_k²)]. Before gossip the factors m_k² in the numerators are left out. Costs
    n³.

    Args:
        W: symmetric and connected, shape (n, n).
        centres: the minima b_i, shape (n, d).
        lr: step size η, above 0 and below 2.
        noise: standard deviation σ of a gradient's noise in each coordinate.
        steps: gossip steps Q a round: M = W^Q.
        multipliers: for any other M: the map from W's eigenvalues λ_k to m_k = P(λ_k), shape (k,) → (k,); `steps` is
            not used then. For Chebyshev gossip λ ↦ T_Q(λ/λ_max)/T_Q(1/λ_max).
        before_gossip: give the distance between a round's gradient step and its gossip, instead of after it.

    Raises:
        ValueError: if lr is out of range, W is not symmetric, its peers are not connected, or M makes them diverge.
    """
    if not 0 < lr < 2:
        rule = "must be above 0 and below 2, or the quadratics diverge"
        raise OptionError("lr", lr, rule, "take a smaller one")
    need_symmetric(W)
    values, vectors = np.linalg.eigh(W.toarray())
    if values[-2] > 1 - TOLERANCE:
        raise ValueError("W leaves the peers in components that never meet: it must be connected; add edges")
    values, vectors = values[:-1], vectors[:, :-1]  # all but the mean
    m = values ** whole_number("steps", steps, 1, "the usual is 1") if multipliers is None else multipliers(values)
    largest = float(abs(1 - lr) * np.abs(m).max())
    if not largest < 1:
        rule = "must be below 1, or the peers diverge"
        raise OptionError("the largest |(1 - lr) m_k|", largest, rule, "give other multipliers")
    n, d = centres.shape
    after = 1.0 if before_gossip else m
    bias = (lr * after / (1 - (1 - lr) * m)) ** 2 * np.sum((vectors.T @ centres) ** 2, axis=1)
    spread = lr**2 * noise**2 * d * after**2 / (1 - (1 - lr) ** 2 * m**2)
    return float(np.sum(bias + spread) / n)


def modes(W: sp.csr_array, adjacency: sp.csr_array) -> Modes:
    """The eigenvalues of a symmetric W (n, n) and of the Laplacian of its graph, given by its adjacency matrix."""
    weight = common_weight(W, adjacency)
    if extremes.small(len(W.indptr) - 1):
        mu = _laplacian_eigenvalues(adjacency)
        values = _all_eigenvalues(W)[::-1] if weight is None else 1 - weight * mu
        return Modes(float(values[1]), float(values[-1]), float(mu[1]), float(mu[-1]), values)
    mu_2, mu_n = laplacian_extremes(adjacency, len(W.indptr) - 1)
    lambda_min, lambda_2 = _extremes(W) if weight is None else (1 - weight * mu_n, 1 - weight * mu_2)
    return Modes(lambda_2, lambda_min, mu_2, mu_n, None)


def laplacian_extremes(adjacency: sp.csr_array | None, n: int) -> tuple[float, float]:
    """(μ₂, μ_n) of a graph of n peers from its adjacency matrix; None stands for the complete graph."""
    if adjacency is None:
        return float(n), float(n)
    if not extremes.small(n):
        circulant = Circulant.of(adjacency)
        make = lambda: extremes.laplacian(adjacency)  # noqa: E731
        return circulant.laplacian_ends() if circulant else extremes.extreme_eigenvalues(make)
    mu = _laplacian_eigenvalues(adjacency)
    return float(mu[1]), float(mu[-1])


def common_weight(W: sp.csr_array, adjacency: sp.csr_array) -> float | None:
    """The weight that all links share: the α of W = I - αL. None where they differ, or W leaves a link out."""
    row = np.repeat(np.arange(len(W.indptr) - 1, dtype=np.int32), np.diff(W.indptr))
    links = W.data[(row != W.indices) & (W.data != 0)]
    same = len(links) == adjacency.nnz > 0 and np.ptp(links) <= np.finfo(np.float64).eps
    return float(links[0]) if same else None


def need_symmetric(W: sp.csr_array) -> None:
    """Raise ValueError unless W is symmetric."""
    if not is_symmetric(W):
        raise ValueError("W must be symmetric for its eigenvalues to say how fast it mixes; look at ‖W - J‖ instead")


def is_symmetric(W: sp.csr_array) -> bool:
    """Whether W and its transpose differ by rounding at most."""
    return skew(W) is None


def _extremes(W: sp.csr_array) -> tuple[float, float]:
    """(λ_min, λ₂) of a symmetric W."""
    n = len(W.indptr) - 1
    if extremes.small(n):
        values = _all_eigenvalues(W)
        return float(values[0]), float(values[-2])
    circulant = Circulant.of(W)
    low, high = (
        circulant.laplacian_ends()
        if circulant
        else extremes.extreme_eigenvalues(lambda: sp.csr_array(diagonal(np.ones(n)) - W))
    )
    return 1 - high, 1 - low


def _all_eigenvalues(W: sp.csr_array) -> NDArray[np.float64]:
    """All eigenvalues of a symmetric matrix, rising, shape (n,)."""
    return np.asarray(np.linalg.eigvalsh(W.toarray()), dtype=np.float64)


def _laplacian_eigenvalues(adjacency: sp.csr_array) -> NDArray[np.float64]:
    """All eigenvalues of a graph's Laplacian, rising, shape (n,); none below zero."""
    return np.maximum(_all_eigenvalues(extremes.laplacian(adjacency)), 0)
