"""The partition of peers over ranks: a block per rank, contiguous unless there is a placement."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from dfedsam.peers import Peers

Assign = Callable[[int], ArrayLike]
"""From a number of ranks, at least 2, to the rank that owns each peer, shape (n,)."""


def block(peers: int, size: int, rank: int) -> range:
    """The peers that `rank` of `size` ranks owns: contiguous, sizes differ by at most one, the larger blocks first.

    Args:
        peers: peers in the whole network, at least `size`.
        size: ranks, at least 1.
        rank: 0 ≤ rank < size.
    """
    small, larger = divmod(peers, size)
    start = rank * small + min(rank, larger)
    return range(start, start + small + (rank < larger))


class Partition:
    """The blocks of all ranks; partition[r] holds the peers of rank r.

    Args:
        peers: n, peers in the whole network, at least `size`.
        size: ranks, at least 1.
        assign: assigns each peer to a rank, if there are several; None: contiguous blocks.

    Attributes:
        contiguous: whether every block is a range, one after another.
        owner: the rank of each peer, shape (n,).
        lengths: peers of each rank, shape (size,).
        order: the peers, block after block, shape (n,).
        position: position of each peer in `order`, shape (n,).

    Raises:
        ValueError: fewer peers than ranks, or `assign` leaves a rank without any.
    """

    def __init__(self, peers: int, size: int, assign: Assign | None = None) -> None:
        if peers < size:
            raise ValueError(f"peers is {peers}: it must be at least the number of ranks, {size}; start fewer ranks")
        lengths = np.array([len(block(peers, size, rank)) for rank in range(size)])
        self.owner = np.repeat(np.arange(size), lengths)
        if assign is not None and size > 1:
            self.owner = np.asarray(assign(size), dtype=np.intp)
            if self.owner.shape != (peers,) or not np.array_equal(np.unique(self.owner), np.arange(size)):
                raise ValueError(
                    f"placement gives {len(self.owner)} peers to the ranks {np.unique(self.owner).tolist()}: it must "
                    f"give each of {peers} peers to one of {size} ranks, and each rank at least one"
                )
            lengths = np.bincount(self.owner)
        self.lengths = lengths
        self.contiguous = bool((np.diff(self.owner) >= 0).all())
        self.order = np.argsort(self.owner, kind="stable")
        self.position = np.empty_like(self.order)
        self.position[self.order] = np.arange(peers)
        self._ends = np.concatenate([[0], np.cumsum(lengths)]).tolist()

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rank: int) -> Peers:
        positions = self.positions(rank)
        return positions if self.contiguous else self.order[positions.start : positions.stop]

    def positions(self, rank: int) -> range:
        """The positions of a rank's block in `order`."""
        return range(self._ends[rank], self._ends[rank + 1])
