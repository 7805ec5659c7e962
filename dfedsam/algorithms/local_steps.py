"""K local steps from queries alone: what DFedAvg, DFedSAM, D-PSGD and the baselines share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.learning_rate import Stepping
from dfedsam.context import Oracle, RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import at_least, between, whole_number
from dfedsam.zeroth_order import Estimator, TwoPoint


@dataclass(frozen=True, kw_only=True)
class LocalSteps(Stepping):
    """K steps m ← β m + g, x ← x − η m of every peer on its own minibatches, g from `direction`.

    Args:
        estimator: how gradients are estimated.
        local_steps: K, local steps a round, at least 1.
        momentum: β, 0 ≤ β < 1.
        keep_momentum: keep m between rounds; otherwise it starts at zero in each, as DFedAvgM has it.
        weight_decay: λ ≥ 0: λ x is added to each g.
    """

    estimator: Estimator = TwoPoint()
    local_steps: int = 5
    momentum: float = 0.0
    keep_momentum: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("local_steps", self.local_steps, 1)
        between("momentum", self.momentum, 0, 1, open_high=True)
        at_least("weight_decay", self.weight_decay, 0)

    def init(self, x: NDArray, problem: Problem) -> State:
        """The state before round 0: x, what the estimator keeps, and the momentum where it is kept."""
        kept = {"momentum": np.zeros_like(x)} if self.momentum and self.keep_momentum else {}
        return {"x": x, "estimator": self.estimator.init(x, problem), **kept}

    def direction(self, oracle: Oracle, x: NDArray, momentum: NDArray | None, state: State) -> NDArray:
        """What a local step descends along, shape (p, dim): here the estimated gradient at x.

        Args:
            oracle: of these p peers, which are the rows `oracle.rows` of the state.
            x: where they are, shape (p, dim).
            momentum: theirs before the step, shape (p, dim); None without momentum.
            state: the block's.
        """
        return self.estimator(oracle, x, "descent")

    def pull(self, x: NDArray, state: State, rows: slice) -> NDArray | None:
        """What is added to the estimates at x (p, dim), for these rows of the state: shape (p, dim); None: nothing."""
        return None

    def local_phase(self, state: State, context: RoundContext) -> State:
        """The K local steps of a round, for as many peers at a time as fit into the cache; x is updated in place."""
        x, momentum = state["x"], state.get("momentum")
        for rows, part in context.parts(self.estimator.queries(x.shape[1]), x[0].nbytes):
            self._steps(x[rows], None if momentum is None else momentum[rows], part, state)
        return state

    def _steps(self, x: NDArray, m: NDArray | None, context: RoundContext, state: State) -> None:
        """K steps of x and momentum m, both (peers, dim), in place."""
        if self.momentum and m is None:
            m = np.zeros_like(x)
        lr = self.rate(context.round)
        for k in range(self.local_steps):
            oracle = context.oracle(k, state["estimator"])
            g = self.direction(oracle, x, m, state)
            if context.trace is not None and oracle.slopes:
                slopes = oracle.slopes[-1]  # those of the descent; an ascent comes before it
                context.trace.coefficients[context.rows, k * slopes.shape[1] : (k + 1) * slopes.shape[1]] = -lr * slopes
            pull = self.pull(x, state, context.rows)
            if pull is not None:
                g += pull
            if self.weight_decay:
                g += self.weight_decay * x
            if m is not None:
                m *= self.momentum
                m += g
                np.multiply(m, lr, out=g)
            else:
                g *= lr
            x -= g
            context.problem.project(x)
