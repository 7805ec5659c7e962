"""Gradients from class scores: a sketch of the scores' Jacobian that every query makes better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.context import Oracle
from dfedsam.objectives.base import Problem
from dfedsam.random import RandomStream
from dfedsam.validation import positive, whole_number
from dfedsam.zeroth_order.cycle import cycled, left
from dfedsam.zeroth_order.estimators import Estimator


@dataclass(frozen=True, kw_only=True)
class ScoreSketch(Estimator):
    """The chain rule through a learned Jacobian of the class scores. Costs q + 1 queries.

    A query tells more than a loss: the scores s(x) of all of a peer's examples. Their slopes along q directions u at
    right angles, of length √d, are D_q = (s(x + μu_q) − s(x))/μ. Each peer keeps J, which starts at zero and comes to
    be its scores' Jacobian, and with r = ∂loss/∂s at s(x), known exactly, the estimate and the update are

        ĝ = Jᵀr + ℓ/d · mean_q (D_q − J u_q)ᵀr · u_q,        J ← J + Σ_q (D_q − J u_q) u_qᵀ/d.

    Directions come without replacement: d at right angles make a cycle, and ℓ of its directions, from d down to q, were
    not asked yet. With linear scores J knows all that was asked, so the estimate is without bias, its variance is that
    of a gradient of the part of the scores that J does not know, E‖J − ∂s/∂x‖² falls in a cycle as ℓ/d does, and after
    it, where q divides d, J and all further estimates are exact. With others, J is up to a cycle behind. The loss's
    gradient changes at each step, since r does; J changes slowly.

    Source: SEGA's control variate (Hanzely, Mishchenko and Richtárik, 2018), kept not of the gradient but of what the
    chain rule (as in Gauss and Newton's method) puts before it; the update is Broyden's (1965) for q secants at right
    angles, and "sketch and project" of a Jacobian (Gower, Richtárik and Bach, 2021, "Stochastic quasi-gradient methods:
    variance reduction via Jacobian sketching").

    It needs the same examples in each query (objective.batch_size 0), and keeps examples × classes × d numbers a peer.

    Args:
        directions: q, random directions an estimate, from 1 to d.
        mu: μ, the step along a direction, in units of x, above 0.
    """

    directions: int = 4
    mu: float = 1e-3

    def __post_init__(self) -> None:
        whole_number("directions", self.directions, 1)
        positive("mu", self.mu)

    def check(self, problem: Problem) -> None:
        """Raise ValueError unless the objective gives scores, and has q directions at right angles."""
        super().check(problem)
        if not problem.scored:
            raise ValueError(
                "estimator is ScoreSketch: this objective does not give the same examples' class scores in each query; "
                "choose prompt_tuning with batch_size 0 and perturb 0, or the estimator one_sided"
            )
        if self.directions > problem.dim:
            raise ValueError(
                f"estimator.directions is {self.directions}: at right angles there are at most {problem.dim}, as many "
                "as the prompt has numbers"
            )

    def queries(self, dim: int) -> int:
        """q + 1."""
        return self.directions + 1

    def init(self, x: NDArray, problem: Problem) -> dict[str, NDArray]:
        """J of each peer, shape (peers, scores, dim), and how often it was asked."""
        return {
            "jacobian": np.zeros((len(x), problem.scored, x.shape[1]), x.dtype),
            "turn": np.zeros(len(x), np.int64),
        }

    def estimate(self, oracle: Oracle, x: NDArray, draws: RandomStream) -> NDArray:
        """See the class. In products a peer: no peer's bits depend on another.

        Raises:
            ValueError: if the algorithm keeps no J.
        """
        jacobian = oracle.memory.get("jacobian")
        if jacobian is None:
            raise ValueError("estimator is ScoreSketch: this algorithm keeps nothing for it; choose one_sided")
        turn = oracle.memory["turn"]
        u = cycled(draws, turn, self.directions, x.shape[1], x.dtype)
        candidates = np.empty((len(x), self.directions + 1, x.shape[1]), x.dtype)
        np.multiply(u, self.mu, out=candidates[:, 1:])
        candidates[:, 0] = 0
        candidates += x[:, None]
        scores = oracle.scores(candidates)
        r = oracle.problem.score_slopes(scores[:, 0], oracle.batch, oracle.rows)
        news = (scores[:, 1:] - scores[:, :1]) / x.dtype.type(self.mu)
        news -= np.matmul(u, jacobian.swapaxes(1, 2))
        slopes = np.matmul(news, r[:, :, None]).swapaxes(1, 2)
        weight = left(turn, self.directions, x.shape[1]) / (self.directions * x.shape[1])
        slopes *= weight.astype(x.dtype)[:, None, None]
        estimate = (np.matmul(r[:, None], jacobian) + np.matmul(slopes, u))[:, 0]
        news /= x.shape[1]
        jacobian += np.matmul(news.swapaxes(1, 2), u)
        turn += 1
        return estimate
