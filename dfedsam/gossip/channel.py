"""The capabilities of one gossip phase: W_t, the communicator, random numbers and, optionally, the local update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.inbox import Inbox, MessageNoise, exchange, plain
from dfedsam.topologies import cache_by_id
from dfedsam.topologies.matrices import diagonal

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.adversary import Attackers
    from dfedsam.communication.base import Communicator
    from dfedsam.random import RandomStream


@dataclass(frozen=True)
class LocalUpdate:
    """The update of x by a block's local steps in one round, as scalars: Σ coefficients · directions.

    Args:
        base: x before the local steps, shape (peers, dim).
        coefficients: a scalar for each local step and direction, shape (peers, K · q), filled in as the steps are made.
        directions: function of (round, peers) that returns these peers' directions in that round, (p, K · q, dim).
    """

    base: NDArray
    coefficients: NDArray
    directions: Callable[[int, range], NDArray]


@dataclass
class Channel:
    """The edges that one gossip phase of a block may send along.

    Args:
        weights: the mixing matrix W_t, shape (n, n).
        communicator: carries the block's rows to its neighbours.
        stream: this phase's random numbers for the block's peers; its steps are the gossip steps.
        update: the local steps' update, for a gossip that sends their coefficients; None otherwise.
        attackers: who forges messages; None: nobody.
        losses: function of (rows of the block (p,), candidates (p, c, dim)) that queries each peer's losses of these on
            its minibatch of the round's first local step, shape (p, c), infinite where they are not finite.
        noise: function of the numbers of (receivers, senders) that returns the noise of each such message, shape
            (edges, dim), a peer's own share included, where messages to different neighbours differ; None: they do not.
    """

    weights: csr_array
    communicator: Communicator
    stream: RandomStream
    update: LocalUpdate | None = None
    attackers: Attackers | None = None
    losses: Callable[[NDArray[np.intp], NDArray], NDArray] | None = None
    noise: MessageNoise | None = None

    def mix(self, x: NDArray, out: NDArray | None = None) -> NDArray:
        """One gossip step: the block's rows of W_t x.

        Args:
            x: the block's rows, shape (peers, d).
            out: array for the result, of the shape and type of x; None: a new array.
        """
        if self.attackers is not None or self.noise is not None:
            return exchange(self, x, plain)
        return self.communicator.mix(self.weights, x, out=out)

    def aggregate(
        self, x: NDArray, rule: Callable[[Inbox], NDArray], sizes: NDArray[np.int64] | None = None, longest: int = 0
    ) -> NDArray:
        """One gossip step by another rule than W x: from what each peer receives to its new row.

        Args:
            x: the block's rows, shape (peers, d).
            rule: from the inbox to the new rows, shape (peers, d); a row depends on its own edges alone.
            sizes: bytes that each row counts as a message, shape (peers,); None: those of the row.
            longest: the bytes that any such message may have, which simulated time takes for all.
        """
        return exchange(self, x, rule, sizes, longest)

    def difference(self, x: NDArray) -> NDArray[np.float64]:
        """(W_t − I) x: the increment of the block's rows x (peers, d) in one step; rows of W_t must sum to one.

        Rows are sent in the type of x, and summed in float64. So the result does not contain the rounding of x, and
        if peers agree it is 0 to 10⁻¹⁶ of x: a method that sums it over rounds does not drift in float32.
        """
        if self.attackers is not None:
            return np.subtract(self.mix(x), x, dtype=np.float64)
        wide, target = x.astype(np.float64), np.zeros(x.shape)
        messages = np.ascontiguousarray(x).view(np.uint8).reshape(len(x), -1)
        matrix = laplacian(self.weights, 1.0)
        self.communicator.add_encoded(matrix, messages, wide, lambda rows: rows.view(x.dtype).astype(float), target)
        return target

    def step(self, step: int) -> Channel:
        """The channel of one gossip step, 0-based, with random numbers of its own."""
        return replace(self, stream=replace(self.stream, step=step))


@cache_by_id
def laplacian(W: csr_array, scale: float) -> csr_array:
    """scale · (W − I), which draws peers towards their neighbours; off the diagonal it has W's entries."""
    return type(W)(scale * (W - diagonal(np.ones(len(W.indptr) - 1))))
