"""Estimates rescaled coordinate by coordinate: their signs, Adam's, and HiSo's by a running curvature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.context import Oracle
from dfedsam.objectives.base import Problem
from dfedsam.options import Options, between, option, positive, whole_number
from dfedsam.zeroth_order.base import MOST_QUERIES, Estimator
from dfedsam.zeroth_order.directions import directions
from dfedsam.zeroth_order.finite_differences import TwoPoint, losses_on_both_sides


@dataclass(frozen=True, kw_only=True)
class Rescaled(Estimator):
    """Shared by estimators that rescale the estimates of another one. Costs as that.

    Args:
        estimator: the other one.
    """

    repeats_directions: ClassVar[bool] = False  # not linear in the differences of losses

    estimator: Estimator = TwoPoint()

    def check(self, problem: Problem) -> None:
        self.estimator.check(problem)

    def at(self, step: int) -> Estimator:
        return replace(self, estimator=self.estimator.at(step))

    def queries(self, dim: int) -> int:
        return self.estimator.queries(dim)


@dataclass(frozen=True, kw_only=True)
class Sign(Rescaled):
    """sign ĝ: every coordinate moves by η. Costs as the estimator.

    Source: Liu, Chen, Chen and Hong (2019), "signSGD via zeroth-order oracle" (ZO-signSGD).
    """

    def init(self, x: NDArray, problem: Problem) -> Any:
        return self.estimator.init(x, problem)

    def estimate(self, oracle: Oracle, x: NDArray, state: Any, purpose: str) -> tuple[NDArray, Any]:
        g, state = self.estimator.estimate(oracle, x, state, purpose)
        return np.sign(g, out=g), state


@dataclass(frozen=True, kw_only=True)
class Moments(Options):
    """Adam's options.

    Args:
        beta1: β₁ of the momentum, from 0 to below 1.
        beta2: β₂ of the second moment, from 0 to below 1.
        epsilon: ε, above 0, which keeps coordinates with zero gradient at rest.
    """

    beta1: float = option(0.9, between, 0, 1, open_high=True)
    beta2: float = option(0.99, between, 0, 1, open_high=True)
    epsilon: float = option(1e-8, positive)


@dataclass
class AdamState:
    """The state of Adam.

    Args:
        estimator: the estimator's state.
        first: m, shape (peers, dim).
        second: v, shape (peers, dim).
        steps: estimates so far, shape (peers,).
    """

    estimator: Any
    first: NDArray
    second: NDArray
    steps: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Adam(Moments, Rescaled):
    """m̂/(√v̂ + ε) of the estimates: m ← β₁ m + (1 − β₁) ĝ, v ← β₂ v + (1 − β₂) ĝ², hats undo the start at zero.

    Each peer divides by its own noise, so the network's average shrinks the noise less than it shrinks the signal; the
    algorithm dfedadam averages first. SAM's own perturbation goes along ĝ. Source: Kingma and Ba (2015), "Adam: a
    method for stochastic optimization", with zeroth-order estimates as in Chen et al. (2019), "ZO-AdaMM". Costs as the
    estimator.

    """

    def init(self, x: NDArray, problem: Problem) -> AdamState:
        zero, steps = np.zeros_like(x), np.zeros(len(x), np.int64)
        return AdamState(self.estimator.init(x, problem), zero, zero.copy(), steps)

    def estimate(self, oracle: Oracle, x: NDArray, state: AdamState, purpose: str) -> tuple[NDArray, AdamState]:
        g, state.estimator = self.estimator.estimate(oracle, x, state.estimator, purpose)
        if purpose != "descent":
            return g, state
        m, v = state.first, state.second
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        v += (1 - self.beta2) * np.square(g)
        state.steps += 1
        undo1, undo2 = (1 / (1 - beta ** state.steps.astype(x.dtype)[:, None]) for beta in (self.beta1, self.beta2))
        return m * undo1 / (np.sqrt(v * undo2) + self.epsilon), state


@dataclass
class HiSoState:
    """`curvature`: K, shape (peers, dim)."""

    curvature: NDArray


@dataclass(frozen=True, kw_only=True)
class HiSo(Estimator):
    """ĝ = mean_q s_q z_q along z = K^(−½) u, u Gaussian, and K ← (1 − ν) K + ν ĝ² from K = 1. Costs 2q queries.

    s is the central difference along z. The mean of ĝ is K⁻¹∇, and of one direction E‖ĝ‖² is (∇ᵀK⁻¹∇) tr K⁻¹ +
    2 ∇ᵀK⁻²∇: coordinates with large steps are queried, and moved, less. Source: HiSo (2026, arXiv 2506.02370). There a
    server averages s, and K, rebuilt from the averaged s and the seed, is common to all; here every peer keeps the K of
    its own estimates.

    Args:
        directions: q, at least 1.
        mu: μ, the step along z, in units of x, above 0.
        nu: ν, from 0 to below 1; the authors' code has 10⁻⁶, with which K hardly moves in a short run.
    """

    public_name: ClassVar[str] = "hiso"

    directions: int = option(4, whole_number, 1, most=MOST_QUERIES)
    mu: float = option(1e-3, positive)
    nu: float = option(0.01, between, 0, 1, open_high=True)

    def queries(self, dim: int) -> int:
        return 2 * self.directions

    def init(self, x: NDArray, problem: Problem) -> HiSoState:
        return HiSoState(np.ones_like(x))

    def estimate(self, oracle: Oracle, x: NDArray, state: HiSoState, purpose: str) -> tuple[NDArray, HiSoState]:
        K = state.curvature
        z = directions("gaussian", oracle.random(purpose), self.directions, x.shape[1], x.dtype)
        z /= np.sqrt(K)[:, None]
        plus, minus = losses_on_both_sides(oracle, x, z, self.mu)
        s = ((plus - minus) / (2 * self.mu * self.directions)).astype(x.dtype, copy=False)
        g = np.matmul(s[:, None], z)[:, 0]
        if purpose == "descent":
            K *= 1 - self.nu
            K += self.nu * np.square(g)
        return g, state
