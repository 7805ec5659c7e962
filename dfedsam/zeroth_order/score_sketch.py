"""Gradients from class scores: a sketch of the scores' Jacobian that every query makes better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.checks import positive, whole
from dfedsam.objectives.base import Problem
from dfedsam.play import Minibatch
from dfedsam.randomness import Draws
from dfedsam.zeroth_order.directions import directions
from dfedsam.zeroth_order.estimators import Estimator


@dataclass(frozen=True, kw_only=True)
class ScoreSketch(Estimator):
    """The chain rule through a learned Jacobian of the class scores. Costs q + 1 queries.

    A query tells more than a loss: the scores s(x) of all of a peer's examples. Their slopes along q directions u at
    right angles, of length √d, are D_q = (s(x + μu_q) − s(x))/μ. Each peer keeps J, which starts at zero and comes to
    be its scores' Jacobian, and with r = ∂loss/∂s at s(x), known exactly, the estimate and the update are

        ĝ = Jᵀr + mean_q (D_q − J u_q)ᵀr · u_q,        J ← J + Σ_q (D_q − J u_q) u_qᵀ/d.

    Up to O(μ) the estimate is without bias, and its variance is that of a gradient of the part of the scores that J
    does not explain. The loss's gradient changes at each step, since r does; J changes slowly, so that it is nearly
    known after some multiple of d queries, and with linear scores E‖J − ∂s/∂x‖² shrinks by 1 − q/d an estimate.

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
        whole("directions", self.directions, 1)
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
        """J of each peer, shape (peers, scores, dim)."""
        return {"jacobian": np.zeros((len(x), problem.scored, x.shape[1]), x.dtype)}

    def estimate(self, minibatch: Minibatch, x: NDArray, draws: Draws) -> NDArray:
        """See the class. In products a peer: no peer's bits depend on another.

        Raises:
            ValueError: if the algorithm keeps no J.
        """
        jacobian = minibatch.memory.get("jacobian")
        if jacobian is None:
            raise ValueError("estimator is ScoreSketch: this algorithm keeps nothing for it; choose one_sided")
        u = directions("orthogonal", draws, self.directions, x.shape[1], x.dtype)
        candidates = np.empty((len(x), self.directions + 1, x.shape[1]), x.dtype)
        np.multiply(u, self.mu, out=candidates[:, 1:])
        candidates[:, 0] = 0
        candidates += x[:, None]
        scores = minibatch.scores(candidates)
        r = minibatch.problem.score_slopes(scores[:, 0], minibatch.batch, minibatch.rows)
        news = (scores[:, 1:] - scores[:, :1]) / x.dtype.type(self.mu)
        news -= np.matmul(u, jacobian.swapaxes(1, 2))
        slopes = np.matmul(news, r[:, :, None]).swapaxes(1, 2) / x.dtype.type(self.directions)
        estimate = (np.matmul(r[:, None], jacobian) + np.matmul(slopes, u))[:, 0]
        news /= x.shape[1]
        jacobian += np.matmul(news.swapaxes(1, 2), u)
        return estimate
