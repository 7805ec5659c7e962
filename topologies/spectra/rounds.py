"""The rounds that a topology's spectrum is computed from: who may talk, what is sent, and when peers hold the mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.extremes import LARGEST, extremal_eigenpairs
from dfedsam.topologies.topology import TOLERANCE, Sums, Topology

LONG = 1000  # rounds of a period up to which all of it is used
ENTRIES = 50_000  # where rounds are drawn: peers of all sampled rounds together; but FEWEST to MOST rounds
FEWEST, MOST = 40, 500
BEFORE, AFTER = 1e-6, 1e-12  # a round that takes the distance from above the one to below the other ended it
_DOUBLINGS = 50  # 2^50 periods count as never


@dataclass(frozen=True)
class Rounds:
    """The matrices that a topology's spectrum is computed from.

    Args:
        matrices: W_0, W_1, …, each (n, n); at least one.
        sampled: whether the rounds are a sample: W_t is random, or the period is longer than LONG.
        sums: which of their sums are one (see `Topology`).
    """

    matrices: list[sp.csr_array]
    sampled: bool
    sums: Sums

    @property
    def n(self) -> int:
        """Number of peers."""
        return len(self.matrices[0].indptr) - 1

    @property
    def keeps_mean(self) -> bool:
        """Whether gossip keeps the mean."""
        return self.sums == "both"


class SupportMetrics(TypedDict):
    """The graph of all who may talk over time; `Spectrum` explains the fields."""

    edges: int
    degree_min: int
    degree_mean: float
    degree_max: int
    diameter: int | None


class TrafficMetrics(TypedDict):
    """The messages of a round; `Spectrum` explains the fields."""

    degree_round_mean: float
    degree_round_max: int
    vectors_per_round: float


def sample_rounds(topology: Topology) -> Rounds:
    """Take all rounds of a period, or the first 40 to 500 of a topology that is drawn, fewer of larger ones."""
    sampled = topology.period is None or topology.period > LONG
    count = min(MOST, max(FEWEST, ENTRIES // topology.n)) if sampled else topology.period or 1
    return Rounds([topology.weights(t) for t in range(count)], sampled, topology.sums)


def support_metrics(support: sp.csr_array | None, n: int, *, directed: bool) -> SupportMetrics:
    """Edges, degrees and diameter of the graph of all who may talk, as `Topology.support` gives it.

    In a directed one each direction is an edge, and a degree is the number of peers that one sends to.
    """
    if support is None:
        degrees = np.full(n, n - 1)
        diameter: int | None = 1
    else:
        degrees = np.bincount(support.indices, minlength=n)
        diameter = _diameter(support) if extremes.small(n) else None
    return {
        "edges": int(degrees.sum()) // (1 if directed else 2),
        "degree_min": int(degrees.min()),
        "degree_mean": float(degrees.mean()),
        "degree_max": int(degrees.max()),
        "diameter": diameter,
    }


def traffic_metrics(matrices: Sequence[sp.csr_array], steps: int) -> tuple[TrafficMetrics, bool]:
    """The messages of some rounds, with Q gossip steps in each, and whether the rounds differ in what is sent."""
    degrees = np.stack([_receivers(W) for W in matrices])
    sent = steps * int(degrees.sum())
    metrics: TrafficMetrics = {
        "degree_round_mean": float(degrees.mean()),
        "degree_round_max": int(degrees.max()),
        "vectors_per_round": sent / len(matrices) if sent % len(matrices) else sent // len(matrices),
    }
    return metrics, bool(np.ptp(degrees.sum(axis=1)))


def _receivers(W: sp.csr_array) -> NDArray[np.int64]:
    """To how many others each peer sends, shape (n,)."""
    entries = np.bincount(W.indices[W.data != 0], minlength=len(W.indptr) - 1)
    return entries - (W.diagonal() != 0)


def _diameter(support: sp.csr_array) -> int | None:
    longest = shortest_path(support.astype(np.float64), unweighted=True).max()
    return int(longest) if np.isfinite(longest) else None


def finite_time(rounds: Rounds) -> int | None:
    """The smallest number of rounds, from round 0, after which every peer holds the mean exactly: W_t … W_1 = J.

    Random vectors are mixed for three periods, or 4 log₂ n rounds if that is more, or until their distance from the
    mean is zero. None if it is not by then, if rounds are drawn, or if the fixed point is not the mean.
    """
    if rounds.sampled or rounds.sums == "rows":
        return None
    x = np.random.default_rng(0).standard_normal((rounds.n, 4))
    x = (x - x.mean(axis=0)) / np.linalg.norm(x)
    before, period = 1.0, len(rounds.matrices)
    for t in range(max(3 * period, 4 * (rounds.n - 1).bit_length())):
        x = rounds.matrices[t % period] @ x
        after = float(np.linalg.norm(x - x.mean(axis=0)))
        if after <= AFTER:
            return t + 1 if before >= BEFORE else None
        before = after
    return None


def rounds_to(rounds: Rounds, error: float, steps: int = 1) -> int | None:
    """The smallest number of rounds after which ‖x_t - x̄‖ ≤ error · ‖x_0 - x̄‖ from any start, with Q steps a round.

    Exact, by dense products, so meant for up to 500 peers. None if never.
    """
    n = rounds.n

    def done(product: NDArray[np.float64]) -> bool:
        D = product - product.mean(axis=0)
        frobenius = float(np.linalg.norm(D))
        if frobenius <= error or frobenius > error * np.sqrt(n):
            return frobenius <= error
        pairs = extremal_eigenpairs(lambda x: D.T @ (D @ x), n, (LARGEST,), lambda square: extremes.RESIDUAL * square)
        return pairs[LARGEST].value <= error**2

    return _first(rounds.matrices, np.eye(n) - 1 / n, done, steps)


def mixing_time(rounds: Rounds) -> int | None:
    """The smallest t with max_i ½ Σ_j |P_ij - π_j| ≤ 1/4, where P = W_t … W_1 and π is its limit.

    By then the weights of the peers' starting values in what each peer holds are near those of the limit, in total
    variation.

    For one W it is the mixing time t_mix(1/4) of the Markov chain W (Levin and Peres 2017, "Markov chains and mixing
    times", section 4.5), whose π is 1/n where W keeps the mean; where only columns sum to one, that of Wᵀ.

    Returns:
        Rounds; None above 500 peers, if never, where an entry is negative, where rounds are drawn, or where they
        change and do not keep the mean.
    """
    matrices, n = rounds.matrices, rounds.n
    one = len(matrices) == 1
    negative = any(W.nnz and W.data.min() < -TOLERANCE for W in matrices)
    if rounds.sampled or negative or not extremes.small(n) or not (rounds.keeps_mean or one):
        return None
    limit = np.full(n, 1 / n)
    if not rounds.keeps_mean:
        if rounds.sums == "columns":
            matrices = [sp.csr_array(matrices[0].T)]
        limit = np.linalg.solve(matrices[0].toarray().T - np.eye(n) + 1, np.ones(n))  # πᵀW = πᵀ, Σ π = 1
    return _first(matrices, np.eye(n), lambda product: np.abs(product - limit).sum(axis=1).max() <= 0.5 + TOLERANCE)


def _first(
    matrices: Sequence[sp.csr_array],
    start: NDArray[np.float64],
    done: Callable[[NDArray[np.float64]], bool],
    steps: int = 1,
) -> int | None:
    """The smallest t ≥ 1 for which the product of the first t rounds is done, where it stays done once it is.

    Whole periods are doubled until they are done; then they are halved again.
    """

    def scan(product: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
        for t, W in enumerate(matrices, 1):
            for _ in range(steps):
                product = W @ product
            if done(product):
                return t, product
        return 0, product

    t, period = scan(start)
    powers = [period]
    while not t and not done(powers[-1]):
        if len(powers) > _DOUBLINGS:
            return None
        powers.append(powers[-1] @ powers[-1])
    if t:
        return t
    whole, product = 2 ** (len(powers) - 2), powers[-2]  # periods that are not enough
    for k in range(len(powers) - 3, -1, -1):
        further = powers[k] @ product
        if not done(further):
            whole, product = whole + 2**k, further
    t, _ = scan(product)
    return whole * len(matrices) + t
