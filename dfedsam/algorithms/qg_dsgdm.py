"""QG-DSGDm: momentum from the change of the mixed model, which varies less over peers than local gradients do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.one_gradient import GossipOneGradient, MomentumState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import between


@dataclass(frozen=True, kw_only=True)
class QGDSGDm(GossipOneGradient):
    """x⁺ = W (x − η (β m + g)), then m ← β m + (1 − β) (x − x⁺)/η: quasi-global momentum.

    For one W its steady bias is that of D-PSGD at the rate η; where W_t changes, as with absent peers, it can be twice
    that. Source: Lin et al. (2021), "Quasi-global momentum: accelerating decentralized deep learning on heterogeneous
    data", algorithm 1 with μ = β. A round costs the estimator's queries and one vector per edge and direction.

    Args:
        momentum: β, 0 ≤ β < 1.
    """

    public_name = "qg_dsgdm"
    adds_gradient_steps = False

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("momentum", self.momentum, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> MomentumState:
        return MomentumState(**self.initial_fields(x, problem), momentum=np.zeros_like(x))

    def round(self, state: MomentumState, context: RoundContext) -> MomentumState:
        x, m, rate = state.x, state.momentum, self.rate(context.round)
        m *= self.momentum
        step, state.estimator = self.gradient(context, x, state.estimator)
        step += m
        moved = x - rate * step
        state.x, state.gossip = self.gossip(moved, state.gossip, context.channel(moved))
        m += (1 - self.momentum) / rate * (x - state.x)
        return state
