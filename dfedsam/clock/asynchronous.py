"""The time of an asynchronous run: its wakings, wave by wave, and those at which peers meet in pairs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.clock.base import Clock, Exchange, Mask, RunTime
from dfedsam.clock.fragments import Fragments, FragmentWave
from dfedsam.clock.links import Edges, Microseconds, microseconds
from dfedsam.clock.wakings import Churn, Mailboxes, Queue, Wakings, Wave
from dfedsam.random import RandomStream

Wakes = Literal["mailboxes", "pairs", "fragments"]
_ROWS = 512  # draws of partners that are kept


@dataclass(frozen=True)
class Meetings:
    """Wakings that need nothing of one another, in which each peer meets one of its neighbours.

    Args:
        times: when, shape (k,).
        peers: who wakes, shape (k,).
        partners: the neighbour that each of them meets, shape (k,), or itself where that one is absent; no other peer
            occurs twice in both together.
        joins: which of the peers join, and start from their partner's row, shape (k,).
    """

    times: Microseconds
    peers: NDArray[np.intp]
    partners: NDArray[np.intp]
    joins: NDArray[np.bool_]

    def reads(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
        """Whose row changes, whose row it takes in, and whether it takes that in place of its own, each shape (r,)."""
        meet = ~self.joins
        peers = np.concatenate([self.peers, self.partners[meet]])
        partners = np.concatenate([self.partners, self.peers[meet]])
        return peers, partners, np.append(self.joins, np.zeros(int(meet.sum()), bool))


class Pairs:
    """Waves of wakings at which a peer meets one neighbour, and both change.

    Args:
        queue: all wakings.
        edges: from whom a peer may learn, sorted by receiver.
        choice: function of k to the edge from the neighbour that each peer meets at its waking k, shape (n,).
        churn: of peers that are not always present; None: all are.
    """

    def __init__(
        self, queue: Queue, edges: Edges, choice: Callable[[int], NDArray[np.intp]], churn: Churn | None = None
    ) -> None:
        self._queue, self._edges, self._choice, self._churn = queue, edges, choice, churn

    def next_round(self) -> tuple[Wakings, Iterator[Meetings]]:
        """The wakings of the next round, and their waves."""
        wakings = self._queue.take(self._edges.n)
        return wakings, self._waves(wakings)

    def _partners(self, wakings: Wakings) -> NDArray[np.intp]:
        ks, which = np.unique(wakings.counts, return_inverse=True)
        edges = np.stack([self._choice(int(k)) for k in ks])[which, wakings.peers]
        partners = self._edges.senders[edges]
        if self._churn is None:
            return partners
        there = self._churn.presence.at(partners, wakings.times)
        partners = np.where(there & ~wakings.joins, partners, wakings.peers)
        joining, neighbours = self._churn.neighbours(wakings, self._edges)
        partners[joining] = neighbours
        return partners

    def _waves(self, wakings: Wakings) -> Iterator[Meetings]:
        partners, n = self._partners(wakings), self._edges.n
        remaining = np.arange(len(partners))
        while remaining.size:
            peers, others = wakings.peers[remaining], partners[remaining]
            place = np.arange(len(remaining))
            first = np.full((2, n), len(remaining))  # the first meeting of each peer, as who wakes and as partner
            first[0, peers[::-1]], first[1, others[::-1]] = place[::-1], place[::-1]
            first = first.min(axis=0)
            ready = (first[peers] == place) & (first[others] == place)
            some = remaining[ready]
            yield Meetings(wakings.times[some], peers[ready], others[ready], wakings.joins[some])
            remaining = remaining[~ready]


class AsynchronousTime(RunTime):
    """Simulated time of an asynchronous run. A round is as many wakings as there are peers.

    A peer computes, and wakes. With "mailboxes" it then takes in what it has received last from its neighbours, sends
    its new row to all of them, and computes on at once. With "pairs" it first exchanges rows with one neighbour, drawn
    at random, which takes the slower of the two messages and during which only the partner goes on computing. With
    "fragments" it takes in what it has received since it woke last, and sends pieces of its row, one after another.
    A resumed run replays its wakings, which are a function of profiles and seed.

    Args:
        clock: the profiles.
        wakes: how peers meet.
        weights: W, the same in all rounds; its links matter alone.
        seed: the run's seed.
        size: bytes of a message.
        queries: how many each peer asks before a waking.
        sends: with "fragments", how many a row is cut into, and the number of neighbours that each is sent to.

    Attributes:
        edges: the links, in both directions.
        end: the time of the last waking of the latest round, in microseconds.
    """

    def __init__(
        self,
        clock: Clock,
        wakes: Wakes,
        weights: csr_array,
        seed: int,
        size: float,
        queries: float,
        sends: tuple[int, int] = (1, 1),
    ) -> None:
        edges = Edges.of(weights)
        self.clock, self.seed, self.edges, self._queries = clock, seed, edges, np.full(edges.n, float(queries))
        self._alone = Edges(edges.n, edges.senders, edges.receivers, together=False)
        self.end, self._blocked = 0, 0.0
        self._degrees, self._first = edges.in_degrees, np.cumsum(edges.in_degrees) - edges.in_degrees
        self._presence = clock.availability and clock.availability.presence(edges.n, seed)
        churn = self._presence and Churn(self._presence, lru_cache(_ROWS)(self._uniform))
        self._debts = np.zeros((edges.n, clock.compute.buckets))
        limits = self._limits if clock.compute.buckets else None
        if wakes == "mailboxes":
            delays = microseconds(clock.links.seconds(edges, size))
            queue = Queue(edges.n, self._computation, limits, self._presence)
            self._events: Mailboxes | Pairs | Fragments = Mailboxes(queue, edges, delays, churn)
        elif wakes == "fragments":
            queue = Queue(edges.n, self._computation, limits, self._presence)
            latency, whole = (clock.links.seconds(self._alone, part) for part in (0, size / sends[0]))
            delays = microseconds(latency), microseconds(whole - latency)
            self._events = Fragments(queue, edges, *delays, sends, seed, churn)
        else:
            self._delays = self._of_meetings(size)
            self._choice = lru_cache(_ROWS)(self._chosen_edges)
            queue = Queue(edges.n, self._until_met, limits, self._presence)
            self._events = Pairs(queue, edges, self._choice, churn)

    def waves(self, round: int) -> Iterator[Wave] | Iterator[Meetings] | Iterator[FragmentWave]:
        """The waves of the next round, which the algorithm must use up; rounds are asked for in their order."""
        wakings, waves = self._events.next_round()
        self._count(wakings)
        return waves

    def advance(self, round: int, exchanges: Iterable[Exchange], queries: NDArray, present: Mask | None = None) -> None:
        pass  # `waves` does

    @property
    def metrics(self) -> dict[str, float]:
        time = self.end / 1e6
        return {"time": time, "time_mean": time, "idle": self._blocked / (self.end * self.edges.n or 1)}

    @property
    def members(self) -> Mask | None:
        return self._presence and self._presence.at(np.arange(self.edges.n), np.full(self.edges.n, self.end))

    def restore(self, round: int, arrays: Mapping[str, NDArray]) -> None:
        for t in range(round):
            deque(self.waves(t), maxlen=0)

    def meeting_rates(self) -> csr_array:
        """Meetings a second of each pair of peers, on average, shape (n, n), symmetric, for wakes "pairs"."""
        edges, stream = self.edges, RandomStream(self.seed, "compute time", 0, 0, range(self.edges.n))
        delays = np.add.reduceat(self._delays, self._first) / self._degrees / 1e6
        wakings = 1 / (self.clock.compute.mean_seconds(stream, self._queries) + delays)
        rates = (wakings / self._degrees)[edges.receivers]
        one_way = csr_array((rates, (edges.receivers, edges.senders)), shape=(edges.n, edges.n))
        return csr_array(one_way + one_way.T)

    def _count(self, wakings: Wakings) -> None:
        self.end = int(wakings.times[-1])
        if isinstance(self._events, Pairs):
            for k in np.unique(wakings.counts):
                peers = wakings.peers[(wakings.counts == k) & ~wakings.joins]
                self._blocked += float(self._delays[self._choice(int(k))[peers]].sum())

    def _computation(self, k: int) -> Microseconds:
        stream = RandomStream(self.seed, "compute time", k, 0, range(self.edges.n))
        return np.maximum(microseconds(self.clock.compute.seconds(stream, self._queries)), 1)

    def _limits(self, peers: NDArray[np.intp], starts: Microseconds) -> Microseconds:
        debts, compute = self._debts[peers], self.clock.compute
        seconds = compute.delays(self.edges.n, starts / 1e6, self._queries[peers], debts)
        self._debts[peers] = debts
        return microseconds(seconds)

    def _uniform(self, k: int) -> NDArray[np.float64]:
        return RandomStream(self.seed, "join", k, 0, range(self.edges.n)).uniform((1,))[:, 0]

    def _until_met(self, k: int) -> Microseconds:
        return self._computation(k) + self._delays[self._choice(k)]

    def _chosen_edges(self, k: int) -> NDArray[np.intp]:
        """The edge from the neighbour that each peer meets at its waking k, shape (n,)."""
        stream = RandomStream(self.seed, "partner", k, 0, range(self.edges.n))
        return self._first + stream.integers(self._degrees, 1)[:, 0]

    def _of_meetings(self, size: float) -> Microseconds:
        """Of the slower of the two messages of a meeting over each edge, shape (m,)."""
        edges = self.edges
        alone = self.clock.links.seconds(self._alone, size)
        keys = edges.receivers * edges.n + edges.senders
        back = np.searchsorted(keys, edges.senders * edges.n + edges.receivers)
        return microseconds(np.maximum(alone, alone[back]))
