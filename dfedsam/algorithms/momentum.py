"""One gradient a round with a momentum that lasts: QG-DSGDm and DecentLaM, which keep D-PSGD's bias, and DFedAdam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.gradient_method import GossipOneGradient, GradientState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.validation import between
from dfedsam.zeroth_order.scaled import Moments


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

    momentum: float = option(0.9, between, 0, 1, open_high=True)

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


@dataclass(kw_only=True)
class DFedAdamState(MomentumState):
    """`momentum`: m after mixing; `second`: v, shape (peers, dim); and the state of the gossip of m."""

    second: NDArray
    gossip_momentum: Any


@dataclass(frozen=True, kw_only=True)
class DFedAdam(Moments, GossipOneGradient):
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
    """

    public_name = "dfedadam"

    lr: float = 0.003

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
