"""Lanczos's method without reorthogonalisation or restarts, for the outer eigenvalues of a large symmetric operator.

A step costs little more than one product with the matrix. What rounding does to it (Paige 1980, "Accuracy and
effectiveness of the Lanczos algorithm for the symmetric eigenproblem") is to find the outer eigenvalues more than once,
never wrongly.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

PATIENCE = 300  # steps, before `give_up` is asked
MOST = 5000  # steps at most
_FLOOR = 1e-14  # of the operator's scale: no residual need be smaller
_NOTHING = 1e-12  # of the operator's scale: a next basis vector so short is rounding, and the basis complete

Operator = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SMALLEST, LARGEST = 0, -1


@dataclass(frozen=True)
class Ritz:
    """An eigenvalue as it was found.

    Args:
        value: The eigenvalue.
        settled: Whether its residual is as small as was asked for.
        coefficients: Of its eigenvector in the Lanczos vectors, shape (k,).
        operator: Whose eigenvalue it is, and the number of peers n.
    """

    value: float
    settled: bool
    coefficients: NDArray[np.float64]
    operator: tuple[Operator, int]

    def vector(self) -> NDArray[np.float64]:
        """The eigenvector, shape (n,), length 1: the Lanczos vectors are made again, since nobody kept them."""
        found = np.zeros(self.operator[1])
        for share, (v, _, _) in zip(self.coefficients, _basis(*self.operator), strict=False):
            found += share * v
        return found / np.linalg.norm(found)


def outer(
    apply: Operator,
    n: int,
    sides: Sequence[int],
    enough: Callable[[float], float],
    give_up: Callable[[], bool] = lambda: False,
) -> dict[int, Ritz]:
    """Outer eigenvalues of a symmetric operator on the vectors whose sum is zero.

    Args:
        apply: The operator, (n,) → (n,); what it gives is shifted to sum to zero.
        n: Number of peers, at least 2.
        sides: SMALLEST, LARGEST or both.
        enough: From an eigenvalue to the residual ‖Av - μv‖ that it may have.
        give_up: Asked once, after PATIENCE steps: whether to stop there.

    Returns:
        side → eigenvalue. It is not settled where we gave up, or after MOST steps.
    """
    alphas: list[float] = []
    betas: list[float] = []
    found: dict[int, Ritz] = {}
    look, scale, asked = 10, 0.0, False
    for _, alpha, beta in islice(_basis(apply, n), MOST):
        alphas.append(alpha)
        betas.append(beta)
        k, scale = len(alphas), max(scale, abs(alpha) + beta)
        complete = beta <= _NOTHING * scale
        if k < min(look, MOST) and not complete:
            continue
        look = k + max(10, k // 10)
        for side in sides:
            value, vector = _end(alphas, betas, side)
            residual = 0.0 if complete else beta * abs(vector[-1])
            found[side] = Ritz(value, residual <= max(enough(value), _FLOOR * scale), vector, (apply, n))
        if all(ritz.settled for ritz in found.values()):
            break
        if k >= PATIENCE and not asked:
            asked = True
            if give_up():
                break
    return found


def _basis(apply: Operator, n: int) -> Iterator[tuple[NDArray[np.float64], float, float]]:
    """Lanczos vectors, each with its entries α_k and β_k of the tridiagonal matrix.

    The start is fixed, so that the same graph gives the same figure.
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
