"""Eigenvalues of one symmetric mixing matrix and of its graph's Laplacian.

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

from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.topology import TOLERANCE

T = TypeVar("T")
P = ParamSpec("P")
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


def cache_by_id(
    function: Callable[Concatenate[sp.csr_array, P], T],
) -> Callable[Concatenate[sp.csr_array, P], T]:
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
    return np.asarray(np.linalg.eigvalsh(W.toarray())[::-1], dtype=np.float64)


def slem(W: sp.csr_array) -> float:
    """λ = ‖W - J‖₂, the second largest eigenvalue modulus: the largest factor by which a step scales disagreement.

    In [0, 1] for Metropolis weights: 0 on the complete graph, 1 where the peers are not connected.

    Raises:
        ValueError: if W is not symmetric.
    """
    return max(abs(value) for value in _extremes(W))


@cache_by_id
def spectrum_ends(W: sp.csr_array) -> tuple[float, float]:
    """(λ_min, λ₂): the smallest and the second largest eigenvalue of a symmetric W; cached for the last few W.

    Above 500 peers as exact as `topologies.spectra.extremes` says.

    Raises:
        ValueError: if W is not symmetric.
    """
    return _extremes(W)


@cache_by_id
def distinct_eigenvalues(W: sp.csr_array, most: int) -> NDArray[np.float64] | None:
    """The distinct eigenvalues of a symmetric W on vectors of mean zero, rising; None if there are more than `most`.

    Lanczos from a random vector ends after as many steps as there are (Golub and Van Loan, 2013, section 10.1).

    Args:
        W: symmetric, shape (n, n).
        most: largest number of eigenvalues to find.
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


def modes(W: sp.csr_array, adjacency: sp.csr_array) -> Modes:
    """The eigenvalues of a symmetric W (n, n) and of the Laplacian of its graph, given by its adjacency matrix."""
    weight = common_weight(W, adjacency)
    if extremes.small(len(W.indptr) - 1):
        mu = _all_eigenvalues(laplacian(adjacency))
        values = eigenvalues(W) if weight is None else 1 - weight * mu
        return Modes(float(values[1]), float(values[-1]), float(mu[1]), float(mu[-1]), values)
    mu_2, mu_n = extremes.extreme_eigenvalues(laplacian(adjacency))
    lambda_min, lambda_2 = _extremes(W) if weight is None else (1 - weight * mu_n, 1 - weight * mu_2)
    return Modes(lambda_2, lambda_min, mu_2, mu_n, None)


def laplacian_extremes(adjacency: sp.csr_array | None, n: int) -> tuple[float, float]:
    """(μ₂, μ_n) of a graph of n peers from its adjacency matrix; None stands for the complete graph."""
    if adjacency is None:
        return float(n), float(n)
    L = laplacian(adjacency)
    if not extremes.small(n):
        return extremes.extreme_eigenvalues(L)
    mu = _all_eigenvalues(L)
    return float(mu[1]), float(mu[-1])


def laplacian(adjacency: sp.csr_array) -> sp.csr_array:
    """L = D - A, shape (n, n), from a symmetric A of zeros and ones."""
    A = adjacency.astype(np.float64)
    return sp.csr_array(diagonal(np.asarray(A.sum(axis=1))) - A)


def common_weight(W: sp.csr_array, adjacency: sp.csr_array) -> float | None:
    """The weight that all links share: the α of W = I - αL. None where they differ, or W leaves a link out."""
    entries = W.tocoo()
    links = entries.data[(entries.row != entries.col) & (entries.data != 0)]
    same = len(links) == adjacency.nnz > 0 and np.ptp(links) <= np.finfo(np.float64).eps
    return float(links[0]) if same else None


def need_symmetric(W: sp.csr_array) -> None:
    """Raise ValueError unless W is symmetric."""
    if not is_symmetric(W):
        raise ValueError("W must be symmetric for its eigenvalues to say how fast it mixes; look at ‖W - J‖ instead")


def is_symmetric(W: sp.csr_array) -> bool:
    """Whether W and its transpose differ by rounding at most."""
    skew = abs(W - W.T)
    return skew.nnz == 0 or bool(skew.max() <= TOLERANCE)


def _extremes(W: sp.csr_array) -> tuple[float, float]:
    """(λ_min, λ₂) of a symmetric W."""
    n = len(W.indptr) - 1
    if extremes.small(n):
        values = eigenvalues(W)
        return float(values[-1]), float(values[1])
    need_symmetric(W)
    low, high = extremes.extreme_eigenvalues(sp.csr_array(diagonal(np.ones(n)) - W))
    return 1 - high, 1 - low


def _all_eigenvalues(L: sp.csr_array) -> NDArray[np.float64]:
    """All eigenvalues of a Laplacian, rising, shape (n,); none below zero."""
    return np.maximum(np.asarray(np.linalg.eigvalsh(L.toarray()), dtype=np.float64), 0)
