"""One gradient a round with a memory: momenta that last, tracked mean gradients, and Adam of what is mixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.gradient_method import GossipOneGradient, GradientState
from dfedsam.context import RoundContext
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import between, option, share
from dfedsam.registry import public_name
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


@dataclass(kw_only=True)
class TrackingState(GradientState):
    """The state of gradient tracking, with that of the gossip of y.

    Args:
        y: the tracked gradient, shape (peers, dim).
        g: the last round's estimates, shape (peers, dim).
        momentum: m, shape (peers, dim); None without momentum.
        last: x at the start of the last round, shape (peers, dim); None if it is not needed.
    """

    gossip_y: Any
    y: NDArray
    g: NDArray
    momentum: NDArray | None = None
    last: NDArray | None = None


@dataclass(frozen=True, kw_only=True)
class GradientTracking(GossipOneGradient):
    """DSGT: y ← W y + g − (g of the previous round), then x ← W (x − η y); the mean of y is always that of g.

    With exact gradients it reaches the optimum at a constant rate, whatever the peers' data. Source: Pu and Nedić
    (2021), "Distributed stochastic gradient tracking methods", in its adapt-then-combine form. A round costs the
    estimator's queries and two vectors per edge and direction.
    """

    covered_gossip = frozenset({"push_sum"})

    def init(self, x: NDArray, problem: Problem) -> TrackingState:
        return TrackingState(
            **self.initial_fields(x, problem),
            gossip_y=self.gossip.init(np.zeros_like(x)),
            y=np.zeros_like(x),
            g=np.zeros_like(x),
        )

    def round(self, state: TrackingState, context: RoundContext) -> TrackingState:
        g = self.estimate(state, context)
        y = state.y + g - state.g
        x = state.x - self.rate(context.round) * self.descent(y, state)
        state.x, state.gossip = self.gossip(x, state.gossip, context.channel(x))
        state.y, state.gossip_y = self.gossip(y, state.gossip_y, context.channel())
        state.g = g
        return state

    def estimate(self, state: TrackingState, context: RoundContext) -> NDArray:
        """The peers' estimates to be tracked, shape (peers, dim)."""
        g, state.estimator = self.gradient(context, state.x, state.estimator)
        return g

    def descent(self, y: NDArray, state: TrackingState) -> NDArray:
        """The descent direction, shape (peers, dim), for the tracked gradient y."""
        return y


@dataclass(frozen=True, kw_only=True)
class MomentumTracking(GradientTracking):
    """Gradient tracking with m ← β m + y and x ← W (x − η m): exact as gradient tracking is, faster by about 1/(1 − β).

    Source: Takezawa et al. (2022), "Momentum tracking: momentum acceleration for decentralized deep learning on
    heterogeneous data". For one W this is their tracking of the momentum, in adapt-then-combine form and from zero; on
    a schedule W_t the two differ, since they track the momentum, and here the momentum is computed from the tracked
    gradient. The authors' code combines first, x ← W x − η (u − c), and starts at c = u = (g_i − ḡ)/(1 − β). Both end
    at the same point. Costs as gradient tracking.

    Args:
        momentum: β, 0 ≤ β < 1.
    """

    covered_gossip = frozenset()

    momentum: float = option(0.9, between, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> TrackingState:
        state = super().init(x, problem)
        state.momentum = np.zeros_like(x)
        return state

    def descent(self, y: NDArray, state: TrackingState) -> NDArray:
        assert state.momentum is not None
        state.momentum *= self.momentum
        state.momentum += y
        return state.momentum


@dataclass(frozen=True, kw_only=True)
class AugDGM(GradientTracking):
    """x ← W (x − η y), y ← W (y + g⁺ − g): gradient tracking that mixes the tracked gradient before it is used.

    Also known as ATC-DIGing. Source: Xu, Zhu, Soh and Xie (2015), "Augmented distributed gradient methods for
    multi-agent optimization under uncoordinated constant stepsizes", with one η for all peers. Costs as gradient
    tracking, but the first round, in which y = g, sends x alone.
    """

    public_name = "aug_dgm"
    covered_gossip = frozenset()

    def round(self, state: TrackingState, context: RoundContext) -> TrackingState:
        g = self.estimate(state, context)
        state.y += g - state.g
        state.g = g
        if context.round:
            state.y, state.gossip_y = self.gossip(state.y, state.gossip_y, context.channel())
        x = state.x - self.rate(context.round) * state.y
        state.x, state.gossip = self.gossip(x, state.gossip, context.channel(x))
        return state


@dataclass(frozen=True, kw_only=True)
class GTHSGD(GradientTracking):
    """Gradient tracking of v = ĝ(x) + (1 − β) (v⁻ − ĝ(x⁻)), both ĝ on this round's minibatch and directions.

    What is random in the two estimates largely cancels, so that v has less variance: at rest β/(2 − β) of one
    estimate's, if that does not depend on x. β = 1 is gradient tracking, β → 0 the SARAH estimator. Source: Xin, Khan
    and Kar (2021), "A hybrid variance-reduced method for decentralized stochastic non-convex optimization" (GT-HSGD);
    the first estimate is an ordinary one. A round costs twice the queries of gradient tracking, and as many vectors.

    Args:
        beta: β, in (0, 1].
    """

    public_name = "gt_hsgd"
    covered_gossip = frozenset()

    beta: float = option(0.1, share)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.estimator.repeats_directions:
            rule = "must use the same directions at two points, but draws new ones each time"
            raise OptionError("estimator", public_name(self.estimator), rule, "choose two_point or one_sided")

    def init(self, x: NDArray, problem: Problem) -> TrackingState:
        state = super().init(x, problem)
        state.last = x.copy()
        return state

    def estimate(self, state: TrackingState, context: RoundContext) -> NDArray:
        assert state.last is not None
        g = super().estimate(state, context)
        if context.round:
            before, state.estimator = self.gradient(context, state.last, state.estimator)
            g += (1 - self.beta) * (state.g - before)
        state.last = state.x.copy()
        return g
