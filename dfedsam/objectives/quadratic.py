"""Quadratics: the objective with closed forms for everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.objectives.base import ALL_ROWS, Objective, Problem, Rows, Solution
from dfedsam.options import at_least, option, whole_number
from dfedsam.peers import Peers
from dfedsam.random import RandomStream, generator
from dfedsam.theory import Quadratics

_CHUNK = 256  # peers whose optima are drawn at a time when the network's mean optimum is taken


@dataclass(frozen=True, kw_only=True)
class Quadratic(Objective):
    """f_i(x) = ½ Σ_j a_j (x_j − b_ij)², with b_i = c + heterogeneity · z_i and z_i ~ N(0, I).

    The common centre c ~ N(0, I) and the z_i come from the seed. A minibatch ξ ~ N(0, noise² I) adds ξᵀx to a loss,
    so gradients carry noise of variance noise² per coordinate. A seed gives the same optima and noise, up to rounding,
    in float32 and float64. Peers start at 0.

    Args:
        dim: length of x, at least 1.
        heterogeneity: standard deviation of the peers' optima per coordinate, at least 0.
        noise: σ, the standard deviation of the gradient noise per coordinate, at least 0.
        condition: ratio of the largest to the smallest curvature a_j, at least 1; the a_j run from 1/condition to 1.
    """

    dim: int = option(50, whole_number, 1)
    heterogeneity: float = option(1.0, at_least, 0)
    noise: float = option(0.0, at_least, 0)
    condition: float = option(1.0, at_least, 1)

    records: ClassVar[tuple[str, ...]] = ("loss", "error")

    def quadratics(self) -> Quadratics | None:
        """This objective, if all curvatures are 1."""
        if self.condition != 1:
            return None
        return Quadratics(dim=self.dim, heterogeneity=self.heterogeneity, noise=self.noise)

    @property
    def is_solvable(self) -> bool:
        return True

    def solve(self, peers: int, seed: int) -> Solution:
        problem = self.build(peers, range(0), seed, np.float64)
        return Solution(problem.optimum, lambda x: float(problem.evaluate(x[None])["loss"][0]))

    def build(self, peers: int, block: Peers, seed: int, dtype: DTypeLike) -> QuadraticProblem:
        return QuadraticProblem(self, peers, block, seed, np.dtype(dtype))


class QuadraticProblem(Problem):
    """A Quadratic on a block of peers.

    Attributes:
        optima: the block's b_i, shape (peers, dim), or (1, dim) where heterogeneity is 0.
        optimum: the minimiser of the mean objective, shape (dim,), float64.
        curvature: a, shape (dim,).
    """

    has_gradients = True
    has_conjugates = True

    def __init__(self, options: Quadratic, peers: int, block: Peers, seed: int, dtype: np.dtype) -> None:
        self.dim = options.dim
        self.dtype = dtype
        self.noise = options.noise
        self.curvature = np.geomspace(1 / options.condition, 1, options.dim).astype(dtype)
        centre = generator(seed, "quadratic centre").standard_normal(options.dim)
        if options.heterogeneity == 0:
            self.optima = centre.astype(dtype)[None]
            self.optimum, self._spread = centre, 0.0
            return

        def draw(some: Peers) -> NDArray:
            spread = RandomStream(seed, "quadratic optima", 0, 0, some).normal((options.dim,), np.float64)
            spread *= options.heterogeneity
            spread += centre
            return spread.astype(dtype, copy=False)

        self.optima = np.empty((len(block), options.dim), dtype)
        for low in range(0, len(block), _CHUNK):
            self.optima[low : low + _CHUNK] = draw(block[low : low + _CHUNK])
        total, squares = np.zeros(options.dim), np.zeros(options.dim)
        for low in range(0, peers, _CHUNK):
            some = draw(range(low, min(low + _CHUNK, peers))).astype(np.float64) - centre
            total += some.sum(axis=0)
            squares += np.square(some, out=some).sum(axis=0)
        self.optimum = centre + total / peers
        variance = squares / peers - (total / peers) ** 2
        self._spread = 0.5 * float(self.curvature.astype(np.float64) @ variance)

    def _optima(self, rows: Rows) -> NDArray:
        return self.optima if len(self.optima) == 1 else self.optima[rows]

    def start(self) -> NDArray:
        return np.zeros(self.dim, self.dtype)

    def minibatch(self, stream: RandomStream, rows: Rows = ALL_ROWS) -> NDArray:
        """The noise ξ, shape (peers, dim); shape (peers, 0) where there is none."""
        if self.noise == 0:
            return np.empty((len(stream.peers), 0), self.dtype)
        noise = stream.normal((self.dim,), np.float64)
        noise *= self.noise
        return noise.astype(self.dtype, copy=False)

    def losses(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        offset = x - self._optima(rows)[:, None]
        np.square(offset, out=offset)
        losses = 0.5 * np.matmul(offset, self.curvature)
        if batch.shape[1]:
            losses += np.matmul(x, batch[:, :, None])[:, :, 0]
        return losses

    def gradients(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        gradients = x - self._optima(rows)
        gradients *= self.curvature
        if batch.shape[1]:
            gradients += batch
        return gradients

    def conjugate_gradients(
        self, y: NDArray, rows: Rows = ALL_ROWS, near: NDArray | None = None, stiffness: NDArray | float = 0.0
    ) -> NDArray:
        optima = self._optima(rows)
        return optima + ((y - stiffness * optima) / (self.curvature + stiffness)).astype(y.dtype, copy=False)

    def full_gradients(self, x: NDArray) -> NDArray:
        return (x.astype(np.float64) - self.optima) * self.curvature

    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        """Loss of the mean objective, and `error` = ‖x − x*‖², each (k,), in float64."""
        loss, error = np.empty(len(x)), np.empty(len(x))
        curvature = self.curvature.astype(np.float64)
        for low in range(0, len(x), _CHUNK):
            some = slice(low, low + _CHUNK)
            squares = np.square(x[some].astype(np.float64) - self.optimum)
            loss[some] = 0.5 * np.einsum("kd,d->k", squares, curvature) + self._spread
            error[some] = np.einsum("kd->k", squares)
        return {"loss": loss, "error": error}
