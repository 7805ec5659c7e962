"""When the peers of an asynchronous run wake, and what each of them knows of the others by then.

Time is counted in whole microseconds, so no two platforms round it differently, and wakings are ordered by (time,
peer); a message that arrives at the time of a waking comes after it. A round is as many wakings as there are peers. It
is cut into waves: wakings that need nothing of one another, so a wave is one batch of queries and one sparse product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.clock.availability import BLOCK, NEVER, Presence
from dfedsam.clock.links import Edges, Microseconds

_ROWS = 64  # durations of a peer that are drawn ahead


C = TypeVar("C", bound="Columns")


class Columns:
    """Base of a record of arrays of one length."""

    def part(self: C, which: NDArray) -> C:
        """Some of them."""
        return type(self)(*(array[which] for array in vars(self).values()))

    def and_then(self: C, more: C) -> C:
        """These and more."""
        pairs = zip(vars(self).values(), vars(more).values(), strict=True)
        return type(self)(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Wakings(Columns):
    """Some wakings in their order.

    Args:
        times: when, shape (k,).
        peers: who, shape (k,).
        counts: how often that peer had woken before, shape (k,).
        joins: whether it then joins, and has computed nothing, shape (k,).
    """

    times: Microseconds
    peers: NDArray[np.intp]
    counts: NDArray[np.int64]
    joins: NDArray[np.bool_]


class Queue:
    """All wakings in their order; a peer's durations add up, whatever the others do.

    Args:
        n: peers.
        durations: of every peer before its waking k, for k = 0, 1, …, each at least 1, shape (n,).
        delays: function of some peers and of when they start to compute, to what adds to these durations; None: nothing
            does. It is called for the wakings of a peer in their order.
        presence: when peers are present; one that is absent when it would start to compute joins later, as a waking.
    """

    def __init__(
        self,
        n: int,
        durations: Callable[[int], Microseconds],
        delays: Callable[[NDArray[np.intp], Microseconds], Microseconds] | None = None,
        presence: Presence | None = None,
    ) -> None:
        self._durations, self._delays, self._presence = durations, delays, presence
        self._table, self._base = np.zeros((0, n), np.int64), 0  # durations before wakings _base, _base + 1, …
        self._known = np.zeros(n, np.int64)  # wakings of each peer that are known
        self._last = np.zeros(n, np.int64)  # the time of the last of these
        self._ahead = Wakings(np.zeros(0, np.int64), np.zeros(0, np.intp), np.zeros(0, np.int64), np.zeros(0, bool))

    def take(self, count: int) -> Wakings:
        """The next `count` wakings, at most as many as there are peers."""
        while (behind := self._behind(count)).size:
            self._extend(behind)
        ahead = self._ahead
        order = np.lexsort((ahead.peers, ahead.times))
        self._ahead = ahead.part(order[count:])
        return ahead.part(order[:count])

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
            least, end = int(self._known[self._last < NEVER].min()), self._base + len(self._table)
            more = [self._durations(k) for k in range(end, end + _ROWS)]
            self._table, self._base = np.concatenate([self._table[least - self._base :], more]), least
        starts, durations = self._last[peers], self._table[counts - self._base, peers]
        joins = np.zeros(len(peers), bool)
        if self._presence is not None:
            back = self._presence.next(peers, starts)
            joins, durations = back > starts, np.where(back > starts, back - starts, durations)
        if self._delays is not None and not joins.all():
            durations = durations.copy()
            durations[~joins] += self._delays(peers[~joins], starts[~joins])
        self._last[peers] = starts + durations
        self._known[peers] += 1
        self._ahead = self._ahead.and_then(Wakings(self._last[peers], peers, counts, joins))


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
        uses: whether what has come along each edge is used, shape (r,): not what came from peers that are absent, and
            for a peer that joins one row alone, with which it starts; None: all is.
        joins: which of the peers join, shape (k,); None: none does.
    """

    peers: NDArray[np.intp]
    edges: NDArray[np.intp]
    versions: NDArray[np.int64]
    done: NDArray[np.int64]
    oldest: NDArray[np.int64]
    uses: NDArray[np.bool_] | None = None
    joins: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Churn:
    """Peers that are not always present.

    Args:
        presence: when they are.
        draws: function of k to a random number in [0, 1) for each peer's waking k, shape (n,), by which it chooses the
            neighbour from which it starts where it joins.
    """

    presence: Presence
    draws: Callable[[int], NDArray[np.float64]]

    def sources(self, wakings: Wakings, groups: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Choose one candidate for each of some wakings, of peers that join, that has any.

        `groups` has the waking that each candidate belongs to, rising.

        Returns:
            The wakings that have candidates, and the candidate chosen for each.
        """
        which, first, count = np.unique(groups, return_index=True, return_counts=True)
        peers, counts = wakings.peers[which], wakings.counts[which]
        drawn = np.array([self.draws(int(k))[peer] for k, peer in zip(counts, peers, strict=True)])
        return which, first + (drawn * count).astype(np.intp)

    def neighbours(self, wakings: Wakings, edges: Edges) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The wakings at which a peer joins and has a neighbour present, and the neighbour that it chooses."""
        joining = np.flatnonzero(wakings.joins)
        degrees = edges.in_degrees[wakings.peers[joining]]
        first = np.searchsorted(edges.receivers, wakings.peers[joining])
        group = np.repeat(np.arange(len(joining)), degrees)
        place = np.arange(len(group)) - (np.cumsum(degrees) - degrees)[group]
        neighbours = edges.senders[first[group] + place]
        there = self.presence.at(neighbours, wakings.times[joining[group]])
        which, chosen = self.sources(wakings.part(joining), group[there])
        return joining[which], neighbours[there][chosen]


@dataclass(frozen=True)
class _Reads:
    """What comes along each edge by each waking of its receiver in a round, and at least by its next one.

    Args:
        versions: of the sender's row, edge after edge.
        uses: whether each of them is used; None: all are.
        starts: where those of an edge start, shape (m,).
        counts: wakings of each peer, shape (n,).
        joins: which wakings are of a peer that joins, peer after peer; None: none is.
    """

    versions: NDArray[np.int64]
    uses: NDArray[np.bool_] | None
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    joins: NDArray[np.bool_] | None


class Mailboxes:
    """Waves of wakings at which a peer takes in what it has received last from each neighbour.

    What a peer receives while it is absent waits for it.

    Args:
        queue: all wakings.
        edges: whom each peer sends its row to after each of its wakings, sorted by receiver.
        delays: of a message along each edge, at least 0, shape (m,).
        churn: of peers that are not always present; None: all are.
    """

    def __init__(self, queue: Queue, edges: Edges, delays: Microseconds, churn: Churn | None = None) -> None:
        self._queue, self._edges, self._delays, self._churn = queue, edges, delays, churn
        self._done = np.zeros(edges.n, np.int64)
        # Wakings whose message may still be on its way, and the number of each peer's wakings before these:
        self._recent = np.zeros(0, np.intp), np.zeros(0, np.int64)
        self._before = np.zeros(edges.n, np.int64)
        self._receivers, self._first_in = np.unique(edges.receivers, return_index=True)
        self._by_sender = np.argsort(edges.senders, kind="stable")
        order = self._by_sender  # lookups are faster in this order
        self._in_order = order, edges.senders[order], edges.receivers[order], delays[order]
        self._senders, self._first_out = np.unique(edges.senders[order], return_index=True)

    def next_round(self) -> tuple[Wakings, Iterator[Wave]]:
        """The wakings of the next round, and their waves, which must be used up before the round after it."""
        wakings = self._queue.take(self._edges.n)
        return wakings, self._waves(self._reads(wakings))

    def _reads(self, in_time: Wakings) -> _Reads:
        edges, end, later = self._edges, int(in_time.times[-1]), self._queue.next_times()
        wakings = in_time.part(np.lexsort((in_time.times, in_time.peers)))
        counts = np.bincount(wakings.peers, minlength=edges.n)
        peers, times = (np.concatenate(pair) for pair in zip(self._recent, (wakings.peers, wakings.times), strict=True))
        origin = int(times.min())
        sent = np.sort(peers * BLOCK + times - origin)
        before = self._before - np.searchsorted(sent, np.arange(edges.n) * BLOCK)
        of_edge = counts[edges.receivers] + 1
        starts = np.cumsum(of_edge) - of_edge
        firsts = np.cumsum(counts) - counts
        versions, least = np.empty(int(of_edge.sum()), np.int64), counts.min()
        for place in range(int(counts.max()) + 1):  # of the wakings of each peer in the round, and then its next one
            some, sender, receiver, delay = self._in_order
            if place > least:
                part = counts[receiver] >= place
                some, sender, receiver, delay = some[part], sender[part], receiver[part], delay[part]
            by = wakings.times[np.minimum(firsts + place, len(wakings.times) - 1)]
            by = np.where(counts == place, later, by)
            sent_by = np.clip((by - origin)[receiver] - delay, -1, BLOCK - 1)
            versions[starts[some] + place] = before[sender] + np.searchsorted(sent, sender * BLOCK + sent_by)
        old = times < end - int(self._delays.max(initial=0))
        self._before += np.bincount(peers[old], minlength=edges.n)
        self._recent = peers[~old], times[~old]
        uses = None if self._churn is None else self._uses(self._churn, wakings, counts)
        return _Reads(versions, uses, starts, counts, None if uses is None else wakings.joins)

    def _uses(self, churn: Churn, wakings: Wakings, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the versions that come along count: those of peers that are present, and one where a peer joins."""
        edges = self._edges
        of_edge = counts[edges.receivers] + 1
        edge = np.repeat(np.arange(len(of_edge)), of_edge)
        place = np.arange(len(edge)) - (np.cumsum(of_edge) - of_edge)[edge]
        receiver, sender = edges.receivers[edge], edges.senders[edge]
        inside = place < counts[receiver]
        which = np.minimum((np.cumsum(counts) - counts)[receiver] + place, len(wakings.times) - 1)
        uses = churn.presence.at(sender, wakings.times[which]) & inside
        joining = np.flatnonzero(wakings.joins[which] & inside)
        able = joining[uses[joining]]
        able = able[np.argsort(which[able], kind="stable")]
        uses[joining] = False
        uses[able[churn.sources(wakings, which[able])[1]]] = True
        return uses

    def _waves(self, reads: _Reads) -> Iterator[Wave]:
        edges, done, starts, counts = self._edges, self._done, reads.starts, reads.counts
        place, firsts = np.zeros(edges.n, np.int64), np.cumsum(counts) - counts
        next_read = reads.versions[starts]
        oldest = np.full(edges.n, np.iinfo(np.int64).max)
        while (place < counts).any():
            ready = place < counts
            waits = next_read > done[edges.senders]
            ready[self._receivers] &= ~np.logical_or.reduceat(waits, self._first_in)
            peers, read = np.flatnonzero(ready), np.flatnonzero(ready[edges.receivers])
            versions, before = next_read[read], done.copy()
            at = starts[read] + place[edges.receivers[read]]
            uses = None if reads.uses is None else reads.uses[at]
            joins = None if reads.joins is None else reads.joins[firsts[peers] + place[peers]]
            place[peers] += 1
            done[peers] += 1
            next_read[read] = reads.versions[at + 1]
            oldest[self._senders] = np.minimum.reduceat(next_read[self._by_sender], self._first_out)
            yield Wave(peers, read, versions, before, oldest.copy(), uses, joins)
