"""Extreme eigenvalues of large symmetric matrices by Lanczos's method, also where they cluster, as on a long ring.

Lanczos on the matrix is tried first, without reorthogonalisation or restarts: a step costs little more than one product
with the matrix. Rounding makes it find outer eigenvalues more than once, but never wrong ones (Paige 1980, "Accuracy
and effectiveness of the Lanczos algorithm for the symmetric eigenproblem"). On graphs that mix well it takes a few
hundred steps. Where a graph is so thin that it would take many thousands, a sparse factorisation is cheap, and Lanczos
on the inverse takes a few. (ARPACK reorthogonalises and restarts: it takes several times as long, or fails on them.)

Accuracy: the residual ‖Lv - μv‖ is at most RESIDUAL · μ, which bounds the relative error of μ. The error is usually
far smaller: the residual's square over the distance to the next eigenvalue. Above 100,000 peers a residual of 3e-4 is
enough: on random graphs of so many the error of 1 - λ₂ is about 1e-6, and at most 2e-5 at the other end. Long rows are
multiplied in float32 there, unless the eigenvalues are so small that it would show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded, eigh_tridiagonal
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee
from scipy.sparse.linalg import splu

from dfedsam.topologies.matrices import blocked_product, diagonal, with_diagonal

DENSE = 500  # peers up to which all eigenvalues are computed, from dense matrices
RESIDUAL = 1e-6  # of an eigenpair, relative to its eigenvalue: more than a table or a fit of gaps needs
LARGE = 100_000  # peers above which less memory counts for more than the last digits
_LARGE_RESIDUAL = 3e-4  # there, of Lanczos on the matrix itself
_DENSE_ROWS = 8  # entries of a row, above which products there are in float32
_SHORT = 1e-3  # of the largest eigenvalue: smaller ones need float64
_NARROW = 16  # bandwidth up to which a factorisation is banded there
THIN = 64  # bandwidth up to which a factorisation is certainly cheap
_NEAR = 1e-4  # how far above the largest eigenvalue the first shift stands, relative to it
PATIENCE = 300  # steps before `should_stop` is called
MOST = 5000  # steps at most
_FLOOR = 1e-14  # of the operator's scale: no residual need be smaller
_BREAKDOWN = 1e-12  # of the operator's scale: a next basis vector this short is rounding, and the basis complete

Operator = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SMALLEST, LARGEST = 0, -1


def small(n: int) -> bool:
    """Whether n peers are few enough for dense matrices."""
    return n <= DENSE


def laplacian(adjacency: sp.csr_array) -> sp.csr_array:
    """L = D - A, shape (n, n), from a symmetric A that has an entry for each edge, and none on its diagonal."""
    return with_diagonal(adjacency, -1.0, np.diff(adjacency.indptr).astype(np.float64))


def extreme_eigenvalues(make: Callable[[], sp.csr_array]) -> tuple[float, float]:
    """Second smallest and largest eigenvalue of a Laplacian, from one run of Lanczos's method if possible.

    The second smallest is 0 if its graph is not connected. The Laplacian, for instance I - W, is symmetric, positive
    semidefinite, of shape (n, n), and its rows sum to zero; `make` makes it here, so that no copy of a large one is
    kept.
    """
    L = make()
    if _size(L) > LARGE and L.nnz > _DENSE_ROWS * _size(L) and np.diff(L.indptr).all():
        n, short = _size(L), sp.csr_array((L.data.astype(np.float32), L.indices, L.indptr), shape=L.shape)
        del L
        product = blocked_product(short)
        del short
        ends = SMALLEST, LARGEST
        pairs = extremal_eigenpairs(product, n, ends, _large_residual, lambda pairs: not pairs[SMALLEST].converged)
        low, high = (pairs[side] for side in ends)
        if low.converged and high.converged and low.value > _SHORT * high.value:  # and so its graph is connected
            return low.value, high.value
        del pairs, low, high, product
        L = make()
    if not _is_connected(L):
        return 0.0, largest(L)
    pairs = _search(L, SMALLEST, LARGEST)
    return _smallest_value(L, pairs[SMALLEST]), _largest_value(L, pairs[LARGEST])


def second_smallest(L: sp.csr_array) -> float:
    """Second smallest eigenvalue of a Laplacian, as in `extreme_eigenvalues`; 0 if its graph is not connected."""
    return _smallest_value(L, _search(L, SMALLEST)[SMALLEST]) if _is_connected(L) else 0.0


def largest(L: sp.csr_array) -> float:
    """Largest eigenvalue of a Laplacian, as in `extreme_eigenvalues`."""
    pair = _search(L, LARGEST)[LARGEST]
    return _largest_value(L, pair)


def fiedler(L: sp.csr_array) -> tuple[float, NDArray[np.float64]]:
    """Second smallest eigenvalue of a Laplacian and its eigenvector, shape (n,): length 1, sum zero.

    Where its graph is not connected the eigenvalue is 0 and the vector constant on each part.
    """
    if not _is_connected(L):
        indicator = (connected_components(L, directed=False)[1] == 0).astype(np.float64)
        indicator -= indicator.mean()
        return 0.0, indicator / np.linalg.norm(indicator)
    pair = _search(L, SMALLEST)[SMALLEST]
    if pair.converged:
        return pair.value, pair.vector()
    inverse = _smallest_by_inverse(L)
    return 1 / inverse.value, inverse.vector()


def _search(L: sp.csr_array, *sides: int) -> dict[int, Ritz]:
    residual = _large_residual if _size(L) > LARGE else lambda mu: RESIDUAL * abs(mu)
    return extremal_eigenpairs(lambda x: L @ x, _size(L), sides, residual, lambda _: _is_thin(L))


def _large_residual(mu: float) -> float:
    return _LARGE_RESIDUAL * abs(mu)


def _smallest_value(L: sp.csr_array, smallest: Ritz) -> float:
    return smallest.value if smallest.converged else 1 / _smallest_by_inverse(L).value


def _largest_value(L: sp.csr_array, largest: Ritz) -> float:
    return largest.value if largest.converged else _largest_by_inverse(L, largest)


def _smallest_by_inverse(L: sp.csr_array) -> Ritz:
    """The largest eigenvalue of L's pseudo-inverse."""
    solve = _solver(sp.csr_array(L[1:, 1:]))  # peer 0 held at zero: any solution is right up to a constant
    if solve is None:
        raise ValueError("W has an eigenvalue above 1: the peers would diverge; fix the weights")

    def pseudo_inverse(x: NDArray[np.float64]) -> NDArray[np.float64]:
        x = x - x.mean()
        return np.concatenate([[0.0], solve(x[1:])])

    return extremal_eigenpairs(pseudo_inverse, _size(L), (LARGEST,), lambda theta: RESIDUAL * theta)[LARGEST]


