"""OledFL: every round's local steps begin a little beyond the mixed model, away from where the last ones ended."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.dfedsam import DFedSAM
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import at_least


@dataclass(frozen=True, kw_only=True)
class OledFL(DFedSAM):
    """x ← x + β (x − where this peer's last local steps ended), then DFedSAM's round; DFedAvg's without the ascent.

    Source: Li et al. (2024), "OledFL: unleashing the potential of decentralized federated learning via opposite
    lookahead enhancement". Costs what DFedSAM costs, half the queries with ρ = 0, which is the default here.

    Args:
        beta: β ≥ 0, how far beyond; 0 is DFedSAM.
    """

    rho: float = 0.0
    beta: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("beta", self.beta, 0)

    def init(self, x: NDArray, problem: Problem) -> State:
        """The last local steps are taken to have ended at x."""
        return {**super().init(x, problem), "last": x.copy()}

    def round(self, state: State, context: RoundContext) -> State:
        """The lookahead, K local steps, gossip."""
        x = state["x"]
        x += self.beta * (x - state["last"])
        state = self.local_phase(state, context)
        state["last"][:] = state["x"]
        return self.exchange(state, context)
