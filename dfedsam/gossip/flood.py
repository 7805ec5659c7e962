"""Flooding: peers forward the coefficients of zeroth-order steps, and regenerate all directions from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from dfedsam.errors import OptionError
from dfedsam.gossip.base import GossipState, MultiStepGossip
from dfedsam.options import one_of, option, whole_number
from dfedsam.topologies import cache_by_id

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel, LocalUpdate
    from dfedsam.topologies import Topology

ScalarRule = Literal["mean", "trimmed_mean", "median", "krum", "geometric_median"]
_NU = 1e-3  # smoothing, relative to the median distance from the median
_ITERATIONS = 32  # of Weiszfeld's method
_MAX_PEERS = 4096  # every peer keeps the last coefficients of every other
_SOURCES = 64  # peers whose directions are replayed at a time


@dataclass
class FloodState(GossipState):
    """The newest coefficients that each of the block's peers has of every peer.

    Args:
        table: shape (peers, n, K · q); (peers, 0, 0) before the first round.
    """

    table: NDArray


@dataclass(frozen=True, kw_only=True)
class Flood(MultiStepGossip[FloodState]):
    """x_i ← x_i + (1/n) Σ_j (peer j's update in the latest round that has reached i).

    Every peer keeps the newest coefficients it knows of each other one and sends them to its neighbours: n · K · q
    numbers along every edge, whatever the length of x. Peer j's update reaches i after as many gossip steps as links
    lie between them, and i regenerates j's directions from the seed. So all peers follow the exact average of all
    steps, each delayed by distance; once the steps end, all agree after a diameter of rounds. The mixing weights do not
    matter, only the links. Source: SeedFlood (2026, arXiv 2602.18181).

    With a robust rule in place of the mean, all peers take their steps along the same directions, and apply the rule to
    the coefficients of all of them: they stay identical whatever attackers send, which no robust gossip of vectors
    achieves. This needs as many steps as the diameter, so that all know the same. Attackers forge their own
    coefficients alone, the same for all: those of others are taken to be signed. Source: CyBeR-0 (2024, arXiv
    2406.14362), with a server. A rule costs no message and no query.

    Args:
        steps: Q, links that coefficients pass in a round, at least 1.
        rule: "mean", or a robust one: "trimmed_mean", "median", "krum" or "geometric_median".
        max_attackers: f, how many peers of the network attack at most, at least 0, for "trimmed_mean" and "krum".
    """

    needs = "links"
    instead = "choose the gossip plain, or a static graph"
    keeps_mean = False
    sends_coefficients = True
    admits_attackers = True

    rule: ScalarRule = option("mean", one_of, get_args(ScalarRule))
    max_attackers: int = option(1, whole_number, 0)

    @property
    def needs_shared_directions(self) -> bool:
        return self.rule != "mean"

    def check(self, topology: Topology) -> None:
        super().check(topology)
        if topology.n > _MAX_PEERS:
            rule = f"must have at most {_MAX_PEERS} peers, since each keeps coefficients of all others"
            raise OptionError("gossip", "flood", rule, "choose the gossip plain")
        if self.rule == "mean":
            return
        farthest = diameter(topology.weights(0))
        if self.steps < farthest:
            rule = f"must be at least {farthest}, the diameter, for the rule {self.rule}: all must know the same"
            raise OptionError("gossip.steps", self.steps, rule)
        most = (topology.n - (1 if self.rule == "trimmed_mean" else 3)) // 2
        if self.rule in ("trimmed_mean", "krum") and self.max_attackers > most:
            rule = f"must be at most {most} for {self.rule} of {topology.n} peers"
            raise OptionError("gossip.max_attackers", self.max_attackers, rule)

    def note_attackers(self, topology: Topology, attackers: NDArray[np.bool_]) -> str | None:
        counted = self.rule in ("trimmed_mean", "krum")
        count, most = int(attackers.sum()), self.max_attackers if counted else (topology.n - 1) // 2
        if self.rule == "mean" or count <= most:
            return None
        return f"{count} peers attack, and {self.rule} assumes at most {most}: nothing is known of what it does then"

    def mixing_summary(self, topology: Topology, plain: float | None) -> dict[str, Any]:
        """As for any gossip, and `exact_after`: rounds until all peers know an update."""
        exact_after = -(-diameter(topology.weights(0)) // self.steps)
        return {**super().mixing_summary(topology, plain), "exact_after": exact_after}

    def init(self, x: NDArray) -> FloodState:
        return FloodState(np.zeros((len(x), 0, 0), x.dtype))

    def __call__(self, x: NDArray, state: FloodState, channel: Channel) -> tuple[NDArray, FloodState]:
        """Mix; raises ValueError unless `channel.update` has the local steps' update."""
        update, communicator = channel.update, channel.communicator
        if update is None:
            raise ValueError("flood sends the coefficients of local steps: its channel must have an update")
        n, count, block = communicator.peers, update.coefficients.shape[1], np.asarray(communicator.block)
        hops, senders = (values[block] for values in routes(channel.weights))
        table = state.table if state.table.size else np.zeros((len(block), n, count), update.coefficients.dtype)
        table[np.arange(len(block)), block] = _sent(update.coefficients, channel)
        for _ in range(self.steps):
            peers, received = communicator.receive(channel.weights, table.reshape(len(block), -1).view(np.uint8))
            received = received.view(table.dtype).reshape(len(peers), n, count)
            table = received[np.searchsorted(peers, senders), np.arange(n)]
        np.copyto(x, update.base)
        if self.rule != "mean":
            agreed = center(self.rule, table[0], self.max_attackers)  # all rows of the table are the same
            x += np.matmul(agreed, update.directions(channel.stream.round, range(1))[0])
            return x, FloodState(table)
        delays = np.where(hops > 0, -(-hops // self.steps) - 1, 0)
        longest = int(diameter(channel.weights) - 1) // self.steps
        for delay in range(min(longest, channel.stream.round) + 1):
            arrived = np.where((delays == delay)[:, :, None], table, 0) / table.dtype.type(n)
            _replay(x, arrived, update, channel.stream.round - delay)
        return x, FloodState(table)


def _sent(coefficients: NDArray, channel: Channel) -> NDArray:
    """The coefficients (peers, K · q) that the block's peers send, with those that attackers forge."""
    attackers = channel.attackers
    if attackers is None:
        return coefficients
    scalars = channel.communicator.gather(coefficients)
    stream = replace(channel.stream, purpose=f"{channel.stream.purpose}: attack", peers=np.flatnonzero(attackers.mask))
    scalars[attackers.mask] = attackers.adversary.forge_scalars(scalars, attackers.mask, stream)
    return scalars[np.asarray(channel.communicator.block)]


def _replay(x: NDArray, coefficients: NDArray, update: LocalUpdate, round: int) -> None:
    """Add to x (peers, dim) the updates of all peers in a round, from their coefficients (peers, n, K · q)."""
    peers, n, count = coefficients.shape
    for low in range(0, n, _SOURCES):  # the same chunks on every rank, so the same sums
        sources = range(low, min(low + _SOURCES, n))
        directions = update.directions(round, sources).reshape(len(sources) * count, -1)
        rows = coefficients[:, low : sources.stop].reshape(peers, 1, -1)
        x += np.matmul(rows, directions[None])[:, 0]  # a product for each peer: no peer's bits depend on another


@cache_by_id
def routes(W: csr_array) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Distances in links between peers, and the neighbour from which a peer receives another's coefficients.

    Returns:
        Both (n, n), row i for receiver i. A peer is its own neighbour here.
    """
    hears = (abs(W) > 0).astype(float)
    distance, before = shortest_path(hears.T, unweighted=True, return_predecessors=True)  # from j, along what is sent
    senders = before.T.copy()
    np.fill_diagonal(senders, np.arange(len(senders)))
    return distance.T.astype(np.int32), senders.astype(np.int32)


def diameter(W: csr_array) -> int:
    """The longest of all shortest paths between two peers, in links."""
    return int(routes(W)[0].max())


def center(rule: ScalarRule, scalars: NDArray, f: int) -> NDArray:
    """A robust mean of the scalars of n peers, of which at most f attack.

    Args:
        rule: "trimmed_mean" (without the f largest and f smallest of each number: within the honest numbers' range) or
            "median", each number by itself; "krum" or "geometric_median", of rows, which are sketches of gradients.
        scalars: shape (n, c).
        f: at least 0; only "trimmed_mean" and "krum" use it.

    Returns:
        Shape (c,), in the type of the scalars.
    """
    n, values = len(scalars), scalars.astype(np.float64)
    if rule == "mean":
        result = values.mean(axis=0)
    elif rule == "trimmed_mean":
        result = np.sort(values, axis=0)[f : n - f].mean(axis=0)
    elif rule == "median":
        result = np.median(values, axis=0)
    elif rule == "krum":
        from scipy.spatial.distance import cdist  # which takes a while to load

        nearest = np.partition(cdist(values, values, "sqeuclidean"), n - f - 2, axis=1)[:, : n - f - 1]
        result = values[nearest.sum(axis=1).argmin()]
    else:
        result = np.median(values, axis=0)
        least = _NU * np.median(np.linalg.norm(values - result, axis=1)) + np.finfo(np.float64).tiny
        for _ in range(_ITERATIONS):
            weights = 1 / np.maximum(least, np.linalg.norm(values - result, axis=1))
            result = weights @ values / weights.sum()
    return result.astype(scalars.dtype)
