"""DiLoCo and NoLoCo with a graph in place of all-reduce: an outer step with momentum on what local steps changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.validation import between, positive


@dataclass(kw_only=True)
class DiLoCoState(LocalState):
    """`velocity`: v, shape (peers, dim), and the state of the gossip of Δ."""

    velocity: NDArray
    gossip_delta: Any


@dataclass(frozen=True, kw_only=True)
class DiLoCo(GossipLocalSteps):
    """Δ = x − (x after K local steps), Δ ← W Δ, v ← μ v + Δ, then x ← W x − η_o (Δ + μ v).

    On a complete graph of equal weights this is DiLoCo; with η_o = 1 and μ = 0 it is DFedAvg. Source: Douillard et al.
    (2023), "DiLoCo: distributed low-communication training of language models", algorithm 1, with gossip for both
    means. A round costs K times the estimator's queries and two vectors per edge and direction.

    Args:
        outer_lr: η_o, above 0.
        outer_momentum: μ, 0 ≤ μ < 1.
    """

    public_name = "diloco"
    mixes = "x before the local steps"
    adds_gradient_steps = False

    outer_lr: float = option(0.7, positive)
    outer_momentum: float = option(0.9, between, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> DiLoCoState:
        zero = np.zeros_like(x)
        gossip = self.gossip.init(zero)
        return DiLoCoState(**self.initial_fields(x, problem), velocity=zero, gossip_delta=gossip)

    def round(self, state: DiLoCoState, context: RoundContext) -> DiLoCoState:
        start, v = state.x.copy(), state.velocity
        delta = self.mixed_change(state, context)
        state.x, state.gossip = self.gossip(start, state.gossip, context.channel(start))
        v *= self.outer_momentum
        v += delta
        state.x -= self.outer_lr * (delta + self.outer_momentum * v)
        return state

    def mixed_change(self, state: DiLoCoState, context: RoundContext) -> NDArray:
        """W Δ of the local steps, shape (peers, dim), which leave x where they end."""
        start = state.x.copy()
        self.local_phase(state, context)
        delta, state.gossip_delta = self.gossip(start - state.x, state.gossip_delta, context.channel())
        return delta


@dataclass(frozen=True, kw_only=True)
class NoLoCo(DiLoCo):
    """Δ as in DiLoCo, then v ← μ v − η_o W Δ + γ (W x − x) and x ← x + v: no exact mean is ever taken.

    Meant for the topology random_matching, whose peers meet in random pairs; γ = 1 without the rest is plain pair
    averaging. Source: Kolehmainen et al. (2025), "NoLoCo: no-all-reduce low communication training method for large
    models", with γ = η_o as in the authors' code. Costs as DiLoCo.

    Args:
        pull: γ, of the mixed x, above 0.
    """

    public_name = "noloco"

    pull: float = option(0.7, positive)

    def round(self, state: DiLoCoState, context: RoundContext) -> DiLoCoState:
        start, v = state.x.copy(), state.velocity
        delta = self.mixed_change(state, context)
        mixed, state.gossip = self.gossip(start, state.gossip, context.channel(start))
        v *= self.outer_momentum
        v += self.pull * (mixed - start) - self.outer_lr * delta
        state.x = start + v
        return state
