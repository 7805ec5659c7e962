"""CMA-ES for many peers at once: each searches with a normal distribution of its own, by the ranks of losses alone.

Source: Hansen (2016), "The CMA evolution strategy: a tutorial" (arXiv:1604.00772); its equations are cited. Row i of
every array is peer i's, and what is returned for it depends on no other row.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dfedsam.zeroth_order.cma_rates import Rates

Covariance = Literal["full", "diagonal"]
COVARIANCES = ("full", "diagonal")
Shape = dict[str, NDArray]
"""The distributions of p peers around their means, arrays by name: sigma (p,), covariance (p, d, d) or its diagonal
(p, d), path_sigma and path_c (p, d), generation (p,), and of a full covariance its basis (p, d, d) and scales (p, d):
the eigenvectors, as columns, and the square roots of the eigenvalues of when it was last decomposed."""

_FLOOR = 1e-14  # of eigenvalues, as a share of the largest one
_LONGEST, _SHORTEST = 1e30, 1e-30  # sigma


def start(mean: NDArray, sigma: float, covariance: Covariance) -> Shape:
    """The shapes before the first generation: N(mean, sigma² I), with paths of length 0; mean has shape (p, d)."""
    p, d = mean.shape
    shape = {
        "sigma": np.full(p, sigma, mean.dtype),
        "path_sigma": np.zeros_like(mean),
        "path_c": np.zeros_like(mean),
        "generation": np.zeros(p, np.int64),
    }
    if covariance == "diagonal":
        return {**shape, "covariance": np.ones_like(mean)}
    eye = np.tile(np.eye(d, dtype=mean.dtype), (p, 1, 1))
    return {**shape, "covariance": eye, "basis": eye.copy(), "scales": np.ones_like(mean)}


def fresh(shape: Shape) -> Shape:
    """The same distributions, their paths of length 0 again; arrays that stay as they are shared."""
    paths = ("path_sigma", "path_c", "generation")
    return {name: np.zeros_like(array) if name in paths else array for name, array in shape.items()}


def first(shape: Shape) -> Shape:
    """The first peer's alone."""
    return {name: array[:1] for name, array in shape.items()}


def ask(mean: NDArray, shape: Shape, normal: NDArray) -> NDArray:
    """Candidates m + σ C^½ z (38–40), shape (p, λ, d), of standard normal z (p, λ, d)."""
    with _one_thread():
        if "basis" in shape:
            steps = np.matmul(normal * shape["scales"][:, None], _transposed(shape["basis"]))
        else:
            steps = normal * np.sqrt(shape["covariance"])[:, None]
    return mean[:, None] + shape["sigma"][:, None, None] * steps


def tell(mean: NDArray, shape: Shape, candidates: NDArray, losses: NDArray, rates: Rates) -> tuple[NDArray, Shape]:
    """One generation: move the means and adapt the shapes by how the candidates rank.

    Args:
        mean: m, shape (p, d).
        shape: the peers' distributions.
        candidates: shape (p, λ, d); need not be what `ask` gave.
        losses: theirs, shape (p, λ); only their order counts, and the first of equal ones is the better.
        rates: constants for d and λ.

    Returns:
        The means (p, d) and the shapes afterwards, as new arrays where anything changed.
    """
    order = np.argsort(losses, axis=1, kind="stable")
    sigma = shape["sigma"]
    y = np.take_along_axis(candidates, order[:, :, None], axis=1) - mean[:, None]
    y /= sigma[:, None, None]
    weights = rates.weights.astype(mean.dtype)
    with _one_thread():
        step = np.matmul(np.maximum(weights, 0), y)  # (41)
        path_sigma = (1 - rates.c_sigma) * shape["path_sigma"]  # (43)
        path_sigma += _gain(rates.c_sigma, rates) * _whitened(shape, step[:, None])[:, 0]
        length = np.sqrt(np.einsum("pd,pd->p", path_sigma, path_sigma))
        generation = shape["generation"] + 1
        usual = np.sqrt(1 - (1 - rates.c_sigma) ** (2 * generation)) * rates.chi
        stalls = (length >= (1.4 + 2 / (mean.shape[1] + 1)) * usual).astype(mean.dtype)  # 1 − h_σ
        path_c = (1 - rates.c_c) * shape["path_c"]  # (45)
        path_c += (_gain(rates.c_c, rates) * (1 - stalls))[:, None] * step
        kept = (
            1 - rates.c_1 - rates.c_mu * float(rates.weights.sum()) + rates.c_1 * stalls * rates.c_c * (2 - rates.c_c)
        )
        covariance = _adapted(shape, kept, path_c, y, weights, rates)  # (47)
    grown = sigma * np.exp((rates.c_sigma / rates.d_sigma) * (length / rates.chi - 1))  # (44)
    new = shape | {
        "sigma": np.clip(grown, _SHORTEST, _LONGEST).astype(mean.dtype),
        "path_sigma": path_sigma,
        "path_c": path_c,
        "covariance": covariance,
        "generation": generation,
    }
    return mean + sigma[:, None] * step, decomposed(new, generation % rates.lazy == 0)  # (42)


def decomposed(shape: Shape, due: NDArray[np.bool_]) -> Shape:
    """The shapes with basis and scales of their covariances as these are now, for the peers where it is due (p,)."""
    if "basis" not in shape or not due.any():
        return shape
    covariance = shape["covariance"][due].astype(np.float64)
    with _one_thread():
        values, vectors = np.linalg.eigh((covariance + _transposed(covariance)) / 2)
    values = np.maximum(values, _FLOOR * values[:, -1:])
    basis, scales = shape["basis"].copy(), shape["scales"].copy()
    basis[due], scales[due] = vectors, np.sqrt(values)
    return shape | {"basis": basis, "scales": scales}


def _adapted(shape: Shape, kept: NDArray, path_c: NDArray, y: NDArray, weights: NDArray, rates: Rates) -> NDArray:
    """C after the rank-one and rank-μ updates (47), from ranked steps y (p, λ, d)."""
    covariance, d = shape["covariance"], y.shape[2]
    if "basis" not in shape:
        squares = np.matmul(np.maximum(weights, 0), np.square(y))
        return kept[:, None] * covariance + rates.c_1 * np.square(path_c) + rates.c_mu * squares
    white = _whitened(shape, y)
    lengths = np.einsum("pld,pld->pl", white, white)
    counted = np.where(weights >= 0, weights, weights * d / (lengths + np.finfo(y.dtype).tiny))  # (46)
    new = kept[:, None, None] * covariance
    new += np.matmul(_transposed(y * (rates.c_mu * counted)[:, :, None]), y)
    new += np.matmul(rates.c_1 * path_c[:, :, None], path_c[:, None])
    return new


def _whitened(shape: Shape, y: NDArray) -> NDArray:
    """C^−½ y for steps y (p, k, d)."""
    if "basis" not in shape:
        return y / np.sqrt(shape["covariance"])[:, None]
    basis = shape["basis"]
    return np.matmul(np.matmul(y, basis) / shape["scales"][:, None], _transposed(basis))


def _gain(rate: float, rates: Rates) -> float:
    """What a step is multiplied with in a path of this rate, so that an undirected path is N(0, C)."""
    return float(np.sqrt(rate * (2 - rate) * rates.mu_eff))


def _transposed(matrices: NDArray) -> NDArray:
    return matrices.swapaxes(-1, -2)


def _one_thread() -> AbstractContextManager:
    """Inside, products and decompositions of matrices run in one thread: with more, their last bits would depend on
    how many there are, and so on how the peers are dealt to processes."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
