"""Gradient tracking: every peer follows an estimate of the mean gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_steps import GradientSteps
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem


@dataclass(frozen=True, kw_only=True)
class GradientTracking(GradientSteps):
    """DSGT: y ← W y + g − g of the round before, then x ← W (x − η y); the mean of y is always that of g.

    With exact gradients it reaches the optimum at a constant rate, whatever the peers' data. Source: Pu and Nedić
    (2021), "Distributed stochastic gradient tracking methods", in its adapt-then-combine form. A round costs the
    estimator's queries and two vectors an edge and direction.
    """

    def init(self, x: NDArray, problem: Problem) -> State:
        """y = g = 0, and both gossips' memory."""
        memory = {"gossip": self.gossip.init(x), "gossip_y": self.gossip.init(np.zeros_like(x))}
        return {**super().init(x, problem), "y": np.zeros_like(x), "g": np.zeros_like(x), **memory}

    def follow(self, y: NDArray, state: State) -> NDArray:
        """What x descends along, shape (peers, dim), given the tracked gradient y."""
        return y

    def round(self, state: State, context: RoundContext) -> State:
        """One gradient, then x and y are mixed."""
        x, g = state["x"], self.gradient(context, state["x"], state)
        y = state["y"] + g - state["g"]
        x = self.mix(state, context, x - self.rate(context.round) * self.follow(y, state))
        y = self.mix(state, context, y, "gossip_y")
        return state | {"x": x, "y": y, "g": g}
