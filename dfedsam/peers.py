"""Sets of peers by their numbers, in rising order: their names in messages, and their division into segments."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Peers = range | NDArray[np.int64]
"""Numbers of peers, rising: a range where they are neighbours, else an array."""

_MOST = 1024  # peers of a segment, unless they are a range


def segments(peers: Peers, gap: float) -> Iterator[tuple[range, slice, NDArray[np.intp] | None]]:
    """Group peers into segments with gaps of at most `gap` others between two of them.

    Yields:
        The numbers from a segment's first peer to its last, which of `peers` these are, and their offsets in the
        segment; None where it holds no others.
    """
    if isinstance(peers, range):
        yield peers, slice(0, len(peers)), None
        return
    if not len(peers):
        return
    steps = np.diff(peers)
    begins = steps > gap + 1
    begins[_MOST - 1 :: _MOST] = True
    ends = np.concatenate([[0], np.flatnonzero(begins) + 1, [len(peers)]])
    firsts, lasts = peers[ends[:-1]].tolist(), peers[ends[1:] - 1].tolist()
    low = 0
    for first, last, high in zip(firsts, lasts, ends[1:].tolist(), strict=True):
        whole = last - first == high - 1 - low
        yield range(first, last + 1), slice(low, high), None if whole else peers[low:high] - first
        low = high


def format_peers(peers: Peers, most: int = 8) -> str:
    """The peers in words, such as "peers 4 to 9", or "peers 1, 5, 6 and 20 more"."""
    if len(peers) == 1:
        return f"peer {peers[0]}"
    if isinstance(peers, range):
        return f"peers {peers.start} to {peers.stop - 1}"
    more = f" and {len(peers) - most} more" if len(peers) > most else ""
    return f"peers {', '.join(map(str, peers[:most]))}{more}"
