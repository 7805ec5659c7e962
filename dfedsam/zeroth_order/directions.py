"""Random directions u with E[u uᵀ] = I, so that (uᵀ∇)u estimates ∇ without bias whatever their distribution."""

from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.randomness import Draws

Distribution = Literal["rademacher", "gaussian", "sphere"]
DISTRIBUTIONS = ("rademacher", "gaussian", "sphere")


def directions(distribution: Distribution, draws: Draws, count: int, dim: int, dtype: DTypeLike) -> NDArray:
    """`count` directions a peer, shape (peers, count, dim).

    Args:
        distribution: "rademacher" (±1, the cheapest), "gaussian", or "sphere" (uniform on the sphere of radius √dim,
            so that μ means the same step a coordinate in all three).
        draws: whose numbers they are.
        count: directions a peer, at least 1.
        dim: length of each.
        dtype: float32 or float64.
    """
    if distribution == "rademacher":
        return draws.signs((count, dim), dtype)
    normal = draws.normal((count, dim), dtype)
    if distribution == "sphere":
        normal *= np.sqrt(dim) / np.linalg.norm(normal, axis=2, keepdims=True)
    return normal
