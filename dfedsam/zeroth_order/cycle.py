"""Directions without replacement: d at right angles, each of which comes up once before the next d are drawn."""

from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.random import RandomStream


def cycled(draws: RandomStream, turn: NDArray[np.int64], count: int, dim: int, dtype: DTypeLike) -> NDArray:
    """The next `count` directions of each peer, shape (peers, count, dim).

    A cycle is a basis of its own for each peer: the discrete cosine transform with random signs, in random order, as in
    fast Johnson-Lindenstrauss transforms (Ailon and Chazelle, 2009). So E[u uᵀ] = I, and each has length √dim. It holds
    dim // count turns; the few directions that are left over do not come up. What is learned of something linear by its
    values along u is then known after a cycle, where directions that are drawn anew each time leave 1/e of it.

    Args:
        draws: whose numbers they are; purpose, round and step do not matter, since a cycle's key is its own number.
        turn: how many sets of `count` each peer has had before, shape (peers,).
        count: q, directions a turn, from 1 to dim.
        dim: d, length of each.
        dtype: float32 or float64.
    """
    cycle, place = np.divmod(turn, dim // count)
    signs, order = np.empty((len(turn), dim), dtype), np.empty((len(turn), dim), np.int64)
    for number in np.unique(cycle).tolist():  # most often they are all in the same
        rows = np.flatnonzero(cycle == number)
        peers = draws.peers if len(rows) == len(turn) else np.asarray(draws.peers)[rows]
        own = replace(draws, purpose="cycle: signs", round=number, step=0, peers=peers)
        signs[rows] = own.rademacher((dim,), dtype)
        order[rows] = np.argsort(replace(own, purpose="cycle: order").uniform((dim,)), axis=1, kind="stable")
    frequency = np.take_along_axis(order, place[:, None] * count + np.arange(count), axis=1)
    cosines = np.sqrt(2) * np.cos(np.arange(4 * dim) * (np.pi / (2 * dim)))
    u = cosines.astype(dtype)[frequency[:, :, None] * (2 * np.arange(dim) + 1) % (4 * dim)]
    u[frequency == 0] = 1
    u *= signs[:, None]
    return u


def left(turn: NDArray[np.int64], count: int, dim: int) -> NDArray[np.int64]:
    """How many directions of its cycle a peer has not had before this turn, from count to dim, shape (peers,)."""
    return dim - turn % (dim // count) * count
