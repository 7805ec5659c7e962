"""Gradient tracking: every peer descends along an estimate of the mean gradient; and the same with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.gradient_method import GossipOneGradient, GradientState
from dfedsam.context import RoundContext
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.registry import public_name
from dfedsam.validation import between, share


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
