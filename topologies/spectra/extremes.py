"""Extreme eigenvalues of a large sparse Laplacian, also where they cluster, as on a long ring.

Lanczos on the matrix is tried first: on graphs that mix well it takes a few hundred steps. Where a graph is so thin
that it would take many thousands, a sparse factorisation is cheap, and Lanczos on the inverse takes a few.

Accuracy: the residual ‖Lv - μv‖ is at most RESIDUAL · μ, which bounds the relative error of μ. The error is usually
far smaller: the residual's square over the distance to the next eigenvalue.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee
from scipy.sparse.linalg import splu

from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.spectra.lanczos import LARGEST, SMALLEST, Ritz, extremal_eigenpairs

DENSE = 500  # peers up to which all eigenvalues are computed, from dense matrices
RESIDUAL = 1e-6  # of an eigenpair, relative to its eigenvalue: more than a table or a fit of gaps needs
THIN = 64  # bandwidth up to which a factorisation is certainly cheap
_NEAR = 1e-4  # how far above the largest eigenvalue the first shift stands, relative to it


def small(n: int) -> bool:
    """Whether n peers are few enough for dense matrices."""
    return n <= DENSE


def extreme_eigenvalues(L: sp.csr_array) -> tuple[float, float]:
    """Second smallest and largest eigenvalue of a Laplacian, from one run of Lanczos's method where that can be.

    Args:
        L: symmetric, positive semidefinite, rows that sum to zero; shape (n, n). For instance I - W.

    Returns:
        The second smallest (0 if its graph is not connected) and the largest.
    """
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
    return extremal_eigenpairs(lambda x: L @ x, _size(L), sides, lambda mu: RESIDUAL * abs(mu), lambda: _is_thin(L))


def _smallest_value(L: sp.csr_array, smallest: Ritz) -> float:
    return smallest.value if smallest.converged else 1 / _smallest_by_inverse(L).value


def _largest_value(L: sp.csr_array, largest: Ritz) -> float:
    return largest.value if largest.converged else _largest_by_inverse(L, largest)


def _smallest_by_inverse(L: sp.csr_array) -> Ritz:
    """The largest eigenvalue of L's pseudo-inverse."""
    solve = _factor(sp.csr_array(L[1:, 1:])).solve  # peer 0 held at zero: any solution is right up to a constant

    def pseudo_inverse(x: NDArray[np.float64]) -> NDArray[np.float64]:
        x = x - x.mean()
        return np.concatenate([[0.0], solve(x[1:])])

    return extremal_eigenpairs(pseudo_inverse, _size(L), (LARGEST,), lambda theta: RESIDUAL * theta)[LARGEST]


def _largest_by_inverse(L: sp.csr_array, largest: Ritz) -> float:
    """Compute s - 1/θ, where θ is the largest eigenvalue of (sI - L)⁻¹, and s the first shift above L's spectrum."""
    n, above = _size(L), _NEAR
    while True:
        shift = largest.value * (1 + above)  # a Ritz value is never above the spectrum
        factors = _factor(sp.csr_array(diagonal(np.full(n, shift)) - L))
        if np.array_equal(factors.perm_r, factors.perm_c) and (factors.U.diagonal() > 0).all():  # positive definite
            break
        above *= 10
    theta = extremal_eigenpairs(factors.solve, n, (LARGEST,), lambda theta: RESIDUAL * shift * theta**2)[LARGEST].value
    return shift - 1 / theta


def _factor(A: sp.csr_array) -> Any:
    """SuperLU's factors of a symmetric A, with pivots on its diagonal."""
    symmetric: Any = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    return splu(sp.csc_array(A), **symmetric)


def _is_thin(L: sp.csr_array) -> bool:
    """Whether a factorisation of L is certainly cheap: nearly a tree, or a narrow band after reverse Cuthill–McKee."""
    n = _size(L)
    if L.nnz <= 3.02 * n:
        return True
    place = np.empty(n, dtype=np.int64)
    place[reverse_cuthill_mckee(L, symmetric_mode=True)] = np.arange(n)
    entries = L.tocoo()
    return bool(np.abs(place[entries.row] - place[entries.col]).max() <= THIN)


def _is_connected(L: sp.csr_array) -> bool:
    return connected_components(L, directed=False, return_labels=False) == 1


def _size(L: sp.csr_array) -> int:
    return len(L.indptr) - 1
