"""Waves of an asynchronous run whose peers send fragments of their rows to random neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.clock.availability import BLOCK
from dfedsam.clock.links import Edges, Microseconds
from dfedsam.clock.wakings import Churn, Columns, Queue, Wakings
from dfedsam.random import RandomStream


@dataclass(frozen=True)
class FragmentWave:
    """Wakings that need nothing of one another, in which each peer takes in the fragments that have come since it woke.

    A peer's version v is the row that it sends after v wakings.

    Args:
        peers: who wakes, rising, shape (k,).
        receivers: who takes in each fragment, rising, shape (r,).
        senders: whose it is, shape (r,).
        versions: of the sender's row, shape (r,).
        fragments: which fragment of it, shape (r,).
        done: version of every peer's row before the wave, shape (n,).
        oldest: oldest version of every peer's row that may be read after the wave, shape (n,).
        joins: which of the peers join, and start from the row that they take in, if any, shape (k,).
        sent: fragments that these peers send before they wake again, or ask for where they join.
    """

    peers: NDArray[np.intp]
    receivers: NDArray[np.intp]
    senders: NDArray[np.intp]
    versions: NDArray[np.int64]
    fragments: NDArray[np.int64]
    done: NDArray[np.int64]
    oldest: NDArray[np.int64]
    joins: NDArray[np.bool_]
    sent: int


@dataclass(frozen=True)
class _Messages(Columns):
    """Fragments on their way: sender, version of its row, fragment, receiver, and time of arrival, each shape (r,)."""

    senders: NDArray[np.intp]
    versions: NDArray[np.int64]
    fragments: NDArray[np.int64]
    receivers: NDArray[np.intp]
    arrivals: Microseconds


class Fragments:
    """Waves of wakings after which a peer sends each fragment of its row to some random neighbours.

    Fragments leave one after another in random order; those that have not begun to leave when their sender wakes again
    are given up, and those that come while their receiver is absent are lost. Of several that come from one sender the
    last to arrive counts. A peer that joins starts from the row that a neighbour has sent last.

    Args:
        queue: all wakings.
        edges: whom each peer may send to, sorted by receiver, in both directions.
        latency: of a message along each edge, shape (m,).
        transmission: how long a fragment takes its sender's link, along each edge, shape (m,).
        sends: number of fragments, and of the neighbours that each is sent to, at most the smallest degree.
        seed: the run's seed.
        churn: of peers that are not always present; None: all are.
    """

    def __init__(
        self,
        queue: Queue,
        edges: Edges,
        latency: Microseconds,
        transmission: Microseconds,
        sends: tuple[int, int],
        seed: int,
        churn: Churn | None = None,
    ) -> None:
        self._queue, self._edges, self._sends, self._seed, self._churn = queue, edges, sends, seed, churn
        outward = np.lexsort((edges.receivers, edges.senders))  # edges by sender
        self._out, self._first = outward, np.cumsum(edges.out_degrees) - edges.out_degrees
        self._latency, self._transmission = latency, transmission
        self._done = np.zeros(edges.n, np.int64)
        none = np.zeros(0, np.int64)
        self._pending = _Messages(none, none, none, none, none)

    def next_round(self) -> tuple[Wakings, Iterator[FragmentWave]]:
        """The wakings of the next round, and their waves, which must be used up before the round after it."""
        in_time = self._queue.take(self._edges.n)
        wakings = in_time.part(np.lexsort((in_time.times, in_time.peers)))
        new, sent = self._messages(wakings)
        messages = self._pending.and_then(new)
        if self._churn is not None:
            messages = messages.part(self._churn.presence.at(messages.receivers, messages.arrivals))
        origin = int(min(wakings.times.min(), messages.arrivals.min(initial=BLOCK)))
        keys = wakings.peers * BLOCK + wakings.times - origin
        at = np.searchsorted(keys, messages.receivers * BLOCK + messages.arrivals - origin, side="right")
        taken = wakings.peers[np.minimum(at, len(keys) - 1)] == messages.receivers
        taken &= at < len(keys)
        oldest = np.full(self._edges.n, np.iinfo(np.int64).max)
        np.minimum.at(oldest, messages.senders, messages.versions)
        self._pending = messages.part(~taken)
        at, messages = _latest(at[taken], messages.part(taken))
        if self._churn is not None:
            of_others = ~wakings.joins[at]
            joining, neighbours = self._churn.neighbours(wakings, self._edges)
            before = np.searchsorted(keys, neighbours * BLOCK + wakings.times[joining] - origin)
            versions = self._done[neighbours] + before - np.searchsorted(keys, neighbours * BLOCK)
            np.minimum.at(oldest, neighbours, versions)
            copies = _Messages(neighbours, versions, 0 * versions, wakings.peers[joining], wakings.times[joining])
            count = self._sends[0]
            copies = copies.part(np.repeat(np.arange(len(joining)), count))
            copies.fragments[:] = np.arange(len(copies.fragments)) % count
            sent[joining] += count
            at = np.append(at[of_others], np.repeat(joining, count))
            order = np.argsort(at, kind="stable")
            at, messages = at[order], messages.part(of_others).and_then(copies).part(order)
        return in_time, self._waves(wakings, at, messages, oldest, sent)

    def _messages(self, wakings: Wakings) -> tuple[_Messages, NDArray[np.int64]]:
        """What is sent after each of some wakings, sorted by peer and time, and how many fragments that is."""
        count, each = self._sends
        peers, times = wakings.peers, wakings.times
        again = np.append(times[1:], 0)
        ends = np.append(peers[1:] != peers[:-1], True)
        again[ends] = self._queue.next_times()[peers[ends]]
        drawn = np.empty((len(peers), 2, count, each))
        for k in np.unique(wakings.counts):
            which = wakings.counts == k
            stream = RandomStream(self._seed, "fragments", int(k), 0, peers[which])
            drawn[which] = stream.uniform(drawn.shape[1:])
        neighbours = _subsets(self._edges.out_degrees[peers], drawn[:, 0])
        turns = np.argsort(drawn[:, 1].reshape(len(peers), -1), axis=1)
        edges = self._out[
            self._first[peers][:, None] + np.take_along_axis(neighbours.reshape(len(peers), -1), turns, 1)
        ]
        takes = self._transmission[edges]
        gone = np.cumsum(takes, axis=1)
        left = (gone - takes < (again - times)[:, None]) & ~wakings.joins[:, None]
        arrivals = times[:, None] + gone + self._latency[edges]
        which = np.nonzero(left)[0]
        edges = edges[left]
        version = wakings.counts[which] + 1
        sent = _Messages(peers[which], version, (turns // each)[left], self._edges.receivers[edges], arrivals[left])
        return sent, left.sum(axis=1)

    def _waves(
        self, wakings: Wakings, at: NDArray[np.intp], messages: _Messages, oldest: NDArray, sent: NDArray[np.int64]
    ) -> Iterator[FragmentWave]:
        n, done = self._edges.n, self._done
        counts = np.bincount(wakings.peers, minlength=n)
        firsts, place = np.cumsum(counts) - counts, np.zeros(n, np.int64)
        while (place < counts).any():
            waits = np.bincount(at, messages.versions > done[messages.senders], len(wakings.peers)) > 0
            ready = place < counts
            ready[ready] = ~waits[(firsts + place)[ready]]
            peers = np.flatnonzero(ready)
            now = np.zeros(len(wakings.peers), bool)
            now[(firsts + place)[peers]] = True
            read = messages.part(now[at])
            before = done.copy()
            place[peers] += 1
            done[peers] += 1
            of = read.receivers, read.senders, read.versions, read.fragments
            yield FragmentWave(peers, *of, before, oldest, wakings.joins[now], int(sent[now].sum()))


def _latest(at: NDArray[np.intp], messages: _Messages) -> tuple[NDArray[np.intp], _Messages]:
    """Messages by waking, sender and fragment, and of several alike only the last to arrive."""
    order = np.lexsort((messages.versions, messages.arrivals, messages.fragments, messages.senders, at))
    at, messages = at[order], messages.part(order)
    keys = np.stack([at, messages.senders, messages.fragments])
    last = np.append((keys[:, 1:] != keys[:, :-1]).any(axis=0), True)[: len(at)]
    return at[last], messages.part(last)


def _subsets(below: NDArray[np.int64], drawn: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sets of s different numbers, each equally likely, by Floyd's algorithm.

    The numbers of each of k rows lie below its bound (k,), at least s; each s uniform numbers in [0, 1) of `drawn`
    (k, c, s) give a set.
    """
    chosen = np.empty(drawn.shape, np.int64)
    for index in range(drawn.shape[2]):
        last = (below - drawn.shape[2] + index)[:, None]
        number = (drawn[:, :, index] * (last + 1)).astype(np.int64)
        repeated = (chosen[:, :, :index] == number[:, :, None]).any(axis=2)
        chosen[:, :, index] = np.where(repeated, last, number)
    return chosen
