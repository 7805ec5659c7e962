"""The product of a period's rounds: the norm and the spectral radius of W_τ … W_1 - J.

Where rows and columns do not both sum to one, J is not what the products tend to, and D_t = (I - J) W_t (I - J) takes
the place of W_t - J: what remains of the differences between peers. The eigenvalues of D_t are those of W_t but for one
that is 1; its norm may exceed 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs

from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.lanczos import LARGEST, extremal_eigenpairs
from dfedsam.topologies.topology import TOLERANCE

FILL = 10  # entries a row up to which a product of large sparse matrices is made
SUMS = 1e-10  # what rounding may do to the sums of such a product
_PASSES = 3
RESTARTS = 3  # of ARPACK, for the spectral radius of a large W that is not symmetric


def norm(matrices: Sequence[sp.csr_array], steps: int = 1) -> float | None:
    """‖D_τ^Q … D_1^Q‖₂ of matrices (n, n), with Q gossip steps in each round; what is within rounding of 0 is 0.

    None above 500 peers where the largest singular values are too close to tell them apart.
    """
    n = len(matrices[0].indptr) - 1
    if extremes.small(n):
        value: float | None = float(np.linalg.norm(product(matrices, steps), 2))
    else:
        value = _largest_singular_value(matrices, steps)
    return 0.0 if value is not None and value <= TOLERANCE else value


def radius(matrices: Sequence[sp.csr_array], steps: int = 1) -> float | None:
    """The largest eigenvalue modulus of D_τ^Q … D_1^Q; arguments as in `norm`.

    None above 500 peers where ARPACK does not converge in time: the eigenvalues are too close (see `long_run`).
    """
    n = len(matrices[0].indptr) - 1
    if extremes.small(n):
        return float(np.abs(np.linalg.eigvals(product(matrices, steps))).max())

    def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return forward(matrices, x - x.mean(), steps)

    operator = LinearOperator((n, n), apply, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    start = np.random.default_rng(0).standard_normal(n)
    options: dict[str, Any] = {"which": "LM", "v0": start, "tol": extremes.RESIDUAL, "maxiter": RESTARTS, "ncv": 40}
    try:
        return float(np.abs(eigs(operator, k=2, return_eigenvectors=False, **options)).max())
    except ArpackError:
        return None


def long_run(matrices: Sequence[sp.csr_array], steps: int = 1) -> float:
    """The rate a round at which disagreement shrinks from a typical start over all these rounds, repeated a few times.

    With drawn rounds, this estimates the exponential of the leading Lyapunov exponent. 0 where no disagreement remains.
    """
    x = forward([], np.random.default_rng(0).standard_normal(len(matrices[0].indptr) - 1))
    log_factor = 0.0
    for _ in range(_PASSES):  # the first ones bring out the slowest mode
        log_factor = 0.0
        for W in matrices:
            x = forward([W], x / np.linalg.norm(x), steps)
            remaining = float(np.linalg.norm(x))
            if remaining <= TOLERANCE:
                return 0.0
            log_factor += np.log(remaining)
    return float(np.exp(log_factor / len(matrices)))


def product(matrices: Sequence[sp.csr_array], steps: int = 1) -> NDArray[np.float64]:
    """D_τ^Q … D_1^Q, dense, shape (n, n)."""
    n = len(matrices[0].indptr) - 1
    return forward(matrices, np.eye(n) - 1 / n, steps)


def forward(matrices: Sequence[sp.csr_array], x: NDArray[np.float64], steps: int = 1) -> NDArray[np.float64]:
    """(I - J) W_τ^Q … W_1^Q x, for x of shape (n,) or (n, k)."""
    for W in matrices:
        for _ in range(steps):
            x = W @ x
    return x - x.mean(axis=0)


def _largest_singular_value(matrices: Sequence[sp.csr_array], steps: int) -> float | None:
    n = len(matrices[0].indptr) - 1
    whole = _sparse_product(matrices, steps)
    if whole is not None:  # then thin graphs are no trouble
        gap = extremes.second_smallest(sp.csr_array(diagonal(np.ones(n)) - whole.T @ whole))
        return float(np.sqrt(max(1 - gap, 0)))
    back = [W.T for W in reversed(matrices)]

    def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return forward(back, forward(matrices, x, steps), steps)  # x sums to zero

    def tolerance(square: float) -> float:
        return max(extremes.RESIDUAL * min(square, abs(1 - square)), TOLERANCE**2)

    pair = extremal_eigenpairs(apply, n, (LARGEST,), tolerance)[LARGEST]
    return float(np.sqrt(max(pair.value, 0.0))) if pair.converged else None


def _sparse_product(matrices: Sequence[sp.csr_array], steps: int) -> sp.csr_array | None:
    """W_τ^Q … W_1^Q, (n, n); None unless rows and columns sum to one and entries are few."""
    n = len(matrices[0].indptr) - 1
    A = diagonal(np.ones(n))
    for W in matrices:
        for _ in range(steps):
            A = sp.csr_array(W @ A)
            if A.nnz > FILL * n:
                return None
    sums = [np.asarray(A.sum(axis=axis)) for axis in (0, 1)]
    return A if all(np.abs(total - 1).max() <= SUMS for total in sums) else None


def is_normal(W: sp.csr_array) -> bool:
    """Whether W Wᵀ = Wᵀ W, tested on random vectors: then singular values are the eigenvalues' moduli."""
    x = np.random.default_rng(0).standard_normal((len(W.indptr) - 1, 2))
    return bool(np.linalg.norm(W @ (W.T @ x) - W.T @ (W @ x)) <= TOLERANCE * np.linalg.norm(x))
