"""Gradients from class scores: a sketch of the scores' Jacobian that every query improves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.context import Oracle
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.validation import positive, whole_number
from dfedsam.zeroth_order.base import MOST_QUERIES, Estimator
from dfedsam.zeroth_order.directions import directions_without_replacement, remaining


@dataclass
class ScoreSketchState:
    """Each peer's sketch of its scores.

    Args:
        jacobian: J, shape (peers, scores, dim).
        position: number of sets of directions used so far, shape (peers,).
    """

    jacobian: NDArray
    position: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ScoreSketch(Estimator):
    """The chain rule through a learned Jacobian of the class scores. Costs q + 1 queries.

    A query yields more than a loss: the scores s(x) of all of a peer's examples. Their derivatives along q orthogonal
    directions u of length √d are D_q = (s(x + μu_q) − s(x))/μ. Each peer keeps J, which starts at zero and converges to
    its scores' Jacobian, and with r = ∂loss/∂s at s(x), known exactly, the estimate and the update are

        ĝ = Jᵀr + ℓ/d · mean_q (D_q − J u_q)ᵀr · u_q,        J ← J + Σ_q (D_q − J u_q) u_qᵀ/d.

    Directions come without replacement: d orthogonal ones make a cycle, and ℓ of them, from d down to q, remain unused.
    With linear scores J is exact along all directions used, so the estimate is unbiased, its variance is that of a
    gradient of the part of the scores that J does not capture, E‖J − ∂s/∂x‖² falls within a cycle as ℓ/d does, and
    after it, where q divides d, J and all further estimates are exact. With other scores J lags by up to a cycle. The
    loss's gradient changes at each step, since r does; J changes slowly.

    Source: SEGA's control variate (Hanzely, Mishchenko and Richtárik, 2018), kept not of the gradient but of the
    Jacobian before it in the chain rule (as in Gauss and Newton's method); the update is Broyden's (1965) for q
    orthogonal secants, and "sketch and project" of a Jacobian (Gower, Richtárik and Bach, 2021, "Stochastic
    quasi-gradient methods: variance reduction via Jacobian sketching").

    It needs the same examples in each query (objective.batch_size 0), and keeps examples × classes × d numbers per
    peer.

    Args:
        directions: q, random directions of an estimate, from 1 to d.
        mu: μ, the step along a direction, in units of x, above 0.
    """

    repeats_directions: ClassVar[bool] = False

    directions: int = 4
    mu: float = 1e-3

    def __post_init__(self) -> None:
        whole_number("directions", self.directions, 1, most=MOST_QUERIES)
        positive("mu", self.mu)

    def check(self, problem: Problem) -> None:
        super().check(problem)
        if not problem.num_scores:
            rule = "needs class scores of the same examples in each query, which this objective does not provide"
            hint = "choose prompt_tuning with batch_size 0 and perturb 0, or the estimator one_sided"
            raise OptionError("estimator", "score_sketch", rule, hint)
        if self.directions > problem.dim:
            rule = f"must be at most {problem.dim}, since no more directions are orthogonal"
            raise OptionError("estimator.directions", self.directions, rule)

    def queries(self, dim: int) -> int:
        return self.directions + 1

    def init(self, x: NDArray, problem: Problem) -> ScoreSketchState:
        jacobian = np.zeros((len(x), problem.num_scores, x.shape[1]), x.dtype)
        return ScoreSketchState(jacobian, np.zeros(len(x), np.int64))

    def estimate(
        self, oracle: Oracle, x: NDArray, state: ScoreSketchState, purpose: str
    ) -> tuple[NDArray, ScoreSketchState]:
        # One product for each peer, so that no peer's bits depend on another.
        jacobian, position, q, dim = state.jacobian, state.position, self.directions, x.shape[1]
        u = directions_without_replacement(oracle.random(purpose), position, q, dim, x.dtype)
        candidates = np.empty((len(x), q + 1, dim), x.dtype)
        np.multiply(u, self.mu, out=candidates[:, 1:])
        candidates[:, 0] = 0
        candidates += x[:, None]
        scores = oracle.scores(candidates)
        r = oracle.problem.score_gradient(scores[:, 0], oracle.batch, oracle.rows)
        residual = (scores[:, 1:] - scores[:, :1]) / x.dtype.type(self.mu)
        residual -= np.matmul(u, jacobian.swapaxes(1, 2))
        derivatives = np.matmul(residual, r[:, :, None]).swapaxes(1, 2)
        weight = remaining(position, q, dim) / (q * dim)
        derivatives *= weight.astype(x.dtype)[:, None, None]
        estimate = (np.matmul(r[:, None], jacobian) + np.matmul(derivatives, u))[:, 0]
        residual /= dim
        jacobian += np.matmul(residual.swapaxes(1, 2), u)
        position += 1
        return estimate, state
