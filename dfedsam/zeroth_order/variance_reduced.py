"""Estimates whose minibatch noise vanishes, so that a constant rate ends at the optimum: SVRG, SARAH and SAGA.

Any algorithm takes them: gradient_tracking with one is GT-SVRG, GT-SARAH or GT-SAGA, aug_dgm with svrg and a
probability GT-VR, and lt_admm with saga LT-ADMM-VR with a table that is kept between rounds. They need to know each
peer's examples (logistic_regression and prompt_tuning do).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dfedsam.context import Oracle
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import between, option, whole_number
from dfedsam.registry import public_name
from dfedsam.state import rows_of, set_rows
from dfedsam.zeroth_order.base import Estimator, Exact


@dataclass
class AnchorState:
    """The state of SVRG and SARAH.

    Args:
        anchor: the model that the next minibatch is compared at, shape (peers, dim).
        gradient: the estimate there, shape (peers, dim).
        steps: estimates so far, shape (peers,).
    """

    anchor: NDArray
    gradient: NDArray
    steps: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Anchored(Estimator):
    """Shared by SVRG and SARAH: ĝ = ĝ_B(x) − ĝ_B(anchor) + g, both on the minibatch B and along the same directions.

    At first, and then every `period` estimates or with a probability, g is estimated at x on all of the peer's
    examples; with directions, twice, so that each estimate costs the same: twice that of the other estimator.

    Args:
        estimator: the other one, which must keep nothing between estimates.
        period: estimates from one on all examples to the next, at least 1; unused with a probability.
        probability: that an estimate is one on all examples, drawn for each peer by itself, in [0, 1]; 0: by `period`.
    """

    estimator: Estimator = Exact()
    period: int = option(20, whole_number, 1)
    probability: float = option(0.0, between, 0, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.estimator.repeats_directions:
            rule = "must use the same directions at two points, but draws new ones each time"
            raise OptionError("estimator", public_name(type(self.estimator)), rule, "choose exact or two_point")

    def check(self, problem: Problem) -> None:
        self.estimator.check(problem)
        _require_examples(self, problem)
        if self.estimator.init(np.zeros((1, problem.dim)), problem) is not None:
            rule = "must keep nothing between estimates"
            hint = "choose exact, or two_point without control_variate"
            raise OptionError("estimator.estimator", public_name(type(self.estimator)), rule, hint)

    def queries(self, dim: int) -> int:
        return 2 * self.estimator.queries(dim)

    def init(self, x: NDArray, problem: Problem) -> AnchorState:
        return AnchorState(x.copy(), np.zeros_like(x), np.zeros(len(x), np.int64))

    def estimate(self, oracle: Oracle, x: NDArray, state: AnchorState, purpose: str) -> tuple[NDArray, AnchorState]:
        g, moves = np.empty_like(x), purpose == "descent"
        if self.probability:
            due = oracle.random(f"{purpose}, anchor").uniform(()) < self.probability
            due |= state.steps == 0
        else:
            due = state.steps % self.period == 0  # the same for all peers, unless some have been absent
        for some, action in ((due, self._on_all), (~due, self._on_minibatch)):
            if some.any():
                places = np.flatnonzero(some)
                rows = slice(None) if some.all() else places
                part = rows_of(state, rows)
                g[rows] = action(oracle if some.all() else oracle.of(places), x[rows], part, purpose, moves)
                set_rows(state, rows, part)
        state.steps += moves
        return g, state

    def _on_all(self, oracle: Oracle, x: NDArray, state: AnchorState, purpose: str, moves: bool) -> NDArray:
        whole = replace(oracle, batch=oracle.problem.example_indices(oracle.rows))
        g, _ = self.estimator.estimate(whole, x, None, purpose)
        if self.estimator.queries(x.shape[1]):
            g = (g + self.estimator.estimate(whole, x, None, f"{purpose}, again")[0]) / 2
        if moves:
            state.anchor[:], state.gradient[:] = x, g
        return g

    def _on_minibatch(self, oracle: Oracle, x: NDArray, state: AnchorState, purpose: str, moves: bool) -> NDArray:
        here, _ = self.estimator.estimate(oracle, x, None, purpose)
        there, _ = self.estimator.estimate(oracle, state.anchor, None, purpose)
        g = here - there + state.gradient
        if moves:
            self.move(state, x, g)
        return g

    @abstractmethod
    def move(self, state: AnchorState, x: NDArray, g: NDArray) -> None:
        """Move the anchor after an estimate g (p, dim) at x (p, dim)."""


@dataclass(frozen=True, kw_only=True)
class SVRG(Anchored):
    """ĝ_B(x) − ĝ_B(x̃) + ĝ(x̃), where x̃ is the model of the last estimate on all examples. Costs twice the estimator.

    Source: Johnson and Zhang (2013), "Accelerating stochastic gradient descent using predictive variance reduction";
    with gradient_tracking it is GT-SVRG (Xin, Khan and Kar, 2020, "Variance-reduced decentralized stochastic
    optimization with accelerated convergence"); with aug_dgm and a probability GT-VR (Jiang, Zeng, Sun and Chen, 2022,
    "Distributed stochastic gradient tracking algorithm with variance reduction for non-convex optimization", as
    decent-bench 0.3 has it).
    """

    public_name = "svrg"

    def move(self, state: AnchorState, x: NDArray, g: NDArray) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class SARAH(Anchored):
    """ĝ_B(x) − ĝ_B(x⁻) + v⁻, from one estimate to the next, restarted on all examples. Costs twice the estimator.

    Source: Nguyen et al. (2017), "SARAH: a novel method for machine learning problems using stochastic recursive
    gradient"; with gradient_tracking it is GT-SARAH (Xin, Khan and Kar, 2022, "Fast decentralized nonconvex finite-sum
    optimization with recursive variance reduction"); with a probability it is PAGE (Li, Bao, Zhang and Richtárik, 2021,
    "PAGE: a simple and optimal probabilistic gradient estimator for nonconvex optimization").
    """

    public_name = "sarah"

    def move(self, state: AnchorState, x: NDArray, g: NDArray) -> None:
        state.anchor[:], state.gradient[:] = x, g


@dataclass
class SAGAState:
    """The state of SAGA.

    Args:
        table: the last gradient of each example, shape (peers, examples, dim).
        mean: its mean over the examples, shape (peers, dim).
    """

    table: NDArray
    mean: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SAGA(Estimator):
    """The mean over the minibatch of ∇f_e(x) − (the last gradient of e), plus the mean of all last gradients.

    A white box: it takes an exact gradient for each example of the minibatch, and keeps examples × d numbers per peer,
    from zero. Source: Defazio, Bach and Lacoste-Julien (2014), "SAGA: a fast incremental gradient method with support
    for non-strongly convex composite objectives"; with gradient_tracking it is GT-SAGA (Xin, Khan and Kar, 2020), with
    lt_admm LT-ADMM-VR (Ren et al., 2025), which starts the table anew in each round. Costs no queries.
    """

    public_name = "saga"

    def check(self, problem: Problem) -> None:
        Exact().check(problem)
        _require_examples(self, problem)

    def queries(self, dim: int) -> int:
        return 0

    def init(self, x: NDArray, problem: Problem) -> SAGAState:
        examples = problem.example_indices().shape[1]
        return SAGAState(np.zeros((len(x), examples, x.shape[1]), x.dtype), np.zeros(x.shape))

    def estimate(self, oracle: Oracle, x: NDArray, state: SAGAState, purpose: str) -> tuple[NDArray, SAGAState]:
        known, batch, peers = oracle.problem.example_indices(oracle.rows), oracle.batch, np.arange(len(x))
        places = (known[:, None] == batch[:, :, None]).argmax(axis=2)
        counts, used = (known >= 0).sum(axis=1)[:, None], batch >= 0
        new = [
            replace(oracle, batch=np.maximum(batch, known[:, :1])[:, [j]]).gradients(x) for j in range(batch.shape[1])
        ]
        g = state.mean.copy()
        for j, gradients in enumerate(new):
            g += (used[:, [j]] / used.sum(axis=1)[:, None]) * (gradients - state.table[peers, places[:, j]])
        if purpose == "descent":
            for j, gradients in enumerate(new):
                change = used[:, [j]] * (gradients - state.table[peers, places[:, j]])
                state.table[peers, places[:, j]] += change
                state.mean += change / counts
        return g.astype(x.dtype), state


def _require_examples(estimator: Estimator, problem: Problem) -> None:
    """Raise OptionError unless each peer's examples are known."""
    if not problem.gives_example_losses:
        rule = "needs an objective whose peers have examples, each with a loss of its own"
        hint = "choose logistic_regression, or prompt_tuning with a black box that gives scores"
        raise OptionError("estimator", public_name(type(estimator)), rule, hint)
