"""DecentLaM: momentum that does not enlarge the bias of heterogeneous data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.one_gradient import GossipOneGradient
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import between


@dataclass(kw_only=True)
class DecentLaMState(State):
    """`momentum`: m, shape (peers, dim); and the states of estimator and gossip."""

    estimator: Any
    gossip: Any
    momentum: NDArray


@dataclass(frozen=True, kw_only=True)
class DecentLaM(GossipOneGradient):
    """g̃ = (x − W (x − η g))/η, m ← β m + g̃, x ← x − η m: momentum on D-PSGD's whole step, mixing included.

    Its steady bias is that of D-PSGD at the rate η, where momentum before the mixing has that of η/(1 − β). Source:
    Yuan et al. (2021), "DecentLaM: decentralized momentum SGD for large-batch deep training", algorithm 2. A round
    costs the estimator's queries and one vector per edge and direction.

    Args:
        momentum: β, 0 ≤ β < 1.
    """

    public_name: ClassVar[str] = "decentlam"
    adds_gradient_steps: ClassVar[bool] = False

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("momentum", self.momentum, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> DecentLaMState:
        return DecentLaMState(
            x=x, estimator=self.estimator.init(x, problem), gossip=self.gossip.init(x), momentum=np.zeros_like(x)
        )

    def round(self, state: DecentLaMState, context: RoundContext) -> DecentLaMState:
        x, m, rate = state.x, state.momentum, self.rate(context.round)
        g, state.estimator = self.gradient(context, x, state.estimator)
        moved = x - rate * g
        mixed, state.gossip = self.gossip(moved, state.gossip, context.channel(moved))
        m *= self.momentum
        m += (x - mixed) / rate
        state.x = x - rate * m
        return state
