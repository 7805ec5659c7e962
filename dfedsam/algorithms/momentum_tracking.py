"""Momentum tracking: momentum on the tracked gradient, so that heterogeneity does not enter the momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_tracking import GradientTracking
from dfedsam.objectives.base import Problem
from dfedsam.validation import between


@dataclass(frozen=True, kw_only=True)
class MomentumTracking(GradientTracking):
    """Gradient tracking with m ← β m + y and x ← W (x − η m): exact as gradient tracking is, faster by about 1/(1 − β).

    Source: Takezawa et al. (2022), "Momentum tracking: momentum acceleration for decentralized deep learning on
    heterogeneous data". Costs what gradient tracking costs.

    Args:
        momentum: β, 0 ≤ β < 1.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("momentum", self.momentum, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> State:
        """m = 0 beside what gradient tracking keeps."""
        return {**super().init(x, problem), "momentum": np.zeros_like(x)}

    def follow(self, y: NDArray, state: State) -> NDArray:
        """m ← β m + y."""
        state["momentum"] *= self.momentum
        state["momentum"] += y
        return state["momentum"]
