"""EXTRA: the first method that is exact at a constant rate, by the difference of two mixings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.one_gradient import GossipOneGradient
from dfedsam.context import RoundContext
from dfedsam.gossip.base import require_static_symmetric
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology


@dataclass(kw_only=True)
class ExtraState(State):
    """What EXTRA keeps, and the states of the estimator and of gossip.

    Args:
        half: ½(I + W) of the last round's x, shape (peers, dim).
        g: the last round's estimates, shape (peers, dim).
    """

    estimator: Any
    gossip: Any
    half: NDArray
    g: NDArray


@dataclass(frozen=True, kw_only=True)
class Extra(GossipOneGradient):
    """x⁺ = (I + W) x − ½(I + W) x⁻ − η (g − g⁻), and x¹ = W x⁰ − η g⁰.

    With exact gradients it reaches the optimum at a constant rate. Source: Shi et al. (2015), "EXTRA: an exact
    first-order algorithm for decentralized consensus optimization", equation 2.13. A round costs the estimator's
    queries and one vector per edge and direction.
    """

    def check(self, topology: Topology) -> None:
        require_static_symmetric("algorithm", "extra", topology, "choose the algorithm gradient_tracking")
        super().check(topology)

    def init(self, x: NDArray, problem: Problem) -> ExtraState:
        # ½(I + W) x⁻ = x and g⁻ = 0 make the first round what it must be
        return ExtraState(
            x=x,
            estimator=self.estimator.init(x, problem),
            gossip=self.gossip.init(x),
            half=x.copy(),
            g=np.zeros_like(x),
        )

    def round(self, state: ExtraState, context: RoundContext) -> ExtraState:
        x, rate = state.x, self.rate(context.round)
        g, state.estimator = self.gradient(context, x, state.estimator)
        mixed, state.gossip = self.gossip(x.copy(), state.gossip, context.channel(x))
        both = x + mixed  # (I + W) x
        state.x = both - state.half - rate * (g - state.g)
        both *= 0.5
        state.half, state.g = both, g
        return state
