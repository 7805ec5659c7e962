"""Local steps without drift: K-GT and LED correct each step by what the peers' last rounds disagreed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.corrections import laziness, lazy_note
from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.topologies import Topology
from dfedsam.validation import positive


@dataclass(kw_only=True)
class CorrectedLocalState(LocalState):
    """The state of local steps with a correction.

    Args:
        correction: c, in float64, so that its mean over the peers stays zero, shape (peers, dim).
        gossip_steps: the state of K-GT's second gossip; None for LED.
    """

    correction: NDArray[np.float64]
    gossip_steps: Any = None


@dataclass(frozen=True, kw_only=True)
class KGT(GossipLocalSteps):
    """K times y ← y − η (g + c) from y = x; z = (x − y)/(K η), c ← c − z + W z, x ← W (x − η_s (x − y)).

    With K = 1 and η_s = 1 this is gradient tracking: c is the difference between the tracked gradient and the peer's
    own. With exact gradients the peers reach the optimum, whatever their data. Source: Liu, Lin, Koloskova and Stich
    (2023), "Decentralized gradient tracking with local steps", algorithm 1, from c = 0. A round costs K times the
    estimator's queries and two vectors per edge and direction.

    Args:
        outer_lr: η_s, the share of the local steps' way that is taken, above 0.
    """

    public_name = "k_gt"
    mixes = "x after the share η_s of the local steps"
    adds_gradient_steps = False

    outer_lr: float = option(1.0, positive)

    def init(self, x: NDArray, problem: Problem) -> CorrectedLocalState:
        steps = self.gossip.init(np.zeros_like(x))
        return CorrectedLocalState(**self.initial_fields(x, problem), correction=np.zeros(x.shape), gossip_steps=steps)

    def round(self, state: CorrectedLocalState, context: RoundContext) -> CorrectedLocalState:
        start, c = state.x.copy(), state.correction
        self.local_phase(state, context, correction=lambda _, rows: c[rows])
        z = (start - state.x) / (self.local_steps * self.rate(context.round))
        moved = start + self.outer_lr * (state.x - start)
        state.x, state.gossip = self.gossip(moved, state.gossip, context.channel(moved))
        difference, state.gossip_steps = self.gossip.difference(z, state.gossip_steps, context.channel())
        c += difference
        return state


@dataclass(frozen=True, kw_only=True)
class LED(GossipLocalSteps):
    """K times φ ← φ − η g − β y from φ = x; then x = W φ and y ← y + φ − W φ: local exact diffusion.

    With K = 1 and β = 1 this is D². With exact gradients the peers reach the optimum, whatever their data. A W that may
    have an eigenvalue of −1/3 or less is made lazy, as in D². Source: Alghunaim (2024), "Local exact-diffusion for
    decentralized optimization and learning", algorithm 1, from y = 0. A round costs K times the estimator's queries
    and one vector per edge and direction.

    Args:
        dual_lr: β, above 0; None: 1/K.
    """

    public_name = "led"
    mixes = "x after the local steps"
    needs_symmetric = True
    instead = "k_gt"
    refused_gossip = frozenset({"compressed", "biased"})
    adds_gradient_steps = False

    dual_lr: float | None = option(None, positive, "omit it for 1/K")

    def note(self, topology: Topology) -> str | None:
        return "; ".join(filter(None, [lazy_note(self, topology), super().note(topology)])) or None

    def init(self, x: NDArray, problem: Problem) -> CorrectedLocalState:
        return CorrectedLocalState(**self.initial_fields(x, problem), correction=np.zeros(x.shape))

    def round(self, state: CorrectedLocalState, context: RoundContext) -> CorrectedLocalState:
        c = state.correction  # −y
        scale = (1 / self.local_steps if self.dual_lr is None else self.dual_lr) / self.rate(context.round)
        self.local_phase(state, context, correction=lambda _, rows: -scale * c[rows])
        difference, state.gossip = self.gossip.difference(state.x, state.gossip, context.channel(state.x))
        difference *= laziness(self.gossip, context.weights)
        state.x = (state.x + difference).astype(state.x.dtype)
        c += difference
        return state
