"""CMA-ES for many peers at once: each searches with its own normal distribution, using only the ranks of losses.

Source: Hansen (2016), "The CMA evolution strategy: a tutorial" (arXiv:1604.00772); its equations are cited. Row i of
every array is peer i's, and what is returned for it depends on no other row.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Covariance = Literal["full", "diagonal"]

_EIGENVALUE_FLOOR = 1e-14  # as a share of the largest one
_MIN_SIGMA, _MAX_SIGMA = 1e-30, 1e30


@dataclass
class Search:
    """The distributions of p peers around their means, which are stored separately.

    Args:
        sigma: step sizes, shape (p,).
        covariance: C, shape (p, d, d), or its diagonal (p, d).
        path_sigma: evolution paths of the step sizes, shape (p, d).
        path_c: evolution paths of the covariances, shape (p, d).
        generation: generations so far, shape (p,).
        basis: eigenvectors of a full C when it was last decomposed, as columns, shape (p, d, d); None for a diagonal.
        scales: square roots of its eigenvalues then, shape (p, d); None for a diagonal.
    """

    sigma: NDArray
    covariance: NDArray
    path_sigma: NDArray
    path_c: NDArray
    generation: NDArray[np.int64]
    basis: NDArray | None = None
    scales: NDArray | None = None


@dataclass(frozen=True, eq=False)
class CMAParameters:
    """Constants for one dimension and population, by their names and equations in Hansen's tutorial.

    Args:
        weights: w of the candidates from best to worst, shape (population,); those of the better half sum to one.
        mu_eff: variance-effective number of those that count (8).
        c_sigma: rate of the step size's path (55).
        d_sigma: its damping (55).
        c_c: rate of the rank-one update's path (56).
        c_1: rate of the rank-one update (57).
        c_mu: rate of the rank-μ update (58).
        chi: E‖N(0, I)‖.
        eigen_interval: generations between two decompositions of a full covariance, which changes little in between.
    """

    weights: NDArray[np.float64]
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi: float
    eigen_interval: int


@cache
def parameters(dim: int, population: int, *, diagonal: bool = False) -> CMAParameters:
    """The constants of Hansen (2016), table 1.

    A diagonal covariance learns (dim + 2)/3 times as fast and gives no candidate a negative weight, as in Ros and
    Hansen (2008), "A simple modification in CMA-ES achieving linear time and space complexity". A full covariance is
    decomposed again every 1/(10 · dim · (c_1 + c_mu)) generations, as in Hansen's own code.

    Args:
        dim: d, at least 1.
        population: λ, at least 1; the mean moves to a single candidate wherever it is.
        diagonal: whether the covariance is diagonal.
    """
    raw = math.log((population + 1) / 2) - np.log(np.arange(1, population + 1))
    if population == 1:
        raw = np.ones(1)
    parents = max(1, population // 2)
    better, worse = raw[:parents], raw[parents:]
    mu_eff = float(better.sum() ** 2 / np.square(better).sum())
    speedup = (dim + 2) / 3 if diagonal else 1.0
    c_1 = min(0.5, speedup * 2 / ((dim + 1.3) ** 2 + mu_eff))
    c_mu = min(1 - c_1, speedup * 2 * (mu_eff - 2 + 1 / mu_eff) / ((dim + 2) ** 2 + mu_eff))
    weights = raw / better.sum()
    weights[parents:] = 0
    if not diagonal and c_mu > 0 and worse.sum() < 0:
        worse_eff = worse.sum() ** 2 / np.square(worse).sum()
        most = min(1 + c_1 / c_mu, 1 + 2 * worse_eff / (mu_eff + 2), (1 - c_1 - c_mu) / (dim * c_mu))
        weights[parents:] = np.minimum(worse, 0) * most / np.abs(np.minimum(worse, 0)).sum()
    c_sigma = (mu_eff + 2) / (dim + mu_eff + 5)
    weights.setflags(write=False)
    return CMAParameters(
        weights=weights,
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (dim + 1)) - 1) + c_sigma,
        c_c=(4 + mu_eff / dim) / (dim + 4 + 2 * mu_eff / dim),
        c_1=c_1,
        c_mu=c_mu,
        chi=math.sqrt(dim) * (1 - 1 / (4 * dim) + 1 / (21 * dim**2)),
        eigen_interval=max(1, int(1 / (10 * dim * (c_1 + c_mu)))),
    )


def start(mean: NDArray, sigma: float, covariance: Covariance) -> Search:
    """The distributions N(mean, sigma² I) before the first generation, for means (p, d)."""
    p, d = mean.shape
    search = Search(
        sigma=np.full(p, sigma, mean.dtype),
        covariance=np.ones_like(mean),
        path_sigma=np.zeros_like(mean),
        path_c=np.zeros_like(mean),
        generation=np.zeros(p, np.int64),
    )
    if covariance == "diagonal":
        return search
    eye = np.tile(np.eye(d, dtype=mean.dtype), (p, 1, 1))
    return replace(search, covariance=eye, basis=eye.copy(), scales=np.ones_like(mean))


def without_paths(search: Search) -> Search:
    """The same distributions with evolution paths of length 0; the other arrays are shared."""
    return replace(
        search,
        path_sigma=np.zeros_like(search.path_sigma),
        path_c=np.zeros_like(search.path_c),
        generation=np.zeros_like(search.generation),
    )


def ask(mean: NDArray, search: Search, normal: NDArray) -> NDArray:
    """Candidates m + σ C^½ z (38–40), shape (p, λ, d), of standard normal z (p, λ, d)."""
    with _one_thread():
        if search.basis is not None and search.scales is not None:
            steps = np.matmul(normal * search.scales[:, None], _transposed(search.basis))
        else:
            steps = normal * np.sqrt(search.covariance)[:, None]
    return mean[:, None] + search.sigma[:, None, None] * steps


def tell(
    mean: NDArray, search: Search, candidates: NDArray, losses: NDArray, constants: CMAParameters
) -> tuple[NDArray, Search]:
    """One generation: move the means and adapt the distributions by how the candidates rank.

    Args:
        mean: m, shape (p, d).
        search: the peers' distributions.
        candidates: shape (p, λ, d); they need not come from `ask`.
        losses: of the candidates, shape (p, λ); only their order counts, and of equal ones the first is the better.
        constants: for d and λ.

    Returns:
        The means (p, d) and the distributions afterwards, as new arrays where anything changed.
    """
    order = np.argsort(losses, axis=1, kind="stable")
    sigma = search.sigma
    y = np.take_along_axis(candidates, order[:, :, None], axis=1) - mean[:, None]
    y /= sigma[:, None, None]
    weights = constants.weights.astype(mean.dtype)
    c_sigma, c_c, c_1 = constants.c_sigma, constants.c_c, constants.c_1
    with _one_thread():
        step = np.matmul(np.maximum(weights, 0), y)  # (41)
        path_sigma = (1 - c_sigma) * search.path_sigma  # (43)
        path_sigma += _gain(c_sigma, constants) * _whitened(search, step[:, None])[:, 0]
        length = np.sqrt(np.einsum("pd,pd->p", path_sigma, path_sigma))
        generation = search.generation + 1
        expected = np.sqrt(1 - (1 - c_sigma) ** (2 * generation)) * constants.chi
        stalls = (length >= (1.4 + 2 / (mean.shape[1] + 1)) * expected).astype(mean.dtype)  # 1 − h_σ
        path_c = (1 - c_c) * search.path_c  # (45)
        path_c += (_gain(c_c, constants) * (1 - stalls))[:, None] * step
        decay = 1 - c_1 - constants.c_mu * float(constants.weights.sum()) + c_1 * stalls * c_c * (2 - c_c)
        covariance = _adapted(search, decay, path_c, y, weights, constants)  # (47)
    grown = sigma * np.exp((c_sigma / constants.d_sigma) * (length / constants.chi - 1))  # (44)
    new = replace(
        search,
        sigma=np.clip(grown, _MIN_SIGMA, _MAX_SIGMA).astype(mean.dtype),
        path_sigma=path_sigma,
        path_c=path_c,
        covariance=covariance,
        generation=generation,
    )
    return mean + sigma[:, None] * step, decomposed(new, generation % constants.eigen_interval == 0)  # (42)


def decomposed(search: Search, due: NDArray[np.bool_]) -> Search:
    """The distributions with basis and scales of their present covariances, for the peers where it is due (p,).

    Eigenvalues below 10⁻¹⁴ of the largest, as gossip or rounding may leave them, are raised to it, in C too.
    """
    if search.basis is None or search.scales is None or not due.any():
        return search
    covariance = search.covariance[due].astype(np.float64)
    with _one_thread():
        values, vectors = np.linalg.eigh((covariance + _transposed(covariance)) / 2)
        indefinite = values[:, 0] < 0
        values = np.maximum(values, _EIGENVALUE_FLOOR * np.maximum(values[:, -1:], np.finfo(np.float32).tiny))
        repaired = np.matmul(vectors[indefinite] * values[indefinite][:, None], _transposed(vectors[indefinite]))
    basis, scales, covariances = search.basis.copy(), search.scales.copy(), search.covariance.copy()
    basis[due], scales[due] = vectors, np.sqrt(values)
    covariances[np.flatnonzero(due)[indefinite]] = repaired
    return replace(search, covariance=covariances, basis=basis, scales=scales)


def _adapted(
    search: Search, decay: NDArray, path_c: NDArray, y: NDArray, weights: NDArray, constants: CMAParameters
) -> NDArray:
    """C after the rank-one and rank-μ updates (47), from ranked steps y (p, λ, d)."""
    covariance, d = search.covariance, y.shape[2]
    if search.basis is None:
        squares = np.matmul(np.maximum(weights, 0), np.square(y))
        return decay[:, None] * covariance + constants.c_1 * np.square(path_c) + constants.c_mu * squares
    white = _whitened(search, y)
    lengths = np.einsum("pld,pld->pl", white, white)
    scaled = np.where(weights >= 0, weights, weights * d / (lengths + np.finfo(y.dtype).tiny))  # (46)
    new = decay[:, None, None] * covariance
    new += np.matmul(_transposed(y * (constants.c_mu * scaled)[:, :, None]), y)
    new += np.matmul(constants.c_1 * path_c[:, :, None], path_c[:, None])
    return new


def _whitened(search: Search, y: NDArray) -> NDArray:
    """C^−½ y for steps y (p, k, d)."""
    if search.basis is None or search.scales is None:
        return y / np.sqrt(search.covariance)[:, None]
    return np.matmul(np.matmul(y, search.basis) / search.scales[:, None], _transposed(search.basis))


def _gain(rate: float, constants: CMAParameters) -> float:
    """The factor of a step in a path of this rate, so that an undirected path is N(0, C)."""
    return float(np.sqrt(rate * (2 - rate) * constants.mu_eff))


def _transposed(matrices: NDArray) -> NDArray:
    return matrices.swapaxes(-1, -2)


def _one_thread() -> AbstractContextManager:
    """Inside, products and decompositions of matrices run in one thread.

    With more, their last bits would depend on how many there are, and so on how the peers are split over processes.
    """
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
