"""When the peers of an asynchronous run wake, and what each of them knows of the others by then.

Time is counted in whole microseconds, so no two platforms round it differently, and wakings are ordered by (time,
peer); a message that arrives at the time of a waking comes after it. A round is as many wakings as there are peers. It
is cut into waves: wakings that need nothing of one another, so a wave is one batch of queries and one sparse product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.clock.links import Edges

Microseconds = NDArray[np.int64]
_ROWS = 64  # durations of a peer that are drawn ahead
_BLOCK = 1 << 42  # microseconds, above any time of a run: the times of peer i are numbered from i · _BLOCK


def microseconds(seconds: NDArray[np.float64]) -> Microseconds:
    """Whole microseconds."""
    return np.rint(1e6 * seconds).astype(np.int64)


@dataclass(frozen=True)
class Wakings:
    """Some wakings in their order.

    Args:
        times: when, shape (k,).
        peers: who, shape (k,).
        counts: how often that peer had woken before, shape (k,).
    """

    times: Microseconds
    peers: NDArray[np.intp]
    counts: NDArray[np.int64]


class Queue:
    """All wakings in their order; a peer's durations add up, whatever the others do.

    Args:
        n: peers.
        durations: of every peer before its waking k, for k = 0, 1, …, each at least 1, shape (n,).
    """

    def __init__(self, n: int, durations: Callable[[int], Microseconds]) -> None:
        self._durations = durations
        self._table, self._base = np.zeros((0, n), np.int64), 0  # durations before wakings _base, _base + 1, …
        self._known = np.zeros(n, np.int64)  # wakings of each peer that are known
        self._last = np.zeros(n, np.int64)  # the time of the last of these
        self._ahead = Wakings(np.zeros(0, np.int64), np.zeros(0, np.intp), np.zeros(0, np.int64))

    def take(self, count: int) -> Wakings:
        """The next `count` wakings, at most as many as there are peers."""
        while (behind := self._behind(count)).size:
            self._extend(behind)
        ahead = self._ahead
        order = np.lexsort((ahead.peers, ahead.times))
        first, rest = (Wakings(ahead.times[i], ahead.peers[i], ahead.counts[i]) for i in (order[:count], order[count:]))
        self._ahead = rest
        return first

    def next_times(self) -> Microseconds:
        """The time of each peer's next waking after those taken last, shape (n,)."""
        times = np.zeros(len(self._last), np.int64)
        times[self._ahead.peers[::-1]] = self._ahead.times[::-1]
        return times

    def _behind(self, count: int) -> NDArray[np.intp]:
        """The peers of which a waking that is not known yet may be among the first `count`, or the next after them."""
        times = self._ahead.times
        if len(times) < count:
            return np.arange(len(self._last))
        return np.flatnonzero(self._last <= np.partition(times, count - 1)[count - 1])

    def _extend(self, peers: NDArray[np.intp]) -> None:
        """Add the next waking of some peers to those ahead."""
        counts = self._known[peers]
        if counts.max() >= self._base + len(self._table):
            least, end = int(self._known.min()), self._base + len(self._table)
            more = [self._durations(k) for k in range(end, end + _ROWS)]
            self._table, self._base = np.concatenate([self._table[least - self._base :], more]), least
        self._last[peers] += self._table[counts - self._base, peers]
        self._known[peers] += 1
        ahead, more = self._ahead, Wakings(self._last[peers], peers, counts)
        self._ahead = Wakings(*(np.concatenate(pair) for pair in zip(_arrays(ahead), _arrays(more), strict=True)))


@dataclass(frozen=True)
class Wave:
    """Wakings that need nothing of one another, in which each peer takes in the last received rows of its neighbours.

    A peer's version v is its row after v wakings.

    Args:
        peers: who wakes, rising, shape (k,).
        edges: numbers of the edges along which they receive, rising, shape (r,).
        versions: version of the sender's row that has come along each of them, shape (r,).
        done: version of every peer's row before the wave, shape (n,).
        oldest: oldest version of every peer's row that may be read after the wave, shape (n,).
    """

    peers: NDArray[np.intp]
    edges: NDArray[np.intp]
    versions: NDArray[np.int64]
    done: NDArray[np.int64]
    oldest: NDArray[np.int64]


