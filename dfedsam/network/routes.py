"""Which rows must travel between ranks for one mixing matrix.

Every rank knows the whole of W, so each works out by itself what it takes in and what it sends. A remote row is sent
once to each rank that needs it, whatever the number of peers there that do.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.network.blocks import block


class Route(NamedTuple):
    """The rows that travel for one W, as one rank sees them."""

    send: NDArray[np.intp]  # the block's rows to send, counted from its first, rank after rank
    send_counts: NDArray[np.intp]  # (size,) how many of them go to each rank
    receive: NDArray[np.intp]  # the peers whose rows come in, rising
    receive_counts: NDArray[np.intp]  # (size,) how many of them come from each rank
    most: int  # rows sent or received, whichever is more, by the busiest rank
    pairs: tuple[tuple[int, int], ...]  # (receiver, sender) of all ranks that talk: the same on every rank


def route(W: csr_array, size: int, rank: int) -> Route:
    """The route of W (n, n) between `size` ranks, seen from one of them."""
    n = len(W.indptr) - 1
    blocks = [block(n, size, r) for r in range(size)]
    owner = np.repeat(np.arange(size), [len(b) for b in blocks])
    receivers = np.repeat(owner, np.diff(W.indptr))
    remote = receivers != owner[W.indices]
    receivers, peers = np.divmod(np.unique(receivers[remote] * n + W.indices[remote]), n)
    senders = owner[peers]
    sent, received = np.bincount(senders, minlength=size), np.bincount(receivers, minlength=size)
    mine, others = senders == rank, receivers == rank
    pairs = np.unique(np.stack([receivers, senders], axis=1), axis=0)
    return Route(
        send=peers[mine] - blocks[rank].start,
        send_counts=np.bincount(receivers[mine], minlength=size),
        receive=peers[others],
        receive_counts=np.bincount(senders[others], minlength=size),
        most=int(max(sent.max(), received.max())),
        pairs=tuple((int(r), int(s)) for r, s in pairs),
    )
