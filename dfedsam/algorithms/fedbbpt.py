"""Fed-BBPT: SPSA-GC on every peer, and a server that averages their models weighted by numbers of examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.context import RoundContext
from dfedsam.errors import options_within
from dfedsam.objectives.base import Problem
from dfedsam.options import at_least, between, option, positive, whole_number
from dfedsam.state import rows_of, set_rows
from dfedsam.zeroth_order import SPSA, Estimator


@dataclass(kw_only=True)
class FedBBPTState(State):
    """The peers' state, with the estimator's.

    Args:
        m: the momentum, shape (peers, dim).
        examples: number of training examples of each peer, shape (peers,).
    """

    estimator: Any
    m: NDArray
    examples: NDArray


@dataclass(frozen=True, kw_only=True)
class FedBBPT(Algorithm):
    """Fed-BBPT, a baseline with a server: K steps m ← β m + ĝ, x ← x − a_t (ĝ + β m), then x ← Σ p_i x_i.

    a_t = a/(t + o)ᵅ, where t = 1, 2, … counts local steps over all rounds; m is the peer's own and is kept. p_i is the
    peer's share of the training examples. A round costs K times the estimator's queries; each peer sends its vector and
    its number of examples, and gets a vector.

    Source: Lin et al. (2023), "Efficient federated prompt tuning for black-box large pre-trained models": a prompt
    generator (--objective.parameters prompt_generator) under SPSA-GC, which is that of BlackVIP (Oh et al., 2023). The
    paper's discrete prompts are --objective.parameters discrete_prompt --algorithm.estimator policy_gradient
    --algorithm.beta 0 --algorithm.alpha 0. It does not specify whether m is kept between rounds.

    Args:
        estimator: how ĝ is estimated.
        local_steps: K, local steps in a round, at least 1.
        a: a, above 0.
        o: o, at least 0.
        alpha: α ≥ 0, decay exponent of the step size; 0 keeps it constant at `a`.
        beta: β, 0 ≤ β < 1.
    """

    public_name = "fedbbpt"
    uses_server = True

    estimator: Estimator = SPSA()
    local_steps: int = option(5, whole_number, 1)
    a: float = option(0.01, positive)
    o: float = option(1.0, at_least, 0)
    alpha: float = option(0.4, at_least, 0)
    beta: float = option(0.9, between, 0, 1, open_high=True)

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        with options_within("algorithm"):
            self.estimator.check(problem)

    def init(self, x: NDArray, problem: Problem) -> FedBBPTState:
        sizes = problem.sizes()
        examples = np.ones(len(x)) if sizes is None else np.array(sizes, np.float64)
        return FedBBPTState(x=x, estimator=self.estimator.init(x, problem), m=np.zeros_like(x), examples=examples)

    def round(self, state: FedBBPTState, context: RoundContext) -> FedBBPTState:
        assert context.server is not None
        for rows, chunk in context.chunks(self.estimator.queries(state.x.shape[1]), state.x[0].nbytes):
            local = rows_of(state, rows)
            for k in range(self.local_steps):
                t = context.round * self.local_steps + k + 1
                g, local.estimator = self.estimator.at(t)(chunk.oracle(k), local.x, local.estimator, "descent")
                local.m[:] = self.beta * local.m + g
                local.x -= self.a / (t + self.o) ** self.alpha * (g + self.beta * local.m)
                context.problem.project(local.x)
            set_rows(state, rows, local)
        state.x[:] = context.server.mean(state.x, state.examples)
        return state
