"""The interface of robust gossip: peers weigh what they receive by how far it lies from their own rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.base import GossipState, MultiStepGossip
from dfedsam.gossip.inbox import Inbox
from dfedsam.options import option, whole_number
from dfedsam.registry import public_name
from dfedsam.rows import WORTH_A_THREAD, loops, short_buffers

if TYPE_CHECKING:
    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology

_CHUNK_BYTES = 1 << 19  # of received rows that are gathered at once, so that they stay in the cache
_FEW = 8  # neighbours up to which a copy pays: of an array and itself numpy takes a product for wide matrices
_MATRICES = 64  # of a schedule whose degrees are checked


@dataclass(frozen=True, kw_only=True)
class RobustGossip(MultiStepGossip[GossipState]):
    """x_i ← a rule of x_i and the neighbours' rows in place of their mean, Q times.

    Each step sends one vector along every edge in both directions. Peers with fewer neighbours than a rule needs keep
    their own rows.

    Attributes:
        neighbours_needed: (a, c): a peer must have at least a · max_attackers + c neighbours.

    Args:
        max_attackers: f, how many of a peer's neighbours attack at most, at least 0: the rule's assumption.
    """

    instead = "choose undirected links"
    is_exact = True
    keeps_mean = False
    admits_attackers = True
    neighbours_needed: ClassVar[tuple[int, int]] = (1, 1)

    max_attackers: int = option(1, whole_number, 0)

    def check(self, topology: Topology) -> None:
        super().check(topology)
        factor, more = self.neighbours_needed
        if topology.period is None:
            return
        for t in range(min(topology.period, _MATRICES)):
            W = topology.weights(t)
            degrees = np.diff(W.indptr) - (W.diagonal() != 0)
            least = int(degrees.min())
            if least < factor * self.max_attackers + more:
                most = (least - more) // factor
                rule = f"must be at most {most} for {public_name(type(self))}, since peer {int(degrees.argmin())} has "
                rule += f"only {least} neighbour{'s' * (least != 1)}"
                if most < 0:
                    rule = f"must have at least {more} neighbours for each peer, but peer {int(degrees.argmin())} has "
                    raise OptionError("gossip", public_name(type(self)), f"{rule}{least}", "choose clipped")
                raise OptionError("gossip.max_attackers", self.max_attackers, rule, "choose a graph with more edges")

    def tolerated(self, degrees: NDArray[np.intp]) -> NDArray[np.intp] | None:
        """How many attackers the rule assumes at most among so many neighbours, shape (n,); None: not a number."""
        return np.full_like(degrees, self.max_attackers) if self.neighbours_needed[0] else None

    def note_attackers(self, topology: Topology, attackers: NDArray[np.bool_]) -> str | None:
        for t in range(min(topology.period or 0, _MATRICES)):
            W = topology.weights(t)
            degrees = np.diff(W.indptr) - (W.diagonal() != 0)
            if (most := self.tolerated(degrees)) is None:
                return None
            near = np.where(attackers, 0, (W != 0) @ attackers.astype(np.intp))
            peer = int((near - most).argmax())
            if near[peer] > most[peer]:
                more = f"{near[peer]} of the {degrees[peer]} neighbours of peer {peer} attack, and {public_name(self)} "
                return f"{more}assumes at most {most[peer]}: nothing is known of what it does then"
        return None

    def __call__(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray, GossipState]:
        for step in range(self.steps):
            x = channel.step(step).aggregate(x, self.combine)
        return x, state

    @abstractmethod
    def combine(self, inbox: Inbox) -> NDArray:
        """The block's new rows, shape (peers, d)."""

    def contraction_factor(self, topology: Topology, plain: float | None) -> float | None:
        return None


