"""Random directions u with E[u uᵀ] = I, so that (uᵀ∇)u estimates ∇ without bias whatever their distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.random import RandomStream

Distribution = Literal["rademacher", "gaussian", "sphere", "orthogonal"]


def directions(distribution: Distribution, stream: RandomStream, count: int, dim: int, dtype: DTypeLike) -> NDArray:
    """Directions of each peer, shape (peers, count, dim).

    Args:
        distribution: "rademacher" (±1, the cheapest), "gaussian", "sphere" (uniform on the sphere of radius √dim, so
            that μ means the same step per coordinate in all of them), or "orthogonal" (the same, with the directions of
            one estimate mutually orthogonal in sets of dim: Choromanski et al., 2018, "Structured evolution with
            compact architectures for scalable policy optimization").
        stream: the random numbers of the peers.
        count: directions of a peer, at least 1.
        dim: length of each.
        dtype: float32 or float64.
    """
    if distribution == "rademacher":
        return stream.rademacher((count, dim), dtype)
    normal = stream.normal((count, dim), dtype)
    if distribution == "sphere":
        normal *= np.sqrt(dim) / np.linalg.norm(normal, axis=2, keepdims=True)
    elif distribution == "orthogonal":
        for low in range(0, count, dim):
            normal[:, low : low + dim] = _orthogonal(normal[:, low : low + dim])
    return normal


def relative_variance(distribution: Distribution, count: int, dim: int) -> float:
    """E‖ĝ − ∇‖²/‖∇‖² of ĝ = mean_q (u_qᵀ∇) u_q over `count` directions of length `dim`.

    One direction gives E‖ĝ‖²/‖∇‖² = d (±1, sphere) or d + 2 (Gaussian); independent ones share the variance. Orthogonal
    ones give r(d − r)/q² with r = q mod d, since a full set of d leaves no error: d/q − 1 for q ≤ d.
    """
    if distribution == "orthogonal":
        rest = count % dim
        return rest * (dim - rest) / count**2
    return (dim + 1 if distribution == "gaussian" else dim - 1) / count


def directions_without_replacement(
    stream: RandomStream, position: NDArray[np.int64], count: int, dim: int, dtype: DTypeLike
) -> NDArray:
    """The next directions of each peer's cycle, shape (peers, count, dim).

    A cycle is an orthogonal basis, different for each peer: the discrete cosine transform with random signs, in random
    order, as in fast Johnson-Lindenstrauss transforms (Ailon and Chazelle, 2009). So E[u uᵀ] = I, and each has length
    √dim. A cycle has dim // count positions; the few directions that remain beyond them are not used. A linear function
    is then known after one cycle from its values along u, whereas independent draws leave 1/e of it.

    Args:
        stream: the random numbers of the peers; purpose, round and step do not matter, since a cycle is keyed by its
            own number.
        position: how many sets of `count` each peer has used before, shape (peers,).
        count: q, directions used at a time, from 1 to dim.
        dim: d, length of each.
        dtype: float32 or float64.
    """
    cycle, within = np.divmod(position, dim // count)
    signs, order = np.empty((len(position), dim), dtype), np.empty((len(position), dim), np.int64)
    for number in np.unique(cycle).tolist():  # most often all peers are in the same one
        rows = np.flatnonzero(cycle == number)
        peers = stream.peers if len(rows) == len(position) else np.asarray(stream.peers)[rows]
        keyed = replace(stream, purpose="cycle: signs", round=number, step=0, peers=peers)
        signs[rows] = keyed.rademacher((dim,), dtype)
        order[rows] = np.argsort(replace(keyed, purpose="cycle: order").uniform((dim,)), axis=1, kind="stable")
    frequency = np.take_along_axis(order, within[:, None] * count + np.arange(count), axis=1)
    cosines = np.sqrt(2) * np.cos(np.arange(4 * dim) * (np.pi / (2 * dim)))
    u = cosines.astype(dtype)[frequency[:, :, None] * (2 * np.arange(dim) + 1) % (4 * dim)]
    u[frequency == 0] = 1
    u *= signs[:, None]
    return u


def remaining(position: NDArray[np.int64], count: int, dim: int) -> NDArray[np.int64]:
    """Directions of its cycle that a peer has not used before this position, from count to dim, shape (peers,)."""
    return dim - position % (dim // count) * count


def _orthogonal(normal: NDArray) -> NDArray:
    """Gaussian rows (peers, count ≤ dim, dim) to orthogonal ones of length √dim, each uniform on the sphere.

    Q of a QR factorisation is uniform once the diagonal of R is positive (Mezzadri, 2007).
    """
    q, r = np.linalg.qr(normal.transpose(0, 2, 1))
    q *= np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None] * np.sqrt(normal.shape[2])
    return q.transpose(0, 2, 1)
