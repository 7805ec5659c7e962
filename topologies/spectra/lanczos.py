"""Lanczos's method without reorthogonalisation or restarts, for the outer eigenvalues of a large symmetric operator.

A step costs little more than one product with the matrix. Rounding makes it find outer eigenvalues more than once, but
never wrong ones (Paige 1980, "Accuracy and effectiveness of the Lanczos algorithm for the symmetric eigenproblem").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

PATIENCE = 300  # steps before `should_stop` is called
MOST = 5000  # steps at most
_FLOOR = 1e-14  # of the operator's scale: no residual need be smaller
_BREAKDOWN = 1e-12  # of the operator's scale: a next basis vector this short is rounding, and the basis complete

Operator = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SMALLEST, LARGEST = 0, -1


@dataclass(frozen=True)
class Ritz:
    """An approximate eigenpair.

    Args:
        value: the eigenvalue.
        converged: whether its residual is within the tolerance.
        coefficients: of its eigenvector in the Lanczos vectors, shape (k,).
        operator: the operator, and the number of peers n.
    """

    value: float
    converged: bool
    coefficients: NDArray[np.float64]
    operator: tuple[Operator, int]

    def vector(self) -> NDArray[np.float64]:
        """The eigenvector, shape (n,), length 1; the Lanczos vectors, which are not kept, are made again."""
        vector = np.zeros(self.operator[1])
        for coefficient, (v, _, _) in zip(self.coefficients, _basis(*self.operator), strict=False):
            vector += coefficient * v
        return vector / np.linalg.norm(vector)


def extremal_eigenpairs(
    apply: Operator,
    n: int,
    sides: Sequence[int],
    tolerance: Callable[[float], float],
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[int, Ritz]:
    """Find the smallest or largest eigenpair of a symmetric operator, or both, on the vectors whose sum is zero.

    Args:
        apply: the operator, (n,) → (n,); what it gives is shifted to sum to zero.
        n: number of peers, at least 2.
        sides: SMALLEST, LARGEST or both.
        tolerance: from an eigenvalue to the residual ‖Av - μv‖ that it may have.
        should_stop: called once, after PATIENCE steps: whether to stop there.

    Returns:
        side → eigenpair. It has not converged where the search was stopped, or after MOST steps.
    """
    alphas: list[float] = []
    betas: list[float] = []
    pairs: dict[int, Ritz] = {}
    next_check, scale, asked = 10, 0.0, False
    for _, alpha, beta in islice(_basis(apply, n), MOST):
        alphas.append(alpha)
        betas.append(beta)
        k, scale = len(alphas), max(scale, abs(alpha) + beta)
        complete = beta <= _BREAKDOWN * scale
        if k < min(next_check, MOST) and not complete:
            continue
        next_check = k + max(10, k // 10)
        for side in sides:
            value, vector = _end(alphas, betas, side)
            residual = 0.0 if complete else beta * abs(vector[-1])
            pairs[side] = Ritz(value, residual <= max(tolerance(value), _FLOOR * scale), vector, (apply, n))
        if all(ritz.converged for ritz in pairs.values()):
            break
        if k >= PATIENCE and not asked:
            asked = True
            if should_stop():
                break
    return pairs


def _basis(apply: Operator, n: int) -> Iterator[tuple[NDArray[np.float64], float, float]]:
    """Lanczos vectors, each with its entries α_k and β_k of the tridiagonal matrix.

    The start is fixed, so that the same graph gives the same eigenvalues.
    """
    v = np.random.default_rng(0).standard_normal(n)
    v -= v.mean()
    v /= np.linalg.norm(v)
    before, beta = np.zeros(n), 0.0
    while True:
        w = apply(v) - beta * before
        alpha = float(w @ v)
        w -= alpha * v
        w -= w.mean()
        beta = float(np.linalg.norm(w))
        yield v, alpha, beta
        before, v = v, w / beta


def _end(alphas: list[float], betas: list[float], side: int) -> tuple[float, NDArray[np.float64]]:
    """The eigenpair of the tridiagonal matrix at one side."""
    which = 0 if side == SMALLEST else len(alphas) - 1
    values, vectors = eigh_tridiagonal(alphas, betas[:-1], select="i", select_range=(which, which))
    return float(values[0]), vectors[:, 0]
