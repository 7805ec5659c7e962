"""The time of synchronous rounds: each peer computes, and then waits for messages in every gossip step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.clock.base import Clock, Exchange, Joins, Mask, RunTime, Way
from dfedsam.clock.links import Edges, microseconds
from dfedsam.random import RandomStream
from dfedsam.topologies import cache_by_id
from dfedsam.topologies.schedules.unreliable import Links as TopologyLinks


@dataclass
class _Pattern:
    """The edges of one W, sorted by receiver, and what is derived from them."""

    weights: csr_array
    edges: Edges

    @cached_property
    def heads(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The peers that receive anything, and the first edge of each."""
        return np.unique(self.edges.receivers, return_index=True)

    @cached_property
    def links(self) -> tuple[TopologyLinks, NDArray[np.intp]]:
        """The undirected links, and the link of each edge."""
        links, edges = TopologyLinks(self.weights, directed=False), self.edges
        pairs = np.minimum(edges.senders, edges.receivers), np.maximum(edges.senders, edges.receivers)
        return links, np.searchsorted(links.i * edges.n + links.j, pairs[0] * edges.n + pairs[1])

    def latest(self, ready: NDArray[np.float64], arrivals: NDArray[np.float64]) -> NDArray[np.float64]:
        """When each peer is ready and has all its messages, shape (n,), for the arrival of each edge's message."""
        latest = ready.copy()
        heads, starts = self.heads
        if len(heads):
            latest[heads] = np.maximum(latest[heads], np.maximum.reduceat(arrivals, starts))
        return latest

    def fastest(self, m: int, ready: NDArray[np.float64], arrivals: NDArray[np.float64]) -> NDArray[np.float64]:
        """When each peer is ready and has m messages, or all if it gets fewer, shape (n,)."""
        heads, starts = self.heads
        order = np.lexsort((arrivals, self.edges.receivers))
        last = starts + np.minimum(m, self.edges.in_degrees[heads]) - 1
        leave = ready.copy()
        leave[heads] = np.maximum(leave[heads], arrivals[order][last])
        return leave


@cache_by_id
def _pattern(weights: csr_array) -> _Pattern:
    return _Pattern(weights, Edges.of(weights))


