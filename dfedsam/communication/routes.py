"""Which rows must travel between ranks for one mixing matrix.

Every rank knows the whole of W, so each works out by itself what it takes in and what it sends. A remote row is sent
once to each rank that needs it, whatever the number of peers there that do.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.communication.blocks import Blocks


class Route(NamedTuple):
    """The rows that travel for one W, as one rank sees them."""

    send: NDArray[np.intp]  # the block's rows to send, counted from its first, rank after rank
    send_counts: NDArray[np.intp]  # (size,) how many of them go to each rank
    receive: NDArray[np.intp]  # the peers whose rows come in, rank after rank, rising in each
    receive_counts: NDArray[np.intp]  # (size,) how many of them come from each rank
    most: int  # rows sent or received, whichever is more, by the busiest rank
    pairs: tuple[tuple[int, int], ...]  # (receiver, sender) of all ranks that talk: the same on every rank


def route(W: csr_array, blocks: Blocks, rank: int) -> Route:
    """The route of W (n, n) between the ranks of `blocks`, seen from one of them."""
    size, mine = len(blocks), blocks.places(rank)
    takers = np.repeat(blocks.owner, np.diff(W.indptr))
    remote = np.flatnonzero(takers != blocks.owner[W.indices])
    # a byte for each rank and peer, set in one pass: sorting the entries takes ten times as long
    needed = np.zeros((size, len(blocks.owner)), bool)
    needed[takers[remote], blocks.position[W.indices[remote]]] = True
    firsts = [blocks.places(sender).start for sender in range(size)]
    counts = np.add.reduceat(needed, firsts, axis=1, dtype=np.intp)  # (receiver, sender)
    return Route(
        send=np.nonzero(needed[:, mine.start : mine.stop])[1],
        send_counts=counts[:, rank],
        receive=blocks.order[needed[rank]],
        receive_counts=counts[rank],
        most=int(max(counts.sum(axis=0).max(), counts.sum(axis=1).max())),
        pairs=tuple((receiver, sender) for receiver, sender in np.argwhere(counts).tolist()),
    )
