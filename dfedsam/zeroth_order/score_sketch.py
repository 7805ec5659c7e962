"""Class scores: a sketch of their Jacobian that every query improves, for gradients and Gauss-Newton steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from dfedsam.context import Oracle
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import option, positive, whole_number
from dfedsam.registry import public_name
from dfedsam.zeroth_order.base import MOST_QUERIES, Estimator
from dfedsam.zeroth_order.directions import directions_without_replacement, remaining
from dfedsam.zeroth_order.finite_differences import one_side


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

    directions: int = option(4, whole_number, 1, most=MOST_QUERIES)
    mu: float = option(1e-3, positive)

    def check(self, problem: Problem) -> None:
        super().check(problem)
        if not problem.num_scores:
            rule = "needs class scores of the same examples in each query, which this objective does not provide"
            hint = "choose prompt_tuning with batch_size 0 and perturb 0, or the estimator one_sided"
            raise OptionError("estimator", public_name(self), rule, hint)
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
        q, dim = self.directions, x.shape[1]
        u, scores, residual = self._query(oracle, x, state, purpose)
        residual -= np.matmul(u, state.jacobian.swapaxes(1, 2))
        r = oracle.problem.score_gradient(scores, oracle.batch, oracle.rows)
        correction = np.matmul(residual, r[:, :, None]).swapaxes(1, 2)
        weight = remaining(state.position, q, dim) / (q * dim)
        correction *= weight.astype(x.dtype)[:, None, None]
        estimate = (np.matmul(r[:, None], state.jacobian) + np.matmul(correction, u))[:, 0]
        residual /= dim
        _add_products(state.jacobian, residual, u)
        state.position += 1
        return estimate, state

    def _query(
        self, oracle: Oracle, x: NDArray, state: ScoreSketchState, purpose: str
    ) -> tuple[NDArray, NDArray, NDArray]:
        """The next directions u (p, q, dim), s(x) (p, scores), and the derivatives D along u (p, q, scores)."""
        u = directions_without_replacement(oracle.random(purpose), state.position, self.directions, x.shape[1], x.dtype)
        scores = oracle.scores(one_side(x, u, self.mu))
        return u, scores[:, 0], (scores[:, 1:] - scores[:, :1]) / x.dtype.type(self.mu)


@dataclass
class GaussNewtonState(ScoreSketchState):
    """The sketch, and the point from which each peer's displacement counts.

    Args:
        x: that point, shape (peers, dim).
        scores: s there, shape (peers, scores).
    """

    x: NDArray
    scores: NDArray

    def learn(self, x: NDArray, scores: NDArray, u: NDArray, derivatives: NDArray, shortest: float) -> None:
        """Broyden's updates along each peer's displacement, unless it is shorter than `shortest`, and then along u."""
        q, dim = u.shape[1:]
        displacement = (x - self.x)[:, None]
        length = np.linalg.norm(displacement, axis=2, keepdims=True)
        first = self.position == 0
        moved = ~first & (length[:, 0, 0] >= shortest)
        rows = np.concatenate([u, displacement], axis=1)
        residual = np.concatenate([derivatives, (scores - self.scores)[:, None]], axis=1)
        residual -= np.matmul(rows, self.jacobian.swapaxes(1, 2))
        residual[:, q:] *= np.where(moved[:, None, None], 1 / np.maximum(length, shortest) ** 2, 0).astype(x.dtype)
        residual[:, :q] -= np.matmul(u, displacement.swapaxes(1, 2)) * residual[:, q:]  # the first update's share
        residual[:, :q] /= dim
        _add_products(self.jacobian, residual, rows)  # both in one pass
        self.position += 1
        self.x[first | moved], self.scores[first | moved] = x[first | moved], scores[first | moved]


@dataclass(frozen=True, kw_only=True)
class GaussNewton(ScoreSketch):
    """Levenberg and Marquardt's step on the score sketch's model of the loss. Costs q + 1 queries.

    The sketch J gives curvature at no query, too. With A the least upper bound of the loss's Hessian by the scores,
    this is not an estimate of the gradient but of the damped step

        p = (H + λ c I)⁻¹ Jᵀr,        H = JᵀAJ,        c = tr H / k,

    where k bounds the rank of H: it is the number of orthogonal directions that J knows or, if there are fewer, that of
    independent scores, C − 1 for each example with C classes. So c is the mean curvature along directions that a peer's
    examples tell apart, and the damping is no weaker where these are few.

    With scores linear in x, once J is exact, a learning rate up to 1 without momentum never raises the loss. J is
    updated first, and Jᵀr used without a correction: within the first cycle the step grows with what is known. A
    peer's displacement v, gossip included, improves J along v at no query, once v is at least μ long:
    J ← J + (s(x) − s(x − v) − Jv) vᵀ/‖v‖². Elsewhere J lags by up to a cycle.

    Each peer divides by its own curvature, so peers with different data agree on a point where the mean of p is zero,
    not exactly that of the gradients. The bound depends on a peer's examples but not on its labels or on how certain
    the model is of them, as the Hessian does; with the Hessian one run on AG News (Dirichlet 0.3) ended at 80.5 %, with
    the bound at 85.0 %. A peer's weight (`objective.weigh_by`) multiplies its step.

    Source: Böhning (1992), "Multinomial logistic regression algorithm" (the bound); Broyden (1965) (the update along
    v); Levenberg (1944) and Marquardt (1963); Schraudolph (2002), "Fast curvature matrix-vector products for
    second-order gradient descent".

    Args:
        directions: q, random directions of a step, from 1 to d.
        mu: μ, the step along a direction, in units of x, above 0.
        damping: λ, in units of this mean curvature, above 0. A large one turns p to the gradient, of length ‖Jᵀr‖/λc.
    """

    damping: float = option(3.0, positive)

    def init(self, x: NDArray, problem: Problem) -> GaussNewtonState:
        sketch = super().init(x, problem)
        scores = np.zeros(sketch.jacobian.shape[:2], x.dtype)
        return GaussNewtonState(sketch.jacobian, sketch.position, x.copy(), scores)

    def estimate(
        self, oracle: Oracle, x: NDArray, state: ScoreSketchState, purpose: str
    ) -> tuple[NDArray, ScoreSketchState]:
        assert isinstance(state, GaussNewtonState)
        u, scores, derivatives = self._query(oracle, x, state, purpose)
        state.learn(x, scores, u, derivatives, self.mu)
        r = oracle.problem.score_gradient(scores, oracle.batch, oracle.rows)
        g = np.matmul(r[:, None], state.jacobian)[:, 0]
        known = np.minimum(state.position * self.directions, x.shape[1])
        for i in range(len(x)):  # each has its own number of examples; a matrix product is worth the turn
            root = oracle.problem.score_curvature(state.jacobian[i], oracle.batch[i])
            curvature = float(np.vdot(root, root)) / min(known[i], len(root))
            g[i] = damped_solution(root, g[i], self.damping * curvature if curvature > 0 else 1.0)
        return g, state


def _add_products(jacobian: NDArray, residual: NDArray, rows: NDArray) -> None:
    """J_i += residual_iᵀ rows_i, one peer after another: the product for all of them would not fit into the cache.

    Args:
        jacobian: J, shape (p, scores, dim), changed in place.
        residual: shape (p, m, scores).
        rows: shape (p, m, dim).
    """
    for J, differences, directions in zip(jacobian, residual, rows, strict=True):
        J += differences.T @ directions


def damped_solution(root: NDArray, g: NDArray, damping: float) -> NDArray:
    """(FᵀF + λI)⁻¹ g, shape (dim,), by the smaller of two systems (Woodbury's identity); NaN if it has no such value.

    Args:
        root: F, shape (m, dim).
        g: shape (dim,).
        damping: λ > 0.
    """
    m, dim = root.shape
    smaller = root @ root.T if m < dim else root.T @ root
    smaller[np.diag_indices(len(smaller))] += damping
    try:
        factor = cho_factor(smaller, overwrite_a=True, check_finite=False)
    except LinAlgError:  # not positive definite: F is not finite
        return np.full_like(g, np.nan)
    if m < dim:
        return (g - root.T @ cho_solve(factor, root @ g, check_finite=False)) / damping
    return cho_solve(factor, g, check_finite=False)