@dataclass(frozen=True)
class Neighbourhoods:
    """All of the block's peers that have equally many neighbours, p with k each, and what these send.

    Args:
        inbox: of the step.
        peers: rows of the block, shape (p,).
        edges: shape (p, k).
    """

    inbox: Inbox
    peers: NDArray[np.intp]
    edges: NDArray[np.intp]

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """W_ij, shape (p, k)."""
        return self.inbox.weights[self.edges]

    @cached_property
    def own_weights(self) -> NDArray[np.float64]:
        """W_ii, shape (p,)."""
        return self.inbox.own_weights[self.peers]

    @property
    def honest(self) -> NDArray[np.bool_]:
        """Whether each neighbour is honest, shape (p, k)."""
        return self.inbox.honest[self.edges]

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """‖x_i‖, shape (p,)."""
        norms = np.empty(len(self.peers))

        def work(some: slice) -> None:
            x = self.inbox.x[self.peers[some]]
            norms[some] = np.sqrt(np.einsum("pd,pd->p", x, x).astype(np.float64))

        self.each_chunk(work)
        return norms

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """‖x_j − x_i‖, shape (p, k)."""
        distances = np.empty(self.edges.shape)

        def work(some: slice) -> None:
            differences = self._differences(some)
            flat = differences.reshape(-1, differences.shape[2])
            distances[some] = np.sqrt(np.einsum("ed,ed->e", flat, flat).astype(np.float64)).reshape(
                distances[some].shape
            )

        self.each_chunk(work)
        return distances

    @cached_property
    def gram(self) -> NDArray[np.float64]:
        """Inner products of x_j − x_i, the peer itself first, shape (p, k + 1, k + 1)."""
        p, k = self.edges.shape
        gram = np.zeros((p, k + 1, k + 1))

        def work(some: slice) -> None:
            differences = self._differences(some)
            other = differences.copy() if k <= _FEW else differences
            gram[some, 1:, 1:] = np.matmul(differences, other.swapaxes(1, 2))

        self.each_chunk(work)
        return gram

    def received(self, edges: NDArray[np.intp], out: NDArray | None = None) -> NDArray:
        """The messages of some edges, of their shape and (d,), in `out` if it is given."""
        columns = self.inbox.columns[edges]
        return np.take(self.inbox.rows, columns, axis=0, out=out, mode="clip")  # clip: no second copy

    def _differences(self, some: slice) -> NDArray:
        """Messages less x_i, for some of the p peers, shape (some, k, d)."""
        x, edges, peers = self.inbox.x, self.edges[some], self.peers[some]
        if compiled := loops(x):
            differences = np.empty((*edges.shape, x.shape[1]), x.dtype)
            compiled.subtract(self.inbox.rows, self.inbox.columns[edges], x, peers, differences)
            return differences
        received = self.received(edges)
        received -= x[peers, None]
        return received

    def each_chunk(self, work: Callable[[slice], None]) -> None:
        """Call `work` on chunks of the p peers, whose messages fit into the cache, in threads."""
        p, k = self.edges.shape
        size = max(1, _CHUNK_BYTES // (k * self.inbox.x[0].nbytes))

        def some(start: int, stop: int) -> None:
            with short_buffers(), np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                for low in range(start * size, min(p, stop * size), size):
                    work(slice(low, low + size))

        received = self.edges.size * self.inbox.x[0].nbytes
        self.inbox.channel.communicator.pool.map_ranges(some, -(-p // size), 1 + received // WORTH_A_THREAD)


def neighbourhoods(inbox: Inbox) -> list[Neighbourhoods]:
    """The block's peers that have neighbours, by their number."""
    degrees, all_of = np.diff(inbox.indptr), []
    for k in np.unique(degrees[degrees > 0]).tolist():
        peers = np.flatnonzero(degrees == k)
        all_of.append(Neighbourhoods(inbox, peers, inbox.indptr[peers, None] + np.arange(k)))
    return all_of


@dataclass(frozen=True, kw_only=True)
class WeightingRule(RobustGossip):
    """A rule that takes a weighted mean, with weights that depend on distances between rows."""

    @abstractmethod
    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        """New weights of the neighbours' messages, shape (p, k); the rest up to one is the peer's own."""

    def combine(self, inbox: Inbox) -> NDArray:
        weights, own_weights = np.zeros_like(inbox.weights), np.ones_like(inbox.own_weights)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for around in neighbourhoods(inbox):
                new = self.reweigh(around)
                weights[around.edges] = new
                own_weights[around.peers] = 1 - new.sum(axis=1)
        return inbox.sums(own_weights, weights)


def strongest(around: Neighbourhoods, count: int) -> NDArray[np.float64]:
    """b_i: the largest total weight that `count` neighbours can have, shape (p,)."""
    return np.sort(around.weights, axis=1)[:, ::-1][:, :count].sum(axis=1)


def nearest(around: Neighbourhoods, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of each neighbour's weight that is among the nearest total `weight` (p,), shape (p, k)."""
    order = np.argsort(around.distances, axis=1, kind="stable")
    sorted_weights = np.take_along_axis(around.weights, order, axis=1)
    before = np.cumsum(sorted_weights, axis=1) - sorted_weights
    kept = np.empty_like(sorted_weights)
    np.put_along_axis(kept, order, np.clip(weight[:, None] - before, 0, sorted_weights), axis=1)
    return kept
