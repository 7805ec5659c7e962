"""What one gossip phase may use: W_t, the communicator, random numbers and, where it is asked for, the local update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.communication.base import Communicator
    from dfedsam.random import RandomStream


@dataclass(frozen=True)
class LocalUpdate:
    """What a block's local steps of one round added to x, as scalars: Σ coefficients · directions.

    Args:
        base: x before the local steps, shape (peers, dim).
        coefficients: a scalar for each local step and direction, shape (peers, K · q), filled in as the steps are made.
        directions: (round, peers) to the directions of those peers in that round, shape (p, K · q, dim).
    """

    base: NDArray
    coefficients: NDArray
    directions: Callable[[int, range], NDArray]


@dataclass(frozen=True)
class Channel:
    """The edges that one gossip phase of a block may send along.

    Args:
        weights: the mixing matrix W_t, shape (n, n).
        communicator: carries the block's rows to its neighbours.
        stream: this phase's random numbers for the block's peers; its steps are the gossip steps.
        update: what the local steps did, for a gossip that sends their coefficients; None otherwise.
    """

    weights: csr_array
    communicator: Communicator
    stream: RandomStream
    update: LocalUpdate | None = None

    def mix(self, x: NDArray, out: NDArray | None = None) -> NDArray:
        """One gossip step: the block's rows of W_t x.

        Args:
            x: the block's rows, shape (peers, d).
            out: where the result goes, of the shape and type of x; None: a new array.
        """
        return self.communicator.mix(self.weights, x, out=out)

    def step(self, step: int) -> Channel:
        """The channel of one gossip step, 0-based, whose random numbers are its own."""
        return replace(self, stream=replace(self.stream, step=step))
