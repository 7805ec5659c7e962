"""Algorithms that step along estimated gradients: the learning rate, SAM's perturbation, and one gradient a round."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.context import Oracle, RoundContext
from dfedsam.errors import options_within
from dfedsam.gossip import Gossip, Plain
from dfedsam.objectives.base import Problem
from dfedsam.options import at_least, between, one_of, option, positive, whole_number
from dfedsam.state import rows_of, set_rows
from dfedsam.zeroth_order import Estimator, TwoPoint, perturb

Schedule = Literal["constant", "inverse_root", "exponential", "linear", "cosine"]
_FALLING = ("linear", "cosine")  # schedules that fall over lr_rounds


@dataclass(frozen=True, kw_only=True)
class GradientMethod(Algorithm):
    """Shared options of algorithms that descend along estimated gradients.

    Args:
        lr: η, the learning rate of the first round, above 0.
        lr_schedule: the rate of round t = 0, 1, …: "constant", "inverse_root" (lr/√(t+1)), "exponential"
            (lr·lr_decay^t), "linear" (lr·(1 − t/T)) or "cosine" (lr·(1 + cos(πt/T))/2).
        lr_decay: the factor of "exponential", in (0, 1].
        lr_rounds: T of "linear" and "cosine": the rounds over which the rate falls; afterwards it keeps its value of
            round T − 1. 0: the rounds of the run as first started.
        estimator: how gradients are estimated.
        rho: ρ ≥ 0, the length of SAM's perturbation before each gradient, in units of x; 0 turns it off.
    """

    lr: float = option(0.01, positive)
    lr_schedule: Schedule = option("constant", one_of, get_args(Schedule))
    lr_decay: float = option(0.998, between, 1e-9, 1)
    lr_rounds: int = option(0, whole_number, 0)
    estimator: Estimator = TwoPoint()
    rho: float = option(0.0, at_least, 0)

    def for_rounds(self, rounds: int) -> Algorithm:
        if self.lr_schedule in _FALLING and not self.lr_rounds:
            return replace(self, lr_rounds=max(1, rounds))
        return self

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        with options_within("algorithm"):
            self.estimator.check(problem)

    def rate(self, round: int) -> float:
        """η of 0-based round t."""
        if self.lr_schedule == "inverse_root":
            return self.lr / (round + 1) ** 0.5
        if self.lr_schedule == "exponential":
            return self.lr * self.lr_decay**round
        if self.lr_schedule in _FALLING:
            done = min(round, self.lr_rounds - 1) / self.lr_rounds
            return self.lr * (1 - done if self.lr_schedule == "linear" else (1 + math.cos(math.pi * done)) / 2)
        return self.lr

    def perturbed(
        self, oracle: Oracle, x: NDArray, state: Any, direction: NDArray | None = None, purpose: str = "ascent"
    ) -> tuple[NDArray, Any]:
        """SAM's perturbed point x + ρ v/‖v‖, where the gradient is then estimated; x itself if ρ = 0.

        Args:
            oracle: oracle of the p peers.
            x: their models, shape (p, dim).
            state: the estimator's state of these peers.
            direction: v, shape (p, dim), overwritten; None: an estimate at x.
            purpose: names the random numbers of that estimate.

        Returns:
            The points, shape (p, dim), and the estimator's state.
        """
        if self.rho == 0:
            return x, state
        if direction is None:
            direction, state = self.estimator(oracle, x, state, purpose)
        return perturb(x, direction, self.rho), state

    def gradient(
        self, context: RoundContext, x: NDArray, state: Any, direction: NDArray | None = None
    ) -> tuple[NDArray, Any]:
        """Estimate every peer's gradient on its own minibatch, at x or at SAM's perturbed point.

        Args:
            context: the round's context.
            x: the block's models, shape (peers, dim).
            state: the estimator's state.
            direction: direction of SAM's perturbation, shape (peers, dim); None: a separate estimate.

        Returns:
            Estimates, shape (peers, dim), 0 for absent peers, and the estimator's state.
        """
        g = np.zeros_like(x)
        for rows, chunk in context.chunks(self.estimator.queries(x.shape[1]), x[0].nbytes):
            oracle, local = chunk.oracle(0), rows_of(state, rows)
            along = direction[rows].copy() if self.rho and direction is not None else None
            at, local = self.perturbed(oracle, x[rows], local, along)
            g[rows], local = self.estimator(oracle, at, local, "descent")
            set_rows(state, rows, local)
        return g, state


@dataclass(kw_only=True)
class GradientState(State):
    """The states of the estimator and of the gossip of x."""

    estimator: Any
    gossip: Any


@dataclass(frozen=True, kw_only=True)
class GossipOneGradient(GradientMethod):
    """Shared by algorithms in which every peer estimates one gradient in a round; twice the queries with ρ > 0.

    Args:
        gossip: the gossip phase.
    """

    gossip: Gossip = Plain()

    def initial_fields(self, x: NDArray, problem: Problem) -> dict[str, Any]:
        """The fields of GradientState before round 0, for x (peers, dim)."""
        return {"x": x, "estimator": self.estimator.init(x, problem), "gossip": self.gossip.init(x)}
