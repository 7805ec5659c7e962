"""Eigenvalues at the ends of a large sparse Laplacian, also where they crowd together, as on a long ring.

Lanczos is tried first: it is quick on graphs that mix well. Where it does not converge the graph is thin (rings, paths,
grids), so a sparse factorisation is cheap, and Lanczos on the inverse converges at once.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh, splu

RESTARTS = 30  # of plain Lanczos, before the inverse is tried
_CROWD = 1e-3  # of the spectrum's width: how far from its end the shift of `largest` stands


def second_smallest(L: sp.csr_array) -> float:
    """Second smallest eigenvalue of a Laplacian.

    Args:
        L: Symmetric, rows that sum to zero, of a connected graph; shape (n, n), n well above 40. For instance I - W.
    """
    n = np.shape(L)[0]
    width = _bound(L)

    def flipped(x: NDArray) -> NDArray:  # width·(I - J) - L: the constant vector goes to 0, our eigenvalue to the top
        x = x - x.mean()
        return width * x - L @ x

    try:
        return width - _top(LinearOperator((n, n), flipped, dtype=float), restarts=RESTARTS)
    except ArpackNoConvergence:
        factors = splu(sp.csc_array(L[1:, 1:]))  # peer 0 held at zero; any solution is right up to a constant

    def inverse(x: NDArray) -> NDArray:  # L's pseudo-inverse
        x = x - x.mean()
        y = np.concatenate([[0.0], factors.solve(x[1:])])
        return y - y.mean()

    return 1 / _top(LinearOperator((n, n), inverse, dtype=float))


def largest(L: sp.csr_array) -> float:
    """Largest eigenvalue of a Laplacian; arguments as in `second_smallest`, but the graph need not be connected."""
    n = np.shape(L)[0]
    try:
        return _top(LinearOperator((n, n), lambda x: L @ x, dtype=float), restarts=RESTARTS)
    except ArpackNoConvergence:
        width = _bound(L)
        shift = width * (1 + _CROWD)
        factors = splu(sp.csc_array(shift * sp.eye_array(n) - L))
        return shift - 1 / _top(LinearOperator((n, n), factors.solve, dtype=float))


def _top(operator: LinearOperator, restarts: int = 3000) -> float:
    """Largest eigenvalue of a symmetric operator; the start is fixed, so that the same graph gives the same figure."""
    start = np.random.default_rng(0).standard_normal(np.shape(operator)[0])
    return float(
        eigsh(
            operator,
            k=1,
            which="LA",
            ncv=40,
            v0=start - start.mean(),
            tol=1e-10,
            maxiter=restarts,
            return_eigenvectors=False,
        )[0]
    )


def _bound(L: sp.csr_array) -> float:
    """An upper bound of the eigenvalues (Gershgorin)."""
    return float(abs(L).sum(axis=1).max())
