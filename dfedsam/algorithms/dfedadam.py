"""DFedAdam: Adam's step sizes per coordinate, computed after mixing from momentum averaged over neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.gradient_method import GossipOneGradient, GradientState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.zeroth_order.scaled import check_moments


@dataclass(kw_only=True)
class DFedAdamState(GradientState):
    """`momentum`: m after mixing; `second`: v, shape (peers, dim); and the state of the gossip of m."""

    momentum: NDArray
    second: NDArray
    gossip_momentum: Any


@dataclass(frozen=True, kw_only=True)
class DFedAdam(GossipOneGradient):
    """m ← W (β₁ m + (1 − β₁) g), v ← β₂ v + (1 − β₂) m̂², then x ← W (x − η m̂/(√v̂ + ε)); hats undo the start at zero.

    An Adam on each peer's own estimate divides by that peer's noise, and the network's average then shrinks the noise
    less than it shrinks the signal. Here noise is averaged first, over neighbours and over steps, while everything is
    linear in the estimates, and v sees only the remaining noise. SAM's perturbation (ρ > 0) goes along the mixed
    momentum, at no query.

    If the peers' data differ, so do their gradients at the optimum, their m and therefore their v. The step sizes of a
    coordinate then differ among peers, and the limit is off the optimum by an amount that does not shrink with η, as
    for other adaptive methods (Chen et al., 2022, "On the convergence of decentralized adaptive gradient methods").
    D-PSGD's bias shrinks with η.

    Source: Reddi et al. (2021), "Adaptive federated optimization" (FedAdam), with gossip in place of the server's mean;
    the second moment of the momentum, not of the gradient, is from Wang et al. (2021), "Rethinking Adam: a twofold
    exponential moving average approach". A round costs the estimator's queries, also with SAM, and two vectors per edge
    and direction.

    Args:
        lr: η, about how far each coordinate moves in the first round, in units of x, above 0.
        beta1: β₁ of the momentum, from 0 to below 1.
        beta2: β₂ of its second moment, from 0 to below 1.
        epsilon: ε, above 0, which keeps coordinates with zero gradient at rest.
    """

    public_name = "dfedadam"

    lr: float = 0.003
    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_moments(self.beta1, self.beta2, self.epsilon)

    def init(self, x: NDArray, problem: Problem) -> DFedAdamState:
        return DFedAdamState(
            **self.initial_fields(x, problem),
            momentum=np.zeros_like(x),
            second=np.zeros_like(x),
            gossip_momentum=self.gossip.init(np.zeros_like(x)),
        )

    def round(self, state: DFedAdamState, context: RoundContext) -> DFedAdamState:
        x, v, t = state.x, state.second, context.round + 1
        g, state.estimator = self.gradient(context, x, state.estimator, direction=state.momentum)
        m = self.beta1 * state.momentum + (1 - self.beta1) * g
        state.momentum, state.gossip_momentum = self.gossip(m, state.gossip_momentum, context.channel())
        first = state.momentum / (1 - self.beta1**t)
        v *= self.beta2
        v += (1 - self.beta2) * first**2
        step = first / (np.sqrt(v / (1 - self.beta2**t)) + self.epsilon)
        x = x - self.rate(context.round) * step
        state.x, state.gossip = self.gossip(x, state.gossip, context.channel(x))
        return state
