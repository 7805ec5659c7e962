"""LEAD: exact at a constant rate although every message is compressed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_steps import OneGradient
from dfedsam.context import RoundContext
from dfedsam.gossip.accelerated import needs_one_symmetric
from dfedsam.gossip.compressors import QSGD, Compressor
from dfedsam.gossip.disagreement import Disagreement
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology
from dfedsam.validation import positive


@dataclass(frozen=True, kw_only=True)
class Lead(OneGradient):
    """ŷ = h + C(x − η (g + D) − h), D ← D + γ/(2η) (I − W) ŷ, x ← x − η (g + D), where h moves a share α towards ŷ.

    D comes to hold what sets a peer's gradient apart from the mean one, and what is left to compress goes to zero: with
    exact gradients it reaches the optimum. Source: Liu, Li, Wang, Tang and Yan (2021), "Linear convergent decentralized
    optimization with compression", algorithm 1. A round costs the estimator's queries and one message an edge and
    direction; the peers hold three more arrays of the size of x.

    Args:
        compressor: C, what is sent in place of a row.
        gamma: γ, how fast the peers are drawn together, above 0; 1 is the usual for fine messages.
        alpha: α, above 0 and at most 1.
    """

    compressor: Compressor = QSGD()
    gamma: float = 0.5
    alpha: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("gamma", self.gamma, "the usual is 0.5")
        self._differences()  # checks alpha

    def check(self, topology: Topology) -> None:
        """One symmetric W for all rounds."""
        needs_one_symmetric("algorithm is Lead", topology, "D-PSGD with the gossip deep_squeeze")

    def init(self, x: NDArray, problem: Problem) -> State:
        """D starts at 0 and h at the common start."""
        return {**super().init(x, problem), "dual": np.zeros_like(x), "gossip": self._differences().init(x)}

    def round(self, state: State, context: RoundContext) -> State:
        """One gradient, then one exchange."""
        x, dual, rate = state["x"], state["dual"], self.rate(context.round)
        g = self.gradient(context, x, state)
        g *= rate
        y = x - g - rate * dual
        apart, state["gossip"] = self._differences()(y, state["gossip"], context.channel(y))
        apart *= self.gamma / (2 * rate)
        dual += apart
        x -= g
        x -= rate * dual
        return state

    def _differences(self) -> Disagreement:
        return Disagreement(compressor=self.compressor, alpha=self.alpha)
