"""Local steps on a surrogate of the own objective: an augmented Lagrangian, or one with the tracked mean gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.validation import at_least, positive


@dataclass(kw_only=True)
class DFedADMMState(LocalState):
    """`dual`: c, shape (peers, dim)."""

    dual: NDArray


@dataclass(frozen=True, kw_only=True)
class DFedADMM(GossipLocalSteps):
    """K times x ← x − η (ĝ − c + (x − x₀)/λ) from x₀, then c ← c − (x − x₀)/λ, and W mixes x − λ c.

    x₀ is x at the start of the round; c tends to the peer's own gradient. With ρ > 0 this is DFedADMM-SAM. Source: Li
    et al. (2023), "DFedADMM: dual constraints controlled model inconsistency for decentralized federated learning". A
    round costs K times the estimator's queries, twice that with SAM, and one vector per edge and direction.

    Args:
        penalty: λ > 0, how far a round may go: the pull to x₀ has the weight 1/λ. Keep η/λ below 1.
    """

    public_name = "dfedadmm"
    mixes = "x − λ c after the local steps"

    penalty: float = option(0.1, positive)

    def init(self, x: NDArray, problem: Problem) -> DFedADMMState:
        return DFedADMMState(**self.initial_fields(x, problem), dual=np.zeros_like(x))

    def round(self, state: DFedADMMState, context: RoundContext) -> DFedADMMState:
        start = state.x.copy()
        self.local_phase(state, context, correction=lambda x, rows: (x - start[rows]) / self.penalty - state.dual[rows])
        state.dual -= (state.x - start) / self.penalty
        state.x -= self.penalty * state.dual
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        return state


@dataclass(kw_only=True)
class NetworkDANEState(LocalState):
    """The state of Network-DANE.

    Args:
        s: the tracked gradient, shape (peers, dim).
        g: the last round's estimates at y, shape (peers, dim).
        gossip_s: the state of the gossip of s.
    """

    s: NDArray
    g: NDArray
    gossip_s: Any


@dataclass(frozen=True, kw_only=True)
class NetworkDANE(GossipLocalSteps):
    """y = W x, s ← W s + g(y) − g(y⁻), then K times x ← x − η (ĝ(x) − g(y) + s + μ (x − y)) from x = y.

    The steps minimise f_i(x) − ⟨g(y) − s, x⟩ + (μ/2)‖x − y‖², which the paper does exactly. With exact gradients the
    peers reach the optimum, whatever their data. Source: Li, Cen, Chen and Chi (2020), "Communication-efficient
    distributed optimization in networks with gradient tracking and variance reduction", algorithm 2. A round costs
    K + 1 times the estimator's queries, twice that with SAM, and two vectors per edge and direction.

    Args:
        pull: μ ≥ 0; more of it keeps peers whose Hessians differ from moving too far.
    """

    public_name = "network_dane"
    mixes = "x before the local steps"
    adds_gradient_steps = False

    pull: float = option(1.0, at_least, 0)

    def init(self, x: NDArray, problem: Problem) -> NetworkDANEState:
        zero = np.zeros_like(x)
        gossip = self.gossip.init(zero)
        return NetworkDANEState(**self.initial_fields(x, problem), s=zero, g=zero.copy(), gossip_s=gossip)

    def round(self, state: NetworkDANEState, context: RoundContext) -> NetworkDANEState:
        y, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        g, state.estimator = self.gradient(context, y, state.estimator)
        s, state.gossip_s = self.gossip(state.s, state.gossip_s, context.channel())
        state.s, state.g = s + g - state.g, g
        shift = state.s - g
        state.x = y.copy()
        self.local_phase(state, context, correction=lambda x, rows: shift[rows] + self.pull * (x - y[rows]))
        return state