def _largest_by_inverse(L: sp.csr_array, largest: Ritz) -> float:
    """Compute s - 1/θ, where θ is the largest eigenvalue of (sI - L)⁻¹, and s the first shift above L's spectrum."""
    n, above = _size(L), _NEAR
    shift = largest.value * (1 + above)  # a Ritz value is never above the spectrum
    while (solve := _solver(sp.csr_array(diagonal(np.full(n, shift)) - L))) is None:
        above *= 10
        shift = largest.value * (1 + above)
    theta = extremal_eigenpairs(solve, n, (LARGEST,), lambda theta: RESIDUAL * shift * theta**2)[LARGEST].value
    return shift - 1 / theta


def _solver(A: sp.csr_array) -> Operator | None:
    """The solution of Ax = b for a symmetric sparse A, as a function of b; None if A is not positive definite."""
    n = _size(A)
    if n > LARGE:
        place = _narrowed(A)
        entries = A.tocoo()
        row, column = place[entries.row], place[entries.col]
        width = int(np.abs(row - column).max())
        if width <= _NARROW:
            bands = np.zeros((width + 1, n))
            lower = row >= column
            bands[(row - column)[lower], column[lower]] = entries.data[lower]
            del entries, row, column, lower
            try:
                factor = cholesky_banded(bands, lower=True, overwrite_ab=True, check_finite=False)
            except LinAlgError:
                return None
            order = np.argsort(place)
            return lambda b: cho_solve_banded((factor, True), b[order], check_finite=False)[place]
    symmetric: Any = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    factors: Any = splu(sp.csc_array(A), **symmetric)  # with pivots on the diagonal
    definite = np.array_equal(factors.perm_r, factors.perm_c) and (factors.U.diagonal() > 0).all()
    return factors.solve if definite else None


def _is_thin(L: sp.csr_array) -> bool:
    """Whether a factorisation of L is certainly cheap: nearly a tree, or a narrow band after reverse Cuthill–McKee."""
    if L.nnz <= 3.02 * _size(L):
        return True
    place = _narrowed(L)
    row = np.repeat(place, np.diff(L.indptr))
    return bool(np.abs(row - place[L.indices]).max() <= THIN)


def _narrowed(L: sp.csr_array) -> NDArray[np.int64]:
    """The place of each row in an order in which entries are near the diagonal, shape (n,)."""
    place = np.empty(_size(L), dtype=np.int64)
    place[reverse_cuthill_mckee(L, symmetric_mode=True)] = np.arange(len(place))
    return place


def _is_connected(L: sp.csr_array) -> bool:
    return connected_components(L, directed=True, connection="strong", return_labels=False) == 1


def _size(L: sp.csr_array) -> int:
    return len(L.indptr) - 1


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
    should_stop: Callable[[dict[int, Ritz]], bool] = lambda _: False,
) -> dict[int, Ritz]:
    """Find the smallest or largest eigenpair of a symmetric operator, or both, on the vectors whose sum is zero.

    Args:
        apply: the operator, (n,) → (n,); what it gives, a new array, is shifted to sum to zero.
        n: number of peers, at least 2.
        sides: SMALLEST, LARGEST or both.
        tolerance: from an eigenvalue to the residual ‖Av - μv‖ that it may have.
        should_stop: called once, with the eigenpairs after PATIENCE steps: whether to stop there.

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
            if should_stop(pairs):
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
        w = apply(v)
        before *= beta
        w -= before
        alpha = float(w @ v)
        w -= np.multiply(v, alpha, out=before)
        w -= w.mean()
        beta = float(np.linalg.norm(w))
        yield v, alpha, beta
        w /= beta
        before, v = v, w


def _end(alphas: list[float], betas: list[float], side: int) -> tuple[float, NDArray[np.float64]]:
    """The eigenpair of the tridiagonal matrix at one side."""
    which = 0 if side == SMALLEST else len(alphas) - 1
    values, vectors = eigh_tridiagonal(alphas, betas[:-1], select="i", select_range=(which, which))
    return float(values[0]), vectors[:, 0]
