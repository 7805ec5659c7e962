"""Network-DANE: local steps on a surrogate whose gradient at the start is the tracked mean gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import at_least


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

    pull: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("pull", self.pull, 0)

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
