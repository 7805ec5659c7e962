"""DecentLaM: momentum that does not enlarge the bias of heterogeneous data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.one_gradient import GossipOneGradient, MomentumState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import between


@dataclass(frozen=True, kw_only=True)
class DecentLaM(GossipOneGradient):
    """g̃ = (x − W (x − η g))/η, m ← β m + g̃, x ← x − η m: momentum on D-PSGD's whole step, mixing included.

    Its steady bias is that of D-PSGD at the rate η, where momentum before the mixing has that of η/(1 − β). Source:
    Yuan et al. (2021), "DecentLaM: decentralized momentum SGD for large-batch deep training", algorithm 2. A round
    costs the estimator's queries and one vector per edge and direction.

    Args:
        momentum: β, 0 ≤ β < 1.
    """

    public_name = "decentlam"
    adds_gradient_steps = False

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("momentum", self.momentum, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> MomentumState:
        return MomentumState(**self.initial_fields(x, problem), momentum=np.zeros_like(x))

    def round(self, state: MomentumState, context: RoundContext) -> MomentumState:
        x, m, rate = state.x, state.momentum, self.rate(context.round)
        g, state.estimator = self.gradient(context, x, state.estimator)
        moved = x - rate * g
        mixed, state.gossip = self.gossip(moved, state.gossip, context.channel(moved))
        m *= self.momentum
        m += (x - mixed) / rate
        state.x = x - rate * m
        return state
