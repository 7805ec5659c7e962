"""QG-DSGDm: momentum from the change of the mixed model, which all peers share more than their own gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_steps import GradientSteps
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import between


@dataclass(frozen=True, kw_only=True)
class QGDSGDm(GradientSteps):
    """x⁺ = W (x − η (β m + g)), then m ← β m + (1 − β) (x − x⁺)/η: quasi-global momentum.

    Its steady bias is that of D-PSGD at the rate η. Source: Lin et al. (2021), "Quasi-global momentum: accelerating
    decentralized deep learning on heterogeneous data", algorithm 1 with μ = β. A round costs the estimator's queries
    and one vector an edge and direction.

    Args:
        momentum: β, 0 ≤ β < 1.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("momentum", self.momentum, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> State:
        """m = 0."""
        return {**super().init(x, problem), "momentum": np.zeros_like(x), "gossip": self.gossip.init(x)}

    def round(self, state: State, context: RoundContext) -> State:
        """One gradient, then one exchange."""
        x, m, rate = state["x"], state["momentum"], self.rate(context.round)
        m *= self.momentum
        step = self.gradient(context, x, state)
        step += m
        mixed = self.mix(state, context, x - rate * step)
        m += (1 - self.momentum) / rate * (x - mixed)
        return state | {"x": mixed}
