"""Random directions u with E[u uᵀ] = I, so that (uᵀ∇)u estimates ∇ without bias whatever their distribution."""

from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.random import RandomStream

Distribution = Literal["rademacher", "gaussian", "sphere", "orthogonal"]
DISTRIBUTIONS = ("rademacher", "gaussian", "sphere", "orthogonal")


def directions(distribution: Distribution, draws: RandomStream, count: int, dim: int, dtype: DTypeLike) -> NDArray:
    """`count` directions a peer, shape (peers, count, dim).

    Args:
        distribution: "rademacher" (±1, the cheapest), "gaussian", "sphere" (uniform on the sphere of radius √dim, so
            that μ means the same step a coordinate in all of them), or "orthogonal" (the same, and those of one
            estimate at right angles, up to dim of them: Choromanski et al., 2018, "Structured evolution with compact
            architectures for scalable policy optimization").
        draws: whose numbers they are.
        count: directions a peer, at least 1.
        dim: length of each.
        dtype: float32 or float64.
    """
    if distribution == "rademacher":
        return draws.rademacher((count, dim), dtype)
    normal = draws.normal((count, dim), dtype)
    if distribution == "sphere":
        normal *= np.sqrt(dim) / np.linalg.norm(normal, axis=2, keepdims=True)
    elif distribution == "orthogonal":
        for low in range(0, count, dim):
            normal[:, low : low + dim] = _orthogonal(normal[:, low : low + dim])
    return normal


def _orthogonal(normal: NDArray) -> NDArray:
    """Gaussian rows (peers, count ≤ dim, dim) to orthogonal ones of length √dim, each uniform on the sphere.

    Q of a QR factorisation is uniform once the diagonal of R is positive (Mezzadri, 2007).
    """
    q, r = np.linalg.qr(normal.transpose(0, 2, 1))
    q *= np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None] * np.sqrt(normal.shape[2])
    return q.transpose(0, 2, 1)
