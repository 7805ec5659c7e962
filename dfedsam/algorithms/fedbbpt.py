"""Fed-BBPT: SPSA-GC on every peer, and a server that averages what they have by how much data they have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import ServerAlgorithm, State
from dfedsam.context import RoundContext, Server
from dfedsam.objectives.base import Problem
from dfedsam.validation import at_least, between, positive, whole_number
from dfedsam.zeroth_order import SPSA, Estimator


@dataclass(frozen=True, kw_only=True)
class FedBBPT(ServerAlgorithm):
    """Fed-BBPT, a baseline with a server: K steps m ← β m + ĝ, x ← x − a_t (ĝ + β m), then x ← Σ p_i x_i.

    a_t = a/(t + o)ᵅ, where t = 1, 2, … counts local steps over all rounds; m is the peer's own and is kept. p_i is the
    peer's share of the training examples. A round costs K times the estimator's queries; each peer sends its vector and
    its number of examples, and gets a vector.

    Source: Lin et al. (2023), "Efficient federated prompt tuning for black-box large pre-trained models": a prompt
    generator (--objective.parameters prompt_generator) under SPSA-GC, which is that of BlackVIP (Oh et al., 2023). The
    paper's discrete prompts are --objective.parameters discrete_prompt --algorithm.estimator policy_gradient
    --algorithm.beta 0 --algorithm.alpha 0. It says nothing of m between rounds.

    Args:
        estimator: how ĝ is estimated.
        local_steps: K, local steps a round, at least 1.
        a: a, above 0.
        o: o, at least 0.
        alpha: α ≥ 0, how fast steps shrink; 0: they do not, and each is a long.
        beta: β, 0 ≤ β < 1.
    """

    estimator: Estimator = SPSA()
    local_steps: int = 5
    a: float = 0.01
    o: float = 1.0
    alpha: float = 0.4
    beta: float = 0.9

    def __post_init__(self) -> None:
        whole_number("local_steps", self.local_steps, 1)
        positive("a", self.a)
        at_least("o", self.o, 0)
        at_least("alpha", self.alpha, 0)
        between("beta", self.beta, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> State:
        """m = 0."""
        return {"x": x, "m": np.zeros_like(x), "examples": np.ones(len(x))}

    def round(self, state: State, context: RoundContext) -> State:
        """K local steps, in place."""
        x, m, sizes = state["x"], state["m"], context.problem.sizes()
        if sizes is not None:
            state["examples"][:] = sizes
        for rows, part in context.parts(self.estimator.queries(x.shape[1]), x[0].nbytes):
            for k in range(self.local_steps):
                t = context.round * self.local_steps + k + 1
                g = self.estimator.at(t)(part.oracle(k), x[rows], "descent")
                m[rows] = self.beta * m[rows] + g
                x[rows] -= self.a / (t + self.o) ** self.alpha * (g + self.beta * m[rows])
                context.problem.project(x[rows])
        return state

    def serve(self, state: State, server: Server) -> State:
        """x ← Σ p_i x_i."""
        state["x"][:] = server.mean(state["x"], state["examples"])
        return state
