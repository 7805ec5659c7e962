"""OledFL: local steps start from a point extrapolated beyond the mixed model, away from the last local model."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import at_least


@dataclass(kw_only=True)
class OledFLState(LocalState):
    """`last`: where each peer's last local steps ended, shape (peers, dim)."""

    last: NDArray


@dataclass(frozen=True, kw_only=True)
class OledFL(GossipLocalSteps):
    """x ← x + β (x − where this peer's last local steps ended), then K local steps and x ← W x.

    Source: Li et al. (2024), "OledFL: unleashing the potential of decentralized federated learning via opposite
    lookahead enhancement". A round costs K times the estimator's queries, twice that with SAM (ρ > 0), and one vector
    per edge and direction.

    Args:
        beta: β ≥ 0, the extrapolation; 0 is DFedAvg, or DFedSAM if ρ > 0.
    """

    public_name = "oledfl"
    adds_gradient_steps = False

    beta: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("beta", self.beta, 0)

    def init(self, x: NDArray, problem: Problem) -> OledFLState:
        return OledFLState(**self.initial_fields(x, problem), last=x.copy())

    def round(self, state: OledFLState, context: RoundContext) -> OledFLState:
        state.x += self.beta * (state.x - state.last)
        self.local_phase(state, context)
        state.last[:] = state.x
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        return state
