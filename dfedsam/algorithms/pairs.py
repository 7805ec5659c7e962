"""Asynchronous algorithms in which peers meet in pairs: AD-PSGD and A²CiD²."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.algorithms.asynchronous import Asynchronous
from dfedsam.algorithms.local_steps import LocalState
from dfedsam.algorithms.versions import Rows
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem

if TYPE_CHECKING:
    from dfedsam.clock.asynchronous import Meetings


@dataclass(kw_only=True)
class PairState(LocalState):
    """`start`: the row from which each peer computes its next increment, shape (peers, dim)."""

    start: NDArray


@dataclass(frozen=True, kw_only=True)
class ADPSGD(Asynchronous):
    """AD-PSGD: at a waking of peer i it and a random neighbour j both take (x_i + x_j)/2; then x_i ← x_i − η ĝ_i(x̂_i).

    x̂_i is its row as it was when it began to compute, which neighbours may have changed since. Source: Lian et al.
    (2018), "Asynchronous decentralized parallel stochastic gradient descent", algorithm 1. The paper lets only one side
    of a bipartite graph start meetings, so that none blocks another; here they happen one after the other in the order
    of time, on any graph. A waking costs the estimator's queries, twice these with ρ > 0, and two vectors. With K > 1
    the increment of K local steps takes the place of −η ĝ.
    """

    public_name = "ad_psgd"
    wakes = "pairs"

    local_steps: int = 1

    def init(self, x: NDArray, problem: Problem) -> PairState:
        return PairState(**self.initial_fields(x, problem), start=x.copy())

    def round(self, state: Any, context: RoundContext) -> Any:
        rows = Rows(state.x, context)
        for number, wave in enumerate(rows.waves):
            self.meet(state, rows, wave)
            self.descend(state, np.sort(rows.rows_of(wave.peers[~wave.joins])), context, number)
        return state

    def meet(self, state: PairState, rows: Rows, wave: Meetings) -> NDArray[np.intp]:
        """Average the rows of the peers of a wave and their partners; return the block's rows that join.

        Who joins takes its partner's row instead, and computes from there.
        """
        rows.exchange()
        peers, partners, whole = wave.reads()
        rows.count(int((peers != partners).sum()))
        local, others = rows.rows_of(peers), rows.current[rows.position[rows.entries_of(peers, partners)]]
        state.x[local] = (state.x[local] + others) / 2
        whole = rows.entries_of(peers, whole)
        joining = local[whole]
        state.x[joining] = state.start[joining] = others[whole]
        return joining

    def descend(
        self, state: PairState, local: NDArray[np.intp], context: RoundContext, wave: int, *shadows: NDArray
    ) -> None:
        """Add the increments of the block's peers of a wave to x, and to the same rows of `shadows`."""
        for where, _, step in self.displacements(state.start, state, local, context, wave):
            for rows in (state.x, *shadows):
                rows[where] += step
            state.start[where] = state.x[where]


@dataclass(kw_only=True)
class A2CiD2State(PairState):
    """The state of A²CiD².

    Args:
        shadow: x̃, shape (peers, dim).
        time: when each peer last changed, in microseconds, shape (peers,).
    """

    shadow: NDArray
    time: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class A2CiD2(ADPSGD):
    """A²CiD²: AD-PSGD with a continuous momentum, which makes gossip on poorly connected graphs faster.

    A second row x̃_i flows towards x_i and back: over Δ seconds (x, x̃) ← [[a, b], [b, a]] (x, x̃) with
    a = (1 + e^{−2ηΔ})/2 and b = 1 − a. A meeting gives x_i ← x_i − m/2 and x̃_i ← x̃_i − α̃ m with m = x_i − x_j; steps of
    the gradient change both rows alike. η and α̃ follow from the rates at which neighbours meet (`parameters`). Source:
    Nabli, Belilovsky and Oyallon (2023), "A²CiD²: Accelerating asynchronous communication in decentralized deep
    learning", algorithm 1. A peer meets others when it wakes, not at times of its own. Costs are those of AD-PSGD.
    """

    public_name = "a2cid2"

    def init(self, x: NDArray, problem: Problem) -> A2CiD2State:
        time = np.zeros(len(x), np.int64)
        return A2CiD2State(**self.initial_fields(x, problem), start=x.copy(), shadow=x.copy(), time=time)

    def round(self, state: Any, context: RoundContext) -> Any:
        rows, events = Rows(state.x, context), context.events
        assert events is not None
        eta, alpha = parameters(events.meeting_rates())
        for number, wave in enumerate(rows.waves):
            peers, times = np.r_[wave.peers, wave.partners], np.r_[wave.times, wave.times]
            local, times = rows.rows_of(peers), rows.entries_of(peers, times)
            _flow(state, local, times, eta)
            before = state.x[local]
            joining = self.meet(state, rows, wave)
            state.shadow[local] -= 2 * alpha * (before - state.x[local])  # x_i − (x_i + x_j)/2 is m/2
            state.shadow[joining] = state.x[joining]
            self.descend(state, np.sort(rows.rows_of(wave.peers[~wave.joins])), context, number, state.shadow)
        _flow(state, np.arange(len(state.x)), np.full(len(state.x), events.end), eta)
        return state


def parameters(rates: csr_array) -> tuple[float, float]:
    """η in 1/s and α̃ of A²CiD² for rates (n, n), symmetric: meetings a second of each pair.

    With 𝓛 = Σ_e rate_e (e_i − e_j)(e_i − e_j)ᵀ, χ₁ = 1/μ₂(𝓛) and χ₂ = ½ max_e (e_i − e_j)ᵀ 𝓛⁺ (e_i − e_j):
    η = 1/(2√(χ₁χ₂)), α̃ = ½ √(χ₁/χ₂).
    """
    weights = rates.toarray()
    n = len(weights)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    chi_1 = 1 / float(np.linalg.eigvalsh(laplacian)[1])
    inverse = np.linalg.inv(laplacian + np.full((n, n), weights.mean()))  # agrees with 𝓛⁺ on differences of peers
    i, j = np.nonzero(weights)
    resistance = inverse[i, i] + inverse[j, j] - 2 * inverse[i, j]
    chi_2 = float(resistance.max()) / 2
    return 1 / (2 * math.sqrt(chi_1 * chi_2)), math.sqrt(chi_1 / chi_2) / 2


def _flow(state: A2CiD2State, rows: NDArray[np.intp], times: NDArray[np.int64], eta: float) -> None:
    """Let x and x̃ of some rows flow until `times`."""
    b = (-np.expm1(-2e-6 * eta * (times - state.time[rows])) / 2).astype(state.x.dtype)[:, None]
    gap = b * (state.shadow[rows] - state.x[rows])
    state.x[rows] += gap
    state.shadow[rows] -= gap
    state.time[rows] = times
