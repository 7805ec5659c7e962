"""Eigenvalues at the ends of a large sparse Laplacian, also where they crowd together, as on a long ring.

Lanczos is tried first: it is quick on graphs that mix well. Where it does not converge the graph is thin (rings, paths,
grids), so a sparse factorisation is cheap, and Lanczos on the inverse converges at once.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh, splu

from topologies.tidy import diagonal

RESTARTS = 30  # of plain Lanczos, before the inverse is tried
_CROWD = 1e-3  # of the spectrum's width: how far from its end the shift of `largest` stands


def second_smallest(L: sp.csr_array) -> float:
    """Second smallest eigenvalue of a Laplacian; 0 if its graph is not connected.

    Args:
        L: Symmetric, rows that sum to zero; shape (n, n), n well above 40. For instance I - W.
    """
    n, width = len(L.indptr) - 1, _bound(L)
    if connected_components(L, directed=False, return_labels=False) > 1:
        return 0.0

    def flipped(x: NDArray) -> NDArray:  # width·(I - J) - L: the constant vector goes to 0, our eigenvalue to the top
        x = x - x.mean()
        return width * x - L @ x

    try:
        return width - _top(flipped, n, restarts=RESTARTS)
    except ArpackNoConvergence:
        factors = splu(sp.csc_array(L[1:, 1:]))  # peer 0 held at zero; any solution is right up to a constant

    def inverse(x: NDArray) -> NDArray:  # L's pseudo-inverse
        x = x - x.mean()
        y = np.concatenate([[0.0], factors.solve(x[1:])])
        return y - y.mean()

    return 1 / _top(inverse, n)


def largest(L: sp.csr_array) -> float:
    """Largest eigenvalue of a Laplacian; arguments as in `second_smallest`."""
    n = len(L.indptr) - 1
    try:
        return _top(lambda x: L @ x, n, restarts=RESTARTS)
    except ArpackNoConvergence:
        shift = _bound(L) * (1 + _CROWD)
        factors = splu(sp.csc_array(diagonal(np.full(n, shift)) - L))
        return shift - 1 / _top(factors.solve, n)


def _top(apply: Callable[[NDArray], NDArray], n: int, restarts: int = 3000) -> float:
    """Largest eigenvalue of a symmetric n × n operator; the start is fixed, so that the same graph gives the same
    figure."""
    operator = LinearOperator((n, n), apply, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    start = np.random.default_rng(0).standard_normal(n)
    options = {"which": "LA", "ncv": 40, "v0": start - start.mean(), "tol": 1e-10, "maxiter": restarts}
    return float(eigsh(operator, k=1, return_eigenvectors=False, **options)[0])


def _bound(L: sp.csr_array) -> float:
    """An upper bound of the eigenvalues (Gershgorin)."""
    return float(abs(L).sum(axis=1).max())
