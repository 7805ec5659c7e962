"""Dual acceleration: SSDA and, with Chebyshev gossip, MSDA, whose rate no method that gossips can beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.local_minimisation import LocalMinimisation
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.validation import between, positive


@dataclass(kw_only=True)
class DualState(State):
    """The state of SSDA; both are dual vectors in float64, whose mean over the peers stays zero.

    Args:
        dual: λ, shape (peers, dim).
        last: u, λ before its last extrapolation, shape (peers, dim).
    """

    dual: NDArray[np.float64]
    last: NDArray[np.float64]
    gossip: Any


@dataclass(frozen=True, kw_only=True)
class SSDA(LocalMinimisation):
    """x = ∇f*(λ), then u⁺ = λ − η (I − W) x and λ = u⁺ + μ (u⁺ − u): Nesterov's method on the dual problem.

    ∇f_i*(λ_i) is the point where peer i's gradient is λ_i, so the objective must know it: quadratics do, and logistic
    regression with l2 by Newton's method. On α-strongly convex, β-smooth objectives with κ = β/α, and λ_min and λ_2
    W's smallest and second largest eigenvalue, take η = α/(1 − λ_min) and μ = (√κ − √γ)/(√κ + √γ) with
    γ = (1 − λ_2)/(1 − λ_min); the error then falls by 1 − √(γ/κ) in a round. With the gossip chebyshev, whose
    polynomial takes W's place, this is MSDA, which is optimal. Source: Scaman et al. (2017), "Optimal algorithms for
    smooth and strongly convex distributed optimization in networks", algorithms 1 and 2. A round costs no query and one
    vector per edge and direction, and gossip step.

    Args:
        dual_lr: η, above 0.
        momentum: μ, 0 ≤ μ < 1.
    """

    public_name = "ssda"

    dual_lr: float = option(0.5, positive)
    momentum: float = option(0.5, between, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> DualState:
        return DualState(x=x, dual=np.zeros(x.shape), last=np.zeros(x.shape), gossip=self.gossip.init(x))

    def round(self, state: DualState, context: RoundContext) -> DualState:
        self.minimise(state, context, state.dual)
        difference, state.gossip = self.gossip.difference(state.x, state.gossip, context.channel(state.x))
        u = state.dual + self.dual_lr * difference
        state.dual = u + self.momentum * (u - state.last)
        state.last = u
        return state
