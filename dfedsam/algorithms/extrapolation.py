"""Local steps with an extrapolation of the mixed model, before or after them: OledFL and DFedCata."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.validation import at_least, between


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

    beta: float = option(0.3, at_least, 0)

    def init(self, x: NDArray, problem: Problem) -> OledFLState:
        return OledFLState(**self.initial_fields(x, problem), last=x.copy())

    def round(self, state: OledFLState, context: RoundContext) -> OledFLState:
        state.x += self.beta * (state.x - state.last)
        self.local_phase(state, context)
        state.last[:] = state.x
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        return state


@dataclass(kw_only=True)
class DFedCataState(LocalState):
    """`mixed`: y, the result of the last gossip, shape (peers, dim)."""

    mixed: NDArray


@dataclass(frozen=True, kw_only=True)
class DFedCata(GossipLocalSteps):
    """K times x ← x − η (ĝ + κ (x − x₀)) from x₀; then y⁺ = W x and x ← y⁺ + β (y⁺ − y).

    The pull κ to x₀, where the round began, makes the local objective a Moreau envelope; β is Nesterov's extrapolation
    of the mixed models. Public code of this name extrapolates from the peer's last local model instead, y⁺ + β (y⁺ −
    x), as OledFL does. Source: Li et al. (2024), "DFedCata", after Lin, Mairal and Harchaoui (2015), "A universal
    catalyst for first-order optimization". A round costs K times the estimator's queries, twice that with SAM (ρ > 0),
    and one vector per edge and direction.

    Args:
        kappa: κ ≥ 0, the strength of the pull. Keep ηκ below 1.
        beta: β of the extrapolation, 0 ≤ β < 1.
    """

    public_name = "dfedcata"
    adds_gradient_steps = False

    kappa: float = option(1.0, at_least, 0)
    beta: float = option(0.5, between, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> DFedCataState:
        return DFedCataState(**self.initial_fields(x, problem), mixed=x.copy())

    def round(self, state: DFedCataState, context: RoundContext) -> DFedCataState:
        start = state.x.copy()
        self.local_phase(state, context, correction=lambda x, rows: self.kappa * (x - start[rows]))
        mixed, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        state.x = mixed + self.beta * (mixed - state.mixed)
        state.mixed = mixed
        return state
