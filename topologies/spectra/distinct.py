"""What accelerated gossip must know of one symmetric W: the ends of its spectrum, and its distinct eigenvalues."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.topologies.spectra.symmetric import outer_two

T = TypeVar("T")
_BREAKDOWN = 1e-9  # what Lanczos leaves, at most, once it has met every eigenvalue
_KEPT = 8  # matrices whose figures are remembered


def remembered(function: Callable[..., T]) -> Callable[..., T]:
    """Remember a function's last values by the identity of W, its first argument, and by the others."""
    known: dict[tuple, tuple[sp.csr_array, T]] = {}

    def asked(W: sp.csr_array, *more: int) -> T:
        key = id(W), *more
        if key not in known:
            if len(known) >= _KEPT:
                known.pop(next(iter(known)))
            known[key] = W, function(W, *more)  # W is kept, so that its identity stays its own
        return known[key][1]

    asked.__doc__, asked.__name__ = function.__doc__, function.__name__
    return asked


@remembered
def spectrum_ends(W: sp.csr_array) -> tuple[float, float]:
    """(λ_min, λ₂): the smallest and the second largest eigenvalue of a symmetric W; remembered for the last few W.

    Raises:
        ValueError: if W is not symmetric.
    """
    lambda_2, lambda_min = outer_two(W)
    return lambda_min, lambda_2


@remembered
def distinct_eigenvalues(W: sp.csr_array, most: int) -> NDArray[np.float64] | None:
    """The distinct eigenvalues of a symmetric W on vectors of mean zero, rising; None if there are more than `most`.

    Lanczos from a random vector ends after as many steps as there are (Golub and Van Loan, 2013, section 10.1).
    """
    n = len(W.indptr) - 1
    basis: NDArray[np.float64] = np.zeros((most + 1, n))
    start = np.random.default_rng(0).standard_normal(n)
    start -= start.mean()
    basis[0] = start / np.linalg.norm(start)
    diagonal, beside = np.zeros(most), np.zeros(most)
    for k in range(min(most, n - 1)):
        y = W @ basis[k]
        diagonal[k] = basis[k] @ y
        for _ in range(2):  # twice is enough
            y -= basis[: k + 1].T @ (basis[: k + 1] @ y)
            y -= y.mean()
        beside[k] = np.linalg.norm(y)
        if beside[k] < _BREAKDOWN:
            T_ = np.diag(diagonal[: k + 1]) + np.diag(beside[:k], 1) + np.diag(beside[:k], -1)
            return np.asarray(np.linalg.eigvalsh(T_), np.float64)
        basis[k + 1] = y / beside[k]
    return None
