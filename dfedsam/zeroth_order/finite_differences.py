"""Gradients from differences of losses, along random directions, along every coordinate, or along all at once."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.context import Oracle
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import at_least, one_of, option, positive, whole_number
from dfedsam.random import RandomStream
from dfedsam.zeroth_order.base import MOST_QUERIES, Estimator
from dfedsam.zeroth_order.directions import Distribution, directions, relative_variance


@dataclass
class ControlVariate:
    """The state of the control variate: h, each peer's running gradient estimate, shape (peers, dim)."""

    control_variate: NDArray


@dataclass(frozen=True, kw_only=True)
class RandomDirections(Estimator):
    """Shared by estimators along random directions: directional derivatives s_q = u_qᵀ∇ give mean_q s_q u_q.

    With the control variate h, which starts at zero, the estimate is h + mean_q (s_q − u_qᵀh) u_q, and then
    h ← h + Σ_q (s_q − u_qᵀh) u_q/(d + q − 1). It stays unbiased; its variance is that of ∇ − h in place of ∇; and at a
    fixed ∇, E‖∇ − h‖² shrinks by 1 − q/(d + q − 1) with each estimate (±1 and sphere directions), at no extra query. It
    pays off once a peer has queried about d derivatives, most where the peers' own gradients are far larger than their
    mean. Source: Hanzely, Mishchenko and Richtárik (2018), "SEGA: variance reduction via gradient sketching", with q
    directions.

    Args:
        directions: q, random directions of an estimate, at least 1.
        mu: μ, the step along a direction, in units of x, above 0.
        distribution: how directions are drawn; E[u uᵀ] = I in all.
        control_variate: use a running gradient estimate as control variate (SEGA).
        shared: all peers use the same directions, as a flood with a robust rule needs.
    """

    directions: int = option(4, whole_number, 1, most=MOST_QUERIES)
    mu: float = option(1e-3, positive)
    distribution: Distribution = option("rademacher", one_of, get_args(Distribution))
    control_variate: bool = False
    shared: bool = False

    releases_scalars: ClassVar[bool] = True

    @abstractmethod
    def derivatives(self, oracle: Oracle, x: NDArray, u: NDArray) -> NDArray:
        """Directional derivatives (p, q) at x (p, dim) along u (p, q, dim)."""

    def init(self, x: NDArray, problem: Problem) -> ControlVariate | None:
        return ControlVariate(np.zeros_like(x)) if self.control_variate else None

    def estimate(
        self, oracle: Oracle, x: NDArray, state: ControlVariate | None, purpose: str
    ) -> tuple[NDArray, ControlVariate | None]:
        # One small product for each peer, so that no peer's bits depend on another.
        if state is None:
            coefficients, u = self.combination(oracle, x, purpose)
            return np.matmul(coefficients[:, None], u)[:, 0], None
        u = self.draw(oracle.random(purpose), x.shape[1], x.dtype)
        derivatives = self.derivatives(oracle, x, u).astype(u.dtype, copy=False)
        h, q = state.control_variate, self.directions
        residual = np.matmul((derivatives - np.matmul(u, h[:, :, None])[:, :, 0])[:, None], u)[:, 0]
        estimate = h + residual / q
        h += residual / (u.shape[2] + q - 1)
        return estimate, state

    def excess_variance(self, dim: int) -> float | None:
        return None if self.control_variate else relative_variance(self.distribution, self.directions, dim)

    @property
    def knows_gradient(self) -> bool:
        return self.control_variate

    def known_gradient(self, state: ControlVariate | None) -> NDArray | None:
        return None if state is None else state.control_variate

    @property
    def shares_directions(self) -> bool:
        return self.shared

    @property
    def replayed_directions(self) -> int:
        return 0 if self.control_variate else self.directions

    def combination(self, oracle: Oracle, x: NDArray, purpose: str) -> tuple[NDArray, NDArray]:
        u = self.draw(oracle.random(purpose), x.shape[1], x.dtype)
        return self.derivatives(oracle, x, u).astype(u.dtype, copy=False) / self.directions, u

    def draw(self, stream: RandomStream, dim: int, dtype: DTypeLike) -> NDArray:
        if not self.shared:
            return self.own_directions(stream, dim, dtype)
        one = self.own_directions(replace(stream, peers=range(1)), dim, dtype)
        return np.repeat(one, len(stream.peers), axis=0)

    def own_directions(self, stream: RandomStream, dim: int, dtype: DTypeLike) -> NDArray:
        """Directions of each of the stream's peers, shape (peers, q, dim)."""
        return directions(self.distribution, stream, self.directions, dim, dtype)


