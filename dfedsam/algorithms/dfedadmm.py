"""DFedADMM: local steps of an augmented Lagrangian, whose dual variable converges to each peer's own gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import positive


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

    penalty: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("penalty", self.penalty)

    def init(self, x: NDArray, problem: Problem) -> DFedADMMState:
        return DFedADMMState(**self.initial_fields(x, problem), dual=np.zeros_like(x))

    def round(self, state: DFedADMMState, context: RoundContext) -> DFedADMMState:
        start = state.x.copy()
        self.local_phase(state, context, correction=lambda x, rows: (x - start[rows]) / self.penalty - state.dual[rows])
        state.dual -= (state.x - start) / self.penalty
        state.x -= self.penalty * state.dual
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        return state
