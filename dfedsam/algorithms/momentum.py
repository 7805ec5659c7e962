"""Momentum that does not enlarge the bias of heterogeneous data: QG-DSGDm and DecentLaM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.gradient_method import GossipOneGradient, GradientState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import between


@dataclass(kw_only=True)
class MomentumState(GradientState):
    """`momentum`: m, shape (peers, dim)."""

    momentum: NDArray


@dataclass(frozen=True, kw_only=True)
class Momentum(GossipOneGradient):
    """Shared options of methods with a momentum that is kept between rounds.

    Args:
        momentum: β, 0 ≤ β < 1.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("momentum", self.momentum, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> MomentumState:
        return MomentumState(**self.initial_fields(x, problem), momentum=np.zeros_like(x))


@dataclass(frozen=True, kw_only=True)
class QGDSGDm(Momentum):
    """x⁺ = W (x − η (β m + g)), then m ← β m + (1 − β) (x − x⁺)/η: quasi-global momentum.

    The change of the mixed model varies less over peers than local gradients do. For one W the steady bias is that of
    D-PSGD at the rate η; where W_t changes, as with absent peers, it can be twice that. Source: Lin et al. (2021),
    "Quasi-global momentum: accelerating decentralized deep learning on heterogeneous data", algorithm 1 with μ = β. A
    round costs the estimator's queries and one vector per edge and direction.
    """

    public_name = "qg_dsgdm"
    adds_gradient_steps = False

    def round(self, state: MomentumState, context: RoundContext) -> MomentumState:
        x, m, rate = state.x, state.momentum, self.rate(context.round)
        m *= self.momentum
        step, state.estimator = self.gradient(context, x, state.estimator)
        step += m
        moved = x - rate * step
        state.x, state.gossip = self.gossip(moved, state.gossip, context.channel(moved))
        m += (1 - self.momentum) / rate * (x - state.x)
        return state


@dataclass(frozen=True, kw_only=True)
class DecentLaM(Momentum):
    """g̃ = (x − W (x − η g))/η, m ← β m + g̃, x ← x − η m: momentum on D-PSGD's whole step, mixing included.

    Its steady bias is that of D-PSGD at the rate η, where momentum before the mixing has that of η/(1 − β). Source:
    Yuan et al. (2021), "DecentLaM: decentralized momentum SGD for large-batch deep training", algorithm 2. A round
    costs the estimator's queries and one vector per edge and direction.
    """

    public_name = "decentlam"
    adds_gradient_steps = False
    refused_gossip = frozenset({"compressed"})

    def round(self, state: MomentumState, context: RoundContext) -> MomentumState:
        x, m, rate = state.x, state.momentum, self.rate(context.round)
        g, state.estimator = self.gradient(context, x, state.estimator)
        moved = x - rate * g
        mixed, state.gossip = self.gossip(moved, state.gossip, context.channel(moved))
        m *= self.momentum
        m += (x - mixed) / rate
        state.x = x - rate * m
        return state