@dataclass(frozen=True, kw_only=True)
class TwoPoint(RandomDirections):
    """Central differences along q random directions: the mean of (F(x+μu) − F(x−μu))/(2μ) · u. Costs 2q queries.

    Source: Duchi, Jordan, Wainwright and Wibisono (2015), "Optimal rates for zero-order convex optimization"; Shamir
    (2017). For one Rademacher or sphere direction E‖ĝ‖² = d‖∇‖² and E cos² = 1/d.
    """

    def queries(self, dim: int) -> int:
        return 2 * self.directions

    def derivatives(self, oracle: Oracle, x: NDArray, u: NDArray) -> NDArray:
        q = u.shape[1]
        return oracle.slopes(both_sides(x, u, self.mu), slice(q), slice(q, None), 2 * self.mu)


def losses_on_both_sides(oracle: Oracle, x: NDArray, u: NDArray, mu: float) -> tuple[NDArray, NDArray]:
    """F(x + μu) and F(x − μu), each (p, q), for directions u (p, q, dim) at x (p, dim)."""
    losses = oracle.losses(both_sides(x, u, mu))
    return losses[:, : u.shape[1]], losses[:, u.shape[1] :]


def both_sides(x: NDArray, u: NDArray, mu: float) -> NDArray:
    """The candidates x + μu, and then x − μu, shape (p, 2q, dim), for x (p, dim) and u (p, q, dim)."""
    q = u.shape[1]
    candidates = np.empty((len(x), 2 * q, x.shape[1]), x.dtype)
    plus, minus = candidates[:, :q], candidates[:, q:]
    np.multiply(u, mu, out=plus)
    np.subtract(x[:, None], plus, out=minus)
    plus += x[:, None]
    return candidates


@dataclass(frozen=True, kw_only=True)
class OneSided(RandomDirections):
    """Forward differences along q random directions: the mean of (F(x+μu) − F(x))/μ · u. Costs q + 1 queries.

    Source: Nesterov and Spokoiny (2017), "Random gradient-free minimization of convex functions", equation 30. Since u
    and −u are equally likely, its mean is that of the two-point estimate, with the same bias of order μ². The curvature
    along u stays in each difference, though, and adds a spread of order μ.
    """

    def queries(self, dim: int) -> int:
        return self.directions + 1

    def derivatives(self, oracle: Oracle, x: NDArray, u: NDArray) -> NDArray:
        return oracle.slopes(one_side(x, u, self.mu), slice(1, None), slice(1), self.mu)


def one_side(x: NDArray, u: NDArray, mu: float) -> NDArray:
    """The candidates x, and then x + μu, shape (p, q + 1, dim), for x (p, dim) and u (p, q, dim)."""
    candidates = np.empty((len(x), u.shape[1] + 1, x.shape[1]), x.dtype)
    np.multiply(u, mu, out=candidates[:, 1:])
    candidates[:, 0] = 0
    candidates += x[:, None]
    return candidates


