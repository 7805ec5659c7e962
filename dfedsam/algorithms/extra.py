"""EXTRA: the first method that is exact at a constant rate, by the difference of two mixings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_steps import GradientSteps
from dfedsam.context import RoundContext
from dfedsam.gossip.base import require_static_symmetric
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Extra(GradientSteps):
    """x⁺ = (I + W) x − ½(I + W) x⁻ − η (g − g⁻), and x¹ = W x⁰ − η g⁰.

    With exact gradients it reaches the optimum at a constant rate. Source: Shi et al. (2015), "EXTRA: an exact
    first-order algorithm for decentralized consensus optimization", equation 2.13. A round costs the estimator's
    queries and one vector an edge and direction.
    """

    def check(self, topology: Topology) -> None:
        """One symmetric W for all rounds."""
        require_static_symmetric("algorithm", "extra", topology, "choose the algorithm gradient_tracking")
        super().check(topology)

    def init(self, x: NDArray, problem: Problem) -> State:
        """½(I + W) x⁻ stands at x and g⁻ at 0, which makes the first round what it must be."""
        return {**super().init(x, problem), "half": x.copy(), "g": np.zeros_like(x), "gossip": self.gossip.init(x)}

    def round(self, state: State, context: RoundContext) -> State:
        """One gradient, then one exchange."""
        x, rate = state["x"], self.rate(context.round)
        g = self.gradient(context, x, state)
        both = x + self.mix(state, context, x.copy())  # (I + W) x
        x = both - state["half"] - rate * (g - state["g"])
        both *= 0.5
        return state | {"x": x, "half": both, "g": g}
