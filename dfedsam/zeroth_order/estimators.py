"""Gradients from losses alone: each estimator asks a minibatch for losses of candidates and returns (peers, dim)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.context import Oracle
from dfedsam.objectives.base import Problem
from dfedsam.random import RandomStream
from dfedsam.validation import one_of, positive, whole_number
from dfedsam.zeroth_order.directions import DISTRIBUTIONS, Distribution, directions


@dataclass(frozen=True, kw_only=True)
class Estimator(ABC):
    """Estimates each peer's gradient on its oracle."""

    def check(self, problem: Problem) -> None:
        """Raise ValueError, with what to choose instead, unless it can estimate this objective's gradients.

        Called before anything is written.
        """
        if problem.categorical is not None:
            raise ValueError(
                f"estimator is {type(self).__name__}: discrete prompts have no slopes along directions; "
                "choose policy_gradient"
            )

    def at(self, step: int) -> Estimator:
        """What estimates in step t = 1, 2, … of an algorithm that counts them; the same in all by default."""
        return self

    @abstractmethod
    def queries(self, dim: int) -> int:
        """Queries that one estimate costs a peer, for vectors of length dim."""

    def init(self, x: NDArray, problem: Problem) -> dict[str, NDArray]:
        """What an algorithm keeps in its state for this estimator, a row a peer, before the first estimate at x."""
        return {}

    @abstractmethod
    def estimate(self, oracle: Oracle, x: NDArray, draws: RandomStream) -> NDArray:
        """Gradient estimates (peers, dim) at x (peers, dim), with the random numbers `draws`."""

    def __call__(self, oracle: Oracle, x: NDArray, purpose: str) -> NDArray:
        """Gradient estimates of every peer of the minibatch; where the run asks for it, their cosine is noted.

        Args:
            oracle: the local step's minibatches.
            x: where, shape (peers, dim).
            purpose: names the random directions: the same name draws the same ones.

        Returns:
            Estimates, shape (peers, dim).
        """
        estimates = self.estimate(oracle, x, oracle.draws(purpose))
        if oracle.cosines is not None:
            exact = oracle.problem.gradients(x, oracle.batch, oracle.rows)
            oracle.cosines.append((oracle.rows, cosines(estimates, exact)))
        return estimates


