"""How much a round, or a period of rounds, leaves of the peers' disagreement.

The expected contraction λ_max(E[WᵀW] - J) is the most that an average round leaves of the squared distance to the mean.
Of a period we take the norm and the spectral radius of W_τ … W_1 - J. Where rows and columns do not both sum to one, J
is not what the products tend to, and D_t = (I - J) W_t (I - J) takes the place of W_t - J: what remains of the
differences between peers. The eigenvalues of D_t are those of W_t but for one that is 1; its norm may exceed 1.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs

from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.extremes import LARGEST, extremal_eigenpairs
from dfedsam.topologies.spectra.rounds import Rounds, sample_rounds
from dfedsam.topologies.topology import TOLERANCE, Topology, require_topology

CHEAP = 10  # products of entries that WᵀW takes for each entry of W, up to which it is made at once above DENSE peers
DEAR = 100  # and up to which it is made where Lanczos does not converge without it
PRODUCTS = 1 << 25  # of entries in all, above CHEAP: WᵀW may have as many entries, each of 12 bytes
FILL = 10  # entries a row up to which a product of large sparse matrices is made
SUMS = 1e-10  # what rounding may do to the sums of such a product
_PASSES = 3
RESTARTS = 3  # of ARPACK, for the spectral radius of a large W that is not symmetric


class Contraction(NamedTuple):
    """The expected contraction and how well it is known.

    Attributes:
        value: λ_max(E[WᵀW] - J); None where Lanczos did not converge.
        stderr: its standard error, 0 where exact.
        exact: whether it is exact, not estimated from drawn rounds.
    """

    value: float | None
    stderr: float
    exact: bool


def expected_contraction(topology: Topology, steps: int = 1, rounds: Rounds | None = None) -> Contraction:
    """λ_max(E[WᵀW] - J): E ‖x_t - x̄‖² ≤ its t-th power times ‖x_0 - x̄‖², where each W_t is drawn independently.

    Exact where the topology has a formula, and over a period, whose rounds are taken as equally likely. Otherwise it is
    estimated from drawn rounds. The largest eigenvalue of their mean would be too large on average. So one half of the
    rounds gives the vector v that their mean shrinks least, the other half how much a round leaves of ‖v‖², and vice
    versa; the estimate is the mean over all rounds. Its bias is downward, by the square of v's error. Where rows and
    columns do not both sum to one, (I - J) W (I - J) takes the place of W (see above).

    Args:
        topology: any.
        steps: gossip steps Q a round, at least 1: W_t^Q takes the place of W_t.
        rounds: the rounds to use, if they have been sampled already.

    Returns:
        The value and its standard error. The value is None where the top eigenvalues of a large topology are too close.
    """
    require_topology(topology)
    exact = topology.contraction() if steps == 1 else None
    if exact is not None:
        return Contraction(exact, 0.0, True)
    rounds = rounds or sample_rounds(topology)
    if not rounds.sampled:
        return Contraction(_top(_Stack(rounds.matrices, steps), rounds.keeps_mean)[0], 0.0, True)
    middle, samples = len(rounds.matrices) // 2, []
    first, second = (_Stack(half, steps) for half in (rounds.matrices[:middle], rounds.matrices[middle:]))
    for half, other in ((first, second), (second, first)):
        value, v = _top(half, rounds.keeps_mean)
        if value is None:
            return Contraction(None, 0.0, False)
        samples.append(np.sum(other.forward(v) ** 2, axis=1))
    remaining = np.concatenate(samples)  # of ‖v‖² = 1, in each round
    return Contraction(float(np.mean(remaining)), float(np.std(remaining, ddof=1) / np.sqrt(len(remaining))), False)


def contraction_of(second_moment: sp.csr_array) -> float:
    """λ_max(S - J) of a known S = E[WᵀW], symmetric, shape (n, n)."""
    n = len(second_moment.indptr) - 1
    if extremes.small(n):
        return float(np.linalg.eigvalsh(second_moment.toarray() - 1 / n)[-1])
    return 1 - extremes.second_smallest(sp.csr_array(diagonal(np.ones(n)) - second_moment))


class _Stack:
    """Some rounds at once: their matrices one below the other, which replaces a product for each.

    Above extremes.LARGE peers they stay apart, to save memory.
    """

    def __init__(self, matrices: Sequence[sp.csr_array], steps: int) -> None:
        self.rounds, self.n, self.steps = len(matrices), len(matrices[0].indptr) - 1, steps
        entries = np.concatenate([np.diff(W.indptr) for W in matrices]).astype(np.float64)
        self.products = float(entries @ entries)  # of entries that all WᵀW take
        self.fill = self.products / entries.sum()
        self._factors = matrices if self.n > extremes.LARGE else ()
        if not self._factors:
            self._first = sp.csr_array(sp.vstack(matrices))
            self._later = sp.csr_array(sp.block_diag(matrices)) if steps > 1 else self._first

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The deviation from the mean after each round from x (n,): (rounds, n)."""
        if self._factors:
            return np.stack([forward([W] * self.steps, x) for W in self._factors])
        y = self._first @ x
        for _ in range(self.steps - 1):
            y = self._later @ y
        y = y.reshape(self.rounds, self.n)
        return y - y.mean(axis=1, keepdims=True)

    def mean_square(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of DᵀD x over the rounds, but for a constant, shape (n,), for x (n,) whose sum is zero."""
        if self._factors:
            each = (forward([W.T] * self.steps, forward([W] * self.steps, x)) for W in self._factors)
            return sum(each, np.zeros(self.n)) / self.rounds
        y = self.forward(x).ravel()
        for _ in range(self.steps - 1):
            y = self._later.T @ y
        return self._first.T @ y / self.rounds

    def moment(self) -> sp.csr_array:
        """The mean of (W^Q)ᵀ W^Q."""
        if self._factors:
            powers = [reduce(operator.matmul, [W] * self.steps) for W in self._factors]
            return sp.csr_array(reduce(operator.add, (power.T @ power for power in powers)) / self.rounds)
        power = self._first
        for _ in range(self.steps - 1):
            power = self._later @ power
        return sp.csr_array(power.T @ power / self.rounds)


def _top(stack: _Stack, keeps_mean: bool) -> tuple[float | None, NDArray[np.float64]]:
    """λ_max of the mean of DᵀD over these rounds, and its eigenvector."""
    n = stack.n
    if keeps_mean and extremes.small(n):
        values, vectors = np.linalg.eigh(stack.moment().toarray() - 1 / n)
        return float(values[-1]), vectors[:, -1]
    fill = stack.fill if keeps_mean and stack.steps == 1 else np.inf
    if fill > CHEAP:
        pair = extremal_eigenpairs(stack.mean_square, n, (LARGEST,), _tolerance)[LARGEST]
        if pair.converged or fill > DEAR or stack.products > PRODUCTS:
            return pair.value if pair.converged else None, pair.vector()
    low, v = extremes.fiedler(sp.csr_array(diagonal(np.ones(n)) - stack.moment()))
    return 1 - low, v


def _tolerance(value: float) -> float:
    return extremes.RESIDUAL * min(value, abs(1 - value))


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
    if n > extremes.LARGE and is_normal(*matrices):
        return norm(matrices, steps)

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


def is_normal(*matrices: sp.csr_array) -> bool:
    """Whether W Wᵀ = Wᵀ W for W = W_τ … W_1, tested on random vectors: then singular values are eigenvalues' moduli."""
    x = np.random.default_rng(0).standard_normal((len(matrices[0].indptr) - 1, 2))
    one, other = x, x
    for W in reversed(matrices):
        one = W.T @ one
    for W in matrices:
        one, other = W @ one, W @ other
    for W in reversed(matrices):
        other = W.T @ other
    return bool(np.linalg.norm(one - other) <= TOLERANCE * np.linalg.norm(x))