class SynchronousTime(RunTime):
    """Simulated time of a run of n peers, advanced round by round.

    t_i ← t_i + c_i for the computation, and then in each gossip step t_i ← max over j in N(i) and i of t_j + d(j, i):
    the recursion of Marfoq et al. (2020), equation 4, with random computation times. A server of a baseline stands at
    the site of the peer that is nearest to all others.

    Attributes:
        now: when each peer is ready for the next round, in seconds, shape (n,).
        waited: seconds that each has waited so far for others' messages, shape (n,).
    """

    def __init__(self, clock: Clock, n: int, seed: int) -> None:
        self.clock, self.seed = clock, seed
        self.now = np.zeros(n)
        self.waited = np.zeros(n)
        self._debts = np.zeros((n, clock.compute.buckets))
        self._presence = clock.availability and clock.availability.presence(n, seed)
        self._find_present()
        self._members = self.present
        self._leave: NDArray[np.float64] | None = None
        self._hub: int | None = None
        self._thin: tuple[csr_array, NDArray[np.bool_], csr_array] | None = None

    def edges(self, weights: csr_array) -> Edges:
        """The edges along which a gossip step with this W sends."""
        return _pattern(weights).edges

    @property
    def members(self) -> Mask | None:
        return self._members

    def joins(self, round: int, weights: csr_array, size: float) -> Joins | None:
        before, self._members = self._members, self.present
        if self.present is None or before is None or not (joining := self.present & ~before).any():
            return None
        edges = _pattern(weights).edges
        able = np.flatnonzero(joining[edges.receivers] & before[edges.senders])
        peers, first, count = np.unique(edges.receivers[able], return_index=True, return_counts=True)
        drawn = RandomStream(self.seed, "join", round, 0, range(edges.n)).uniform((1,))[peers, 0]
        neighbours = edges.senders[able[first + (drawn * count).astype(np.intp)]]
        self.now[peers] += self.clock.links.seconds(Edges(edges.n, neighbours, peers, together=False), size)
        return peers, neighbours

    def weights(self, round: int, weights: csr_array, size: float, present: Mask | None = None) -> csr_array:
        self._leave, self.late = None, 0
        if self.present is not None and not self.present.all():
            links, _ = _pattern(weights).links
            weights = self._without(weights, ~(self.present[links.i] & self.present[links.j]))
        if self.clock.m is None:
            return weights
        pattern = _pattern(weights)
        ready = self._computed(round, np.zeros(len(self.now)), present)
        arrivals = ready[pattern.edges.senders] + self.clock.links.seconds(pattern.edges, size)
        self._leave = pattern.fastest(self.clock.m, ready, arrivals)
        late = arrivals > self._leave[pattern.edges.receivers]
        links, link_of = pattern.links
        dropped = np.bincount(link_of, late, len(links.i)) > 0
        self.late = 2 * int(dropped.sum())
        return links.without(dropped) if self.late else weights

    def _without(self, weights: csr_array, dropped: NDArray[np.bool_]) -> csr_array:
        """W without some links; the same object as the last time where both are the same."""
        if self._thin is None or self._thin[0] is not weights or not np.array_equal(self._thin[1], dropped):
            self._thin = weights, dropped, _pattern(weights).links[0].without(dropped)
        return self._thin[2]

    def advance(self, round: int, exchanges: Iterable[Exchange], queries: NDArray, present: Mask | None = None) -> None:
        ready = self._computed(round, queries, present)
        if self.clock.compute.buckets:
            ready += self.clock.compute.delays(len(ready), self.now, queries, self._debts)
        waited = np.zeros_like(ready)
        for link, size in exchanges:
            arrived = self._step(link, size, ready)
            waited += arrived - ready
            ready = arrived
        if present is not None and present.any():  # who was absent is back no earlier than the first of the others
            ready[~present] = np.maximum(ready[~present], ready[present].min())
            waited[~present] = 0
        self.now, self.waited = ready, self.waited + waited
        self._find_present()

    @property
    def metrics(self) -> dict[str, float]:
        total = float(self.now.mean())
        idle = float(self.waited.mean()) / total if total else 0.0
        return {"time": float(self.now.max()), "time_mean": total, "idle": idle}

    def arrays(self) -> dict[str, NDArray]:
        arrays = {"clock.now": self.now, "clock.waited": self.waited}
        arrays |= {"clock.debts": self._debts} if self._debts.size else {}
        return arrays if self._members is None else arrays | {"clock.members": self._members}

    def restore(self, round: int, arrays: Mapping[str, NDArray]) -> None:
        self.now, self.waited = arrays["clock.now"], arrays["clock.waited"]
        self._debts, self._members = arrays.get("clock.debts", self._debts), arrays.get("clock.members")
        self._find_present()

    def _find_present(self) -> None:
        """Which peers are present when ready for the next round; if none is, it waits for the first to come back."""
        if self._presence is None:
            return
        peers, now = np.arange(len(self.now)), microseconds(self.now)
        back = self._presence.next(peers, now)
        if not (back == now).any():
            self.now = np.maximum(self.now, back.min() / 1e6)
            now = np.maximum(now, back.min())
        self.present = self._presence.at(peers, now)

    def _computed(self, round: int, queries: NDArray[np.float64], present: Mask | None) -> NDArray[np.float64]:
        stream = RandomStream(self.seed, "compute time", round, 0, range(len(self.now)))
        seconds = self.clock.compute.seconds(stream, queries)
        return self.now + (seconds if present is None else np.where(present, seconds, 0))

    def _step(self, link: csr_array | Way, size: float, ready: NDArray[np.float64]) -> NDArray[np.float64]:
        """When each peer has all messages of a gossip step that starts at `ready`, shape (n,)."""
        if isinstance(link, str):
            return self._server(link, size, ready)
        if self._leave is not None:  # the step in which messages come late, before `weights` left these out
            leave, self._leave = self._leave, None
            return leave
        pattern = _pattern(link)
        arrivals = ready[pattern.edges.senders] + self.clock.links.seconds(pattern.edges, size)
        if self.clock.wait == "barrier":
            return np.full_like(ready, max(arrivals.max(initial=0), ready.max()))
        return pattern.latest(ready, arrivals)

    def _server(self, way: Way, size: float, ready: NDArray[np.float64]) -> NDArray[np.float64]:
        n = len(ready)
        if self._hub is None:
            self._hub = min(range(n), key=lambda hub: self.clock.links.seconds(_spokes(n, hub, "up"), size).max())
        edges = _spokes(n, self._hub, way)
        arrivals = ready[edges.senders] + self.clock.links.seconds(edges, size)
        arrived = ready.copy()
        np.maximum.at(arrived, edges.receivers, arrivals)
        return arrived


def _spokes(n: int, hub: int, way: Way) -> Edges:
    """The edges of a star: "up" to its hub, or "down" from there."""
    others = np.delete(np.arange(n), hub)
    ends = others, np.full(n - 1, hub)
    senders, receivers = ends if way == "up" else ends[::-1]
    return Edges(n, senders, receivers)
