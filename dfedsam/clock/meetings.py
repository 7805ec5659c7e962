"""Waves of an asynchronous run whose peers meet in pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.clock.links import Edges, Microseconds
from dfedsam.clock.wakings import Churn, Queue, Wakings


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
