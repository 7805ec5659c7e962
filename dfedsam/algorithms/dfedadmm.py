"""DFedADMM: local steps of an augmented Lagrangian, whose dual variable remembers each peer's own slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.dfedsam import DFedSAM
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import positive


@dataclass(frozen=True, kw_only=True)
class DFedADMM(DFedSAM):
    """K times x ← x − η (ĝ − c + (x − x₀)/λ) from x₀, then c ← c − (x − x₀)/λ, and W mixes x − λ c.

    x₀ is where the round began; c tends to the peer's own gradient. With ρ > 0 this is DFedADMM-SAM. Source: Li et al.
    (2023), "DFedADMM: dual constraints controlled model inconsistency for decentralized federated learning". Costs what
    DFedSAM costs, half the queries with ρ = 0, which is the default here.

    Args:
        penalty: λ > 0, how far a round may go: the weight of the pull to x₀ is 1/λ. Keep η/λ below 1.
    """

    rho: float = 0.0
    penalty: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("penalty", self.penalty)

    def init(self, x: NDArray, problem: Problem) -> State:
        """c = 0."""
        return {**super().init(x, problem), "dual": np.zeros_like(x), "anchor": x.copy()}

    def pull(self, x: NDArray, state: State, rows: slice) -> NDArray:
        """What is added to the estimates of these rows, shape (p, dim)."""
        return (x - state["anchor"][rows]) / self.penalty - state["dual"][rows]

    def round(self, state: State, context: RoundContext) -> State:
        """K local steps, the dual step, gossip."""
        state["anchor"][:] = state["x"]
        state = self.local_phase(state, context)
        state["dual"] -= (state["x"] - state["anchor"]) / self.penalty
        state["x"] -= self.penalty * state["dual"]
        return self.exchange(state, context)