@dataclass(frozen=True, kw_only=True)
class CoordinateWise(Estimator):
    """Central differences along every coordinate: exact up to O(μ²). Costs 2·dim queries.

    Coordinates are queried in chunks, so that memory does not grow with dim². Source: Kiefer and Wolfowitz (1952).

    Args:
        mu: μ, the step along a coordinate, in units of x, above 0.
    """

    mu: float = option(1e-3, positive)

    def queries(self, dim: int) -> int:
        return 2 * dim

    def estimate(self, oracle: Oracle, x: NDArray, state: Any, purpose: str) -> tuple[NDArray, Any]:
        dim = x.shape[1]
        chunk = max(1, oracle.problem.chunk_bytes // (2 * x.nbytes))
        gradient = np.empty_like(x)
        for low in range(0, dim, chunk):
            coordinates = np.arange(low, min(low + chunk, dim))
            count = len(coordinates)
            candidates = np.repeat(x[:, None], 2 * count, axis=1)
            candidates[:, np.arange(count), coordinates] += x.dtype.type(self.mu)
            candidates[:, count + np.arange(count), coordinates] -= x.dtype.type(self.mu)
            losses = oracle.losses(candidates)
            gradient[:, coordinates] = (losses[:, :count] - losses[:, count:]) / (2 * self.mu)
        return gradient, state

    def excess_variance(self, dim: int) -> float:
        return 0.0


@dataclass(frozen=True, kw_only=True)
class SPSA(Estimator):
    """Simultaneous perturbation: the mean over q samples of (F(x + cδ) − F(x − cδ))/(2cδ), each entry by its own δ.

    Costs 2q queries. Each entry of δ is ±1 times a number uniform on [0.5, 1]; c_t = c/tᵞ, where t = 1, 2, … counts
    rounds, or in FedBBPT local steps. On a quadratic it is unbiased, and entry i of one sample has the variance
    7/6 · Σ_{j≠i} (∂_j F)².

    Source: Spall (1992), "Multivariate stochastic approximation using a simultaneous perturbation gradient
    approximation"; the distribution of δ and the gains are those of Oh et al. (2023), "BlackVIP: black-box visual
    prompting for robust transfer learning" (SPSA-GC), which Fed-BBPT uses.

    Args:
        samples: q, samples of δ in an estimate, at least 1.
        c: the step of t = 1, in units of x, above 0.
        gamma: γ ≥ 0, decay exponent of the step; 0 keeps it constant.
    """

    samples: int = option(5, whole_number, 1, most=MOST_QUERIES)
    c: float = option(0.01, positive)
    gamma: float = option(0.1, at_least, 0)

    def queries(self, dim: int) -> int:
        return 2 * self.samples

    def at(self, step: int) -> SPSA:
        return replace(self, c=self.c / step**self.gamma, gamma=0.0)

    def perturbations(self, stream: RandomStream, dim: int, dtype: DTypeLike) -> NDArray:
        """δ of each peer, shape (peers, q, dim)."""
        sizes = stream.uniform((self.samples, dim))
        return np.where(sizes < 0.5, -0.5 - sizes, sizes).astype(dtype)

    def estimate(self, oracle: Oracle, x: NDArray, state: Any, purpose: str) -> tuple[NDArray, Any]:
        stream, q = oracle.random(purpose), self.samples
        c = self.c / (stream.round + 1) ** self.gamma
        delta = self.perturbations(stream, x.shape[1], x.dtype)
        steps = delta * x.dtype.type(c)
        losses = oracle.losses(np.concatenate([x[:, None] + steps, x[:, None] - steps], axis=1))
        differences = (losses[:, :q] - losses[:, q:]) / (2 * c * q)
        return np.matmul(differences[:, None].astype(x.dtype, copy=False), 1 / delta)[:, 0], state

    def excess_variance(self, dim: int) -> float:
        return 7 / 6 * (dim - 1) / self.samples


@dataclass(frozen=True, kw_only=True)
class Tilted(TwoPoint):
    """The gradient of F_t(x) = (1/t) log E exp(t F(x + μu)): higher losses around x count more. Costs 2q queries.

    The estimate is 1/(tμ) Σ w_i u_i over the 2q points x ± μu, with the weights w = softmax(t F). t → 0 gives the
    two-point estimate. For Gaussian u on F = ½xᵀHx its mean tends to H (I − tμ²H)⁻¹ x for many directions, if tμ² times
    the largest eigenvalue is below 1: sharp directions are made steeper. With 2q far below exp(t times the range of the
    losses) a single point dominates, and the mean is smaller. Source: ZEST (2025, arXiv 2510.16157); tilted losses are
    those of Li et al. (2021), "Tilted empirical risk minimization".

    Args:
        tilt: t, above 0, in units of one loss: t times the losses' range should not exceed log 2q.
    """

    releases_scalars = False  # weights of losses, not differences alone

    mu: float = 0.05
    distribution: Distribution = "gaussian"
    tilt: float = option(1.0, positive)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.control_variate:
            rule = "must be false, since tilted differences are not those of a gradient"
            raise OptionError("control_variate", True, rule)

    def derivatives(self, oracle: Oracle, x: NDArray, u: NDArray) -> NDArray:
        plus, minus = losses_on_both_sides(oracle, x, u, self.mu)
        highest = np.maximum(plus.max(axis=1), minus.max(axis=1))[:, None]
        plus, minus = np.exp(self.tilt * (plus - highest)), np.exp(self.tilt * (minus - highest))
        total = (plus + minus).sum(axis=1, keepdims=True)
        return (plus - minus) * (self.directions / (self.tilt * self.mu)) / total

    def excess_variance(self, dim: int) -> None:
        return None