class Mailboxes:
    """Waves of wakings at which a peer takes in what it has received last from each neighbour.

    Args:
        queue: all wakings.
        edges: whom each peer sends its row to after each of its wakings, sorted by receiver.
        delays: of a message along each edge, at least 0, shape (m,).
    """

    def __init__(self, queue: Queue, edges: Edges, delays: Microseconds) -> None:
        self._queue, self._edges, self._delays = queue, edges, delays
        self._done = np.zeros(edges.n, np.int64)
        self._recent = np.zeros(0, np.int64)  # times of wakings whose message may still be on its way, by peer
        self._before = np.zeros(edges.n, np.int64)  # wakings of each peer before these
        self._receivers, self._first_in = np.unique(edges.receivers, return_index=True)
        self._by_sender = np.argsort(edges.senders, kind="stable")
        self._senders, self._first_out = np.unique(edges.senders[self._by_sender], return_index=True)

    def next_round(self) -> tuple[Wakings, Iterator[Wave]]:
        """The wakings of the next round, and their waves, which must be used up before the round after it."""
        wakings = self._queue.take(self._edges.n)
        reads, starts, counts = self._reads(wakings)
        return wakings, self._waves(reads, starts, counts)

    def _reads(self, wakings: Wakings) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The versions that come along each edge by each waking of its receiver, and at least by its next one.

        Returns:
            Versions, edge after edge; where those of an edge start, shape (m,); the wakings of each peer, shape (n,).
        """
        edges, end = self._edges, int(wakings.times[-1])
        later = self._queue.next_times()
        order = np.lexsort((wakings.times, wakings.peers))
        times, counts = wakings.times[order], np.bincount(wakings.peers, minlength=edges.n)
        self._recent = np.sort(np.concatenate([self._recent, wakings.peers * _BLOCK + wakings.times]))
        of_edge = counts[edges.receivers] + 1
        starts = np.cumsum(of_edge) - of_edge
        edge = np.repeat(np.arange(len(of_edge)), of_edge)
        place = np.arange(len(edge)) - starts[edge]  # 0, 1, … of the receiver's wakings; then its next one
        receiver, sender = edges.receivers[edge], edges.senders[edge]
        firsts = np.cumsum(counts) - counts
        at_end = place == counts[receiver]
        by = np.where(at_end, later[receiver], times[np.minimum(firsts[receiver] + place, len(times) - 1)])
        sent_by = np.maximum(by - self._delays[edge], 0)
        blocks = np.searchsorted(self._recent, np.arange(edges.n) * _BLOCK)
        reads = self._before[sender] + np.searchsorted(self._recent, sender * _BLOCK + sent_by) - blocks[sender]
        old = self._recent % _BLOCK < end - int(self._delays.max(initial=0))
        self._before += np.bincount(self._recent[old] // _BLOCK, minlength=edges.n)
        self._recent = self._recent[~old]
        return reads, starts, counts

    def _waves(self, reads: NDArray[np.int64], starts: NDArray[np.int64], counts: NDArray[np.int64]) -> Iterator[Wave]:
        edges, done = self._edges, self._done
        place = np.zeros(edges.n, np.int64)
        next_read = reads[starts]
        oldest = np.full(edges.n, np.iinfo(np.int64).max)
        while (place < counts).any():
            ready = place < counts
            waits = next_read > done[edges.senders]
            ready[self._receivers] &= ~np.logical_or.reduceat(waits, self._first_in)
            peers, read = np.flatnonzero(ready), np.flatnonzero(ready[edges.receivers])
            versions, before = next_read[read], done.copy()
            place[peers] += 1
            done[peers] += 1
            next_read[read] = reads[starts[read] + place[edges.receivers[read]]]
            oldest[self._senders] = np.minimum.reduceat(next_read[self._by_sender], self._first_out)
            yield Wave(peers, read, versions, before, oldest.copy())


@dataclass(frozen=True)
class Meetings:
    """Wakings that need nothing of one another, in which each peer meets one of its neighbours.

    Args:
        times: when, shape (k,).
        peers: who wakes, shape (k,).
        partners: the neighbour that each of them meets, shape (k,); no peer occurs twice in both together.
    """

    times: Microseconds
    peers: NDArray[np.intp]
    partners: NDArray[np.intp]


class Pairs:
    """Waves of wakings at which a peer meets one neighbour, and both change.

    Args:
        queue: all wakings.
        partners: function of k to whom each peer meets at its waking k, shape (n,).
    """

    def __init__(self, n: int, queue: Queue, partners: Callable[[int], NDArray[np.intp]]) -> None:
        self._n, self._queue, self._partners = n, queue, partners

    def next_round(self) -> tuple[Wakings, Iterator[Meetings]]:
        """The wakings of the next round, and their waves."""
        wakings = self._queue.take(self._n)
        return wakings, self._waves(wakings)

    def _waves(self, wakings: Wakings) -> Iterator[Meetings]:
        ks, which = np.unique(wakings.counts, return_inverse=True)
        partners = np.stack([self._partners(int(k)) for k in ks])[which, wakings.peers]
        remaining = np.arange(len(partners))
        while remaining.size:
            peers, others = wakings.peers[remaining], partners[remaining]
            place = np.arange(len(remaining))
            first = np.full((2, self._n), len(remaining))  # the first meeting of each peer, as who wakes and as partner
            first[0, peers[::-1]], first[1, others[::-1]] = place[::-1], place[::-1]
            first = first.min(axis=0)
            ready = (first[peers] == place) & (first[others] == place)
            yield Meetings(wakings.times[remaining[ready]], peers[ready], others[ready])
            remaining = remaining[~ready]


def _arrays(wakings: Wakings) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.int64]]:
    return wakings.times, wakings.peers, wakings.counts