def cosines(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """Cosine between the rows of a and b, both (p, dim), shape (p,); 0 where a row is zero."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.einsum("pd,pd->p", a, b) / np.where(norms > 0, norms, 1)


@dataclass(frozen=True, kw_only=True)
class RandomDirections(Estimator):
    """What estimators along random directions share: from slopes s_q = u_qᵀ∇ to the estimate mean_q s_q u_q.

    With the control variate h, which starts at zero, the estimate is h + mean_q (s_q − u_qᵀh) u_q, and then
    h ← h + Σ_q (s_q − u_qᵀh) u_q/(d + q − 1). It stays without bias; its variance is that of ∇ − h in place of ∇; and
    at a fixed ∇, E‖∇ − h‖² shrinks by 1 − q/(d + q − 1) an estimate (±1 and sphere directions), at no query. It pays
    once a peer has asked for about d slopes, most where the peers' own gradients are far larger than their mean.
    Source: Hanzely, Mishchenko and Richtárik (2018), "SEGA: variance reduction via gradient sketching", with q
    directions.

    Args:
        directions: q, random directions an estimate, at least 1.
        mu: μ, the step along a direction, in units of x, above 0.
        distribution: how directions are drawn: "rademacher", "gaussian", "sphere" or "orthogonal"; E[u uᵀ] = I in all.
        control_variate: remember each peer's gradient as far as past slopes tell it, and estimate only what is new.
    """

    directions: int = 4
    mu: float = 1e-3
    distribution: Distribution = "rademacher"
    control_variate: bool = False

    def __post_init__(self) -> None:
        whole_number("directions", self.directions, 1)
        positive("mu", self.mu)
        one_of("distribution", self.distribution, DISTRIBUTIONS)

    def init(self, x: NDArray, problem: Problem) -> dict[str, NDArray]:
        """The control variate h, where there is one."""
        return {"control": np.zeros_like(x)} if self.control_variate else {}

    def combine(self, oracle: Oracle, slopes: NDArray, u: NDArray) -> NDArray:
        """The estimate (p, dim) from slopes (p, q) along directions u (p, q, dim); updates the control variate.

        In small products a peer: no peer's bits depend on another.

        Raises:
            ValueError: if there is a control variate and the algorithm keeps none.
        """
        slopes, q = slopes.astype(u.dtype, copy=False), self.directions
        if not self.control_variate:
            slopes = slopes / q
            if oracle.slopes is not None:
                oracle.slopes.append(slopes)
            return np.matmul(slopes[:, None], u)[:, 0]
        h = oracle.memory.get("control")
        if h is None:
            raise ValueError("estimator.control_variate is true: this algorithm keeps none; leave it false")
        news = np.matmul((slopes - np.matmul(u, h[:, :, None])[:, :, 0])[:, None], u)[:, 0]
        estimate = h + news / q
        h += news / (u.shape[2] + q - 1)
        return estimate

    def draw(self, x: NDArray, draws: RandomStream) -> NDArray:
        """Directions for x (p, dim), shape (p, q, dim)."""
        return directions(self.distribution, draws, self.directions, x.shape[1], x.dtype)


@dataclass(frozen=True, kw_only=True)
class TwoPoint(RandomDirections):
    """Central differences along q random directions: the mean of (F(x+μu) − F(x−μu))/(2μ) · u. Costs 2q queries.

    Source: Duchi, Jordan, Wainwright and Wibisono (2015), "Optimal rates for zero-order convex optimization"; Shamir
    (2017). For one Rademacher or sphere direction E‖ĝ‖² = d‖∇‖² and E cos² = 1/d.

    Args:
        directions: q, random directions an estimate, at least 1.
        mu: μ, the step along a direction, in units of x, above 0.
        distribution: how directions are drawn: "rademacher", "gaussian", "sphere" or "orthogonal"; E[u uᵀ] = I in all.
        control_variate: remember each peer's gradient as far as past slopes tell it, and estimate only what is new.
    """

    def queries(self, dim: int) -> int:
        """2q."""
        return 2 * self.directions

    def estimate(self, oracle: Oracle, x: NDArray, draws: RandomStream) -> NDArray:
        """See the class."""
        q = self.directions
        u = self.draw(x, draws)
        candidates = np.empty((len(x), 2 * q, x.shape[1]), x.dtype)
        plus, minus = candidates[:, :q], candidates[:, q:]
        np.multiply(u, self.mu, out=plus)
        np.subtract(x[:, None], plus, out=minus)
        plus += x[:, None]
        losses = oracle.losses(candidates)
        return self.combine(oracle, (losses[:, :q] - losses[:, q:]) / (2 * self.mu), u)


@dataclass(frozen=True, kw_only=True)
class OneSided(RandomDirections):
    """Forward differences along q random directions: the mean of (F(x+μu) − F(x))/μ · u. Costs q + 1 queries.

    Source: Nesterov and Spokoiny (2017), "Random gradient-free minimization of convex functions", equation 30. Its
    bias grows with μ, where the two-point estimate's grows with μ².

    Args:
        directions: q, random directions an estimate, at least 1.
        mu: μ, the step along a direction, in units of x, above 0.
        distribution: how directions are drawn: "rademacher", "gaussian", "sphere" or "orthogonal"; E[u uᵀ] = I in all.
        control_variate: remember each peer's gradient as far as past slopes tell it, and estimate only what is new.
    """

    def queries(self, dim: int) -> int:
        """q + 1."""
        return self.directions + 1

    def estimate(self, oracle: Oracle, x: NDArray, draws: RandomStream) -> NDArray:
        """See the class."""
        u = self.draw(x, draws)
        candidates = np.empty((len(x), self.directions + 1, x.shape[1]), x.dtype)
        np.multiply(u, self.mu, out=candidates[:, 1:])
        candidates[:, 0] = 0
        candidates += x[:, None]
        losses = oracle.losses(candidates)
        return self.combine(oracle, (losses[:, 1:] - losses[:, :1]) / self.mu, u)


@dataclass(frozen=True, kw_only=True)
class CoordinateWise(Estimator):
    """Central differences along every coordinate: exact up to O(μ²). Costs 2·dim queries.

    Source: Kiefer and Wolfowitz (1952).

    Args:
        mu: μ, the step along a coordinate, in units of x, above 0.
    """

    mu: float = 1e-3

    def __post_init__(self) -> None:
        positive("mu", self.mu)

    def queries(self, dim: int) -> int:
        """2·dim."""
        return 2 * dim

    def estimate(self, oracle: Oracle, x: NDArray, draws: RandomStream) -> NDArray:
        """See the class; coordinates are queried in stretches, so that memory does not grow with dim²."""
        dim = x.shape[1]
        stretch = max(1, oracle.problem.part_bytes // (2 * x.nbytes))
        gradient = np.empty_like(x)
        for low in range(0, dim, stretch):
            coordinates = np.arange(low, min(low + stretch, dim))
            count = len(coordinates)
            candidates = np.repeat(x[:, None], 2 * count, axis=1)
            candidates[:, np.arange(count), coordinates] += x.dtype.type(self.mu)
            candidates[:, count + np.arange(count), coordinates] -= x.dtype.type(self.mu)
            losses = oracle.losses(candidates)
            gradient[:, coordinates] = (losses[:, :count] - losses[:, count:]) / (2 * self.mu)
        return gradient


@dataclass(frozen=True, kw_only=True)
class Exact(Estimator):
    """The exact gradient of the minibatch: a white box, for first-order reference runs. Costs no queries."""

    def check(self, problem: Problem) -> None:
        """Raise ValueError unless the objective gives gradients."""
        super().check(problem)
        if not problem.has_gradients:
            raise ValueError(
                "estimator is Exact: this objective is a black box without gradients; choose one of queries, such "
                "as two_point"
            )

    def queries(self, dim: int) -> int:
        """None: gradients are counted apart."""
        return 0

    def estimate(self, oracle: Oracle, x: NDArray, draws: RandomStream) -> NDArray:
        """See the class."""
        return oracle.gradients(x)
