"""Directions from a pool of seeds, so that a model is as many numbers as there are seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.options import option
from dfedsam.random import RandomStream
from dfedsam.validation import whole_number
from dfedsam.zeroth_order.base import MOST_QUERIES
from dfedsam.zeroth_order.directions import directions
from dfedsam.zeroth_order.finite_differences import TwoPoint


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
