"""Directions from a small set: of low rank, which saves a device's memory, or of a pool of seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import option, whole_number
from dfedsam.random import RandomStream
from dfedsam.zeroth_order.base import MOST_QUERIES
from dfedsam.zeroth_order.directions import Distribution, directions
from dfedsam.zeroth_order.finite_differences import TwoPoint


@dataclass(frozen=True, kw_only=True)
class LOZO(TwoPoint):
    """Central differences along UVᵀ/√r of rank r, with a new U each time and V kept for some rounds. Costs 2q queries.

    A peer then keeps (m + n) r numbers of a direction in place of m n. At equal queries the variance is not lower: with
    Gaussian entries and one direction E‖ĝ‖²/‖∇‖² = mn + 2 + 2 (m + n + 1)/r, above the mn + 2 of full rank. It is
    unbiased over V; as long as V is kept, estimates lie in its columns' span. This simulator itself keeps whole
    directions. Source: Chen et al. (2025), "Enhancing zeroth-order fine-tuning for language models with low-rank
    structures".

    Args:
        distribution: of the entries of U and V, rademacher or gaussian.
        columns: n, as x is a matrix m × n by rows, such as the width of a prompt's tokens; divides d.
        rank: r, at least 1.
        keep: ν, rounds for which V is kept, at least 1.
    """

    public_name = "lozo"

    distribution: Distribution = "gaussian"
    columns: int = option(1, whole_number, 1)
    rank: int = option(2, whole_number, 1)
    keep: int = option(50, whole_number, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distribution not in ("rademacher", "gaussian"):
            raise OptionError("distribution", self.distribution, "must be rademacher or gaussian")

    def check(self, problem: Problem) -> None:
        super().check(problem)
        if problem.dim % self.columns:
            rule = f"must divide the length of x, {problem.dim}"
            raise OptionError("estimator.columns", self.columns, rule)

    def own_directions(self, stream: RandomStream, dim: int, dtype: DTypeLike) -> NDArray:
        U = self._entries(stream, self.directions * (dim // self.columns), dtype)
        V = self._entries(self._kept(stream, "columns"), self.columns, dtype)
        U = U.reshape(len(U), self.directions, -1, self.rank) / np.sqrt(self.rank).astype(dtype)
        return np.matmul(U, V[:, None].swapaxes(2, 3)).reshape(len(U), self.directions, dim)

    def excess_variance(self, dim: int) -> Any:
        return None

    def _kept(self, stream: RandomStream, what: str) -> RandomStream:
        """Random numbers that change every `keep` rounds."""
        return replace(stream, purpose=f"{stream.purpose} {what}", round=stream.round // self.keep, step=0)

    def _entries(self, stream: RandomStream, rows: int, dtype: DTypeLike) -> NDArray:
        return directions(self.distribution, stream, rows, self.rank, dtype)


@dataclass(frozen=True, kw_only=True)
class SubZero(LOZO):
    """Central differences along UZVᵀ, with a new r × r Z each time and orthonormal U, V kept for some rounds.

    The mean is the gradient's part in the subspace, UUᵀ∇VVᵀ, and with Gaussian Z and one direction E‖ĝ‖² is (r² + 2)
    times the squared norm of that part: less variance, at the price of the rest of the gradient. Source: Yu et al.
    (2024), "SubZero: random subspace zeroth-order optimization for memory-efficient LLM fine-tuning". Costs 2q queries.

    Args:
        distribution: of the entries of Z.
    """

    public_name = "sub_zero"

    def check(self, problem: Problem) -> None:
        super().check(problem)
        if self.rank > (most := min(self.columns, problem.dim // self.columns)):
            raise OptionError("estimator.rank", self.rank, f"must be at most {most}, the matrix's smaller side")

    def own_directions(self, stream: RandomStream, dim: int, dtype: DTypeLike) -> NDArray:
        sides = (("rows", dim // self.columns), ("columns", self.columns))
        normal = (self._kept(stream, name).normal((size, self.rank), dtype) for name, size in sides)
        U, V = (np.linalg.qr(one)[0][:, None] for one in normal)
        Z = self._entries(stream, self.directions * self.rank, dtype).reshape(-1, self.directions, self.rank, self.rank)
        return np.matmul(np.matmul(U, Z), V.swapaxes(2, 3)).reshape(len(Z), self.directions, dim)


@dataclass(frozen=True, kw_only=True)
class FedKSeed(TwoPoint):
    """Central differences along directions that are drawn from the same K for all peers and rounds. Costs 2q queries.

    Plain steps and gossip keep every model in x⁰ + the span of these K, so that K accumulated scalars and the seed
    restore it, whatever its length: a newcomer loads them instead of the model. The estimate is unbiased over the
    choice of the K; with K below d, what lies outside their span is out of reach. Source: Qin et al. (2024), "Federated
    full-parameter tuning of billion-sized language models with communication cost under 18 kilobytes", with equal
    chances for all seeds.

    Args:
        seeds: K, at least 1; the paper takes 1,024 to 4,096.
    """

    public_name = "fedkseed"

    seeds: int = option(1024, whole_number, 1, most=MOST_QUERIES)

    def own_directions(self, stream: RandomStream, dim: int, dtype: DTypeLike) -> NDArray:
        chosen = stream.integers(np.full(len(stream.peers), self.seeds), self.directions)
        known, places = np.unique(chosen, return_inverse=True)
        return self.pool(stream.seed, known, dim, dtype)[places.reshape(chosen.shape)]

    def pool(self, seed: int, numbers: NDArray[np.int64], dim: int, dtype: DTypeLike) -> NDArray:
        """Some of the K directions, named by their rising numbers, shape (len(numbers), dim)."""
        stream = RandomStream(seed, "pool of directions", 0, 0, numbers)
        return directions(self.distribution, stream, 1, dim, dtype)[:, 0]

    def excess_variance(self, dim: int) -> None:
        return None
