"""What an average round leaves, at most, of the squared distance from the mean: λ_max(E[WᵀW] - J)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.lanczos import LARGEST, outer
from dfedsam.topologies.spectra.rounds import Rounds, looked_at
from dfedsam.topologies.topology import Topology

CHEAP = 10  # products of entries that WᵀW takes for each entry of W, up to which it is made at once above DENSE peers
DEAR = 100  # and up to which it is made where Lanczos does not end without it


class Contraction(NamedTuple):
    """The figure, its standard error, and whether it is exact, not estimated."""

    value: float | None
    stderr: float
    exact: bool


def expected_contraction(topology: Topology, steps: int = 1, rounds: Rounds | None = None) -> Contraction:
    """λ_max(E[WᵀW] - J): E ‖x_t - x̄‖² ≤ its t-th power times ‖x_0 - x̄‖², where each W_t is drawn by itself.

    Exact where the topology has a formula, and over a period, whose rounds are taken as equally likely. Else it is
    estimated from drawn rounds. The largest eigenvalue of their mean would be too large on average. So half of the
    rounds gives the vector v that their mean shrinks least, and the other half says how much a round leaves of ‖v‖²;
    then the halves change places. The figure is the mean over all rounds, with its standard error. It errs, if at all,
    to the low side, by the square of v's error. Where rows and columns do not both sum to one, (I - J) W (I - J) takes
    the place of W (see `topologies.spectra.products`).

    Args:
        topology: Any.
        steps: Gossip steps Q a round, at least 1: W_t^Q takes the place of W_t.
        rounds: What is looked at, if it is there already.

    Returns:
        The figure and its standard error. The figure is None where the eigenvalues of a large topology stand too close.
    """
    exact = topology.contraction() if steps == 1 else None
    if exact is not None:
        return Contraction(exact, 0.0, True)
    rounds = rounds or looked_at(topology)
    if not rounds.sampled:
        return Contraction(_top(_Stack(rounds.matrices, steps), rounds.keeps_mean)[0], 0.0, True)
    middle, left = len(rounds.matrices) // 2, []
    first, second = (_Stack(half, steps) for half in (rounds.matrices[:middle], rounds.matrices[middle:]))
    for half, other in ((first, second), (second, first)):
        value, v = _top(half, rounds.keeps_mean)
        if value is None:
            return Contraction(None, 0.0, False)
        left.append(np.sum(other.forward(v) ** 2, axis=1))
    left = np.concatenate(left)
    return Contraction(float(np.mean(left)), float(np.std(left, ddof=1) / np.sqrt(len(left))), False)


class _Stack:
    """Some rounds at once: their matrices one below the other, which spares a product for each."""

    def __init__(self, matrices: Sequence[sp.csr_array], steps: int) -> None:
        self.rounds, self.n, self.steps = len(matrices), len(matrices[0].indptr) - 1, steps
        self._first = sp.csr_array(sp.vstack(matrices))
        self._later = sp.csr_array(sp.block_diag(matrices)) if steps > 1 else self._first
        entries = np.diff(self._first.indptr).astype(np.float64)
        self.fill = float(entries @ entries / entries.sum())  # products that all WᵀW take for each entry of the W

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each round makes of x (n,), less its mean: (rounds, n)."""
        y = self._first @ x
        for _ in range(self.steps - 1):
            y = self._later @ y
        y = y.reshape(self.rounds, self.n)
        return y - y.mean(axis=1, keepdims=True)

    def mean_square(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of DᵀD x over the rounds, but for a constant, shape (n,), for x (n,) whose sum is zero."""
        y = self.forward(x).ravel()
        for _ in range(self.steps - 1):
            y = self._later.T @ y
        return self._first.T @ y / self.rounds

    def moment(self) -> sp.csr_array:
        """The mean of (W^Q)ᵀ W^Q."""
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
        enough = lambda top: extremes.RESIDUAL * min(top, abs(1 - top))  # noqa: E731
        found = outer(stack.mean_square, n, (LARGEST,), enough)[LARGEST]
        if found.settled or fill > DEAR:
            return found.value if found.settled else None, found.vector()
    low, v = extremes.slowest(sp.csr_array(diagonal(np.ones(n)) - stack.moment()))
    return 1 - low, v
