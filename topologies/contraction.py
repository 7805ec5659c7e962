"""What an average round leaves, at most, of the squared distance from the mean: λ_max(E[WᵀW] - J)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from topologies import extremes
from topologies.lanczos import LARGEST, outer
from topologies.products import forward
from topologies.rounds import Rounds, looked_at
from topologies.tidy import diagonal
from topologies.topology import Topology

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
    the place of W (see `topologies.products`).

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
        return Contraction(_top(rounds.matrices, steps, rounds.keeps_mean)[0], 0.0, True)
    middle, left = len(rounds.matrices) // 2, []
    first, second = rounds.matrices[:middle], rounds.matrices[middle:]
    for half, other in ((first, second), (second, first)):
        value, v = _top(half, steps, rounds.keeps_mean)
        if value is None:
            return Contraction(None, 0.0, False)
        left += [float(np.sum(forward([W], v, steps) ** 2)) for W in other]
    return Contraction(float(np.mean(left)), float(np.std(left, ddof=1) / np.sqrt(len(left))), False)


def _top(matrices: Sequence[sp.csr_array], steps: int, keeps_mean: bool) -> tuple[float | None, NDArray[np.float64]]:
    """λ_max of the mean of DᵀD over these matrices, and its eigenvector."""
    n = len(matrices[0].indptr) - 1
    if keeps_mean and extremes.small(n):
        values, vectors = np.linalg.eigh(_second_moment(matrices, steps).toarray() - 1 / n)
        return float(values[-1]), vectors[:, -1]
    fill = _fill(matrices) if keeps_mean and steps == 1 else np.inf
    if fill > CHEAP:
        back = [W.T for W in matrices]

        def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
            pairs = zip(matrices, back, strict=True)
            return sum((forward([T], forward([W], x, steps), steps) for W, T in pairs), np.zeros(n)) / len(matrices)

        found = outer(apply, n, (LARGEST,), lambda top: extremes.RESIDUAL * min(top, abs(1 - top)))[LARGEST]
        if found.settled or fill > DEAR:
            return found.value if found.settled else None, found.vector()
    low, v = extremes.slowest(sp.csr_array(diagonal(np.ones(n)) - _second_moment(matrices, 1)))
    return 1 - low, v


def _fill(matrices: Sequence[sp.csr_array]) -> float:
    """Products of entries that all WᵀW take, for each entry of the matrices."""
    rows = np.concatenate([np.diff(W.indptr) for W in matrices]).astype(np.float64)
    return float(rows @ rows / rows.sum())


def _second_moment(matrices: Sequence[sp.csr_array], steps: int) -> sp.csr_array:
    """The mean of (W^Q)ᵀ W^Q."""
    total = sp.csr_array(matrices[0].shape)
    for W in matrices:
        power = W
        for _ in range(steps - 1):
            power = power @ W
        total = total + power.T @ power
    return sp.csr_array(total / len(matrices))
