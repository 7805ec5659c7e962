"""Flooding: peers pass on the scalars of zeroth-order steps, and replay everyone's directions from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from dfedsam.gossip.base import Gossip
from dfedsam.topologies import cache_by_id
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology

MOST = 4096  # peers: every peer keeps the last scalars of every other
_SOURCES = 64  # peers whose directions are replayed at a time


@dataclass(frozen=True, kw_only=True)
class Flood(Gossip):
    """x_i ← x_i + (1/n) Σ_j of what peer j's local steps did in the last round that has reached i.

    Every peer keeps the newest scalars it knows of each other one and sends them to its neighbours: n · K · q numbers
    along every edge, whatever the length of x. What peer j did reaches i after as many gossip steps as links lie
    between them, and i replays j's directions from the seed. So all peers follow the exact average of all steps, each
    delayed by distance; once the steps end, all agree after a diameter of rounds. The mixing weights do not matter,
    only the links. Source: SeedFlood (2026, arXiv 2602.18181).

    Args:
        steps: Q, links that scalars travel a round, at least 1.
    """

    sends_coefficients: ClassVar[bool] = True

    steps: int = 1

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 1, "LocalOnly is the algorithm without communication")

    def check(self, topology: Topology) -> None:
        """See Gossip: the same links in all rounds, and not too many peers.

        Raises:
            ValueError: if the links change, or peers exceed MOST.
        """
        if topology.period != 1:
            raise ValueError(
                "gossip is Flood: it needs the same links in all rounds, but this topology's change; choose the gossip "
                "plain, or a static graph"
            )
        if topology.n > MOST:
            raise ValueError(
                f"gossip is Flood: every peer keeps scalars of all others, so there may be {MOST} at most; choose plain"
            )

    def mixing(self, topology: Topology, plain: float | None) -> dict[str, Any]:
        """See Gossip; and `exact_after`, rounds until what a peer did is known to all."""
        return {**super().mixing(topology, plain), "exact_after": -(-diameter(topology.weights(0)) // self.steps)}

    def __call__(self, x: NDArray, memory: dict[str, NDArray], channel: Channel) -> tuple[NDArray, dict[str, NDArray]]:
        """See the class; `channel.update` says what the local steps did."""
        communicator, weights, key, update = channel.communicator, channel.weights, channel.stream, channel.update
        if update is None:
            raise ValueError("gossip is Flood: it carries the scalars of local steps, and nothing else; choose plain")
        n, count = communicator.peers, update.coefficients.shape[1]
        mine = np.asarray(communicator.block)
        hops, towards = (figure[mine] for figure in routes(weights))
        table = memory.get("table")
        table = np.zeros((len(mine), n, count), update.coefficients.dtype) if table is None else table
        table[np.arange(len(mine)), mine] = update.coefficients
        for _ in range(self.steps):
            peers, known = communicator.receive(weights, table.reshape(len(mine), -1).view(np.uint8))
            known = known.view(table.dtype).reshape(len(peers), n, count)
            table = known[np.searchsorted(peers, towards), np.arange(n)]
        np.copyto(x, update.base)
        delays = np.where(hops > 0, -(-hops // self.steps) - 1, 0)
        for delay in range(min(int(diameter(weights) - 1) // self.steps, key.round) + 1):
            heard = np.where((delays == delay)[:, :, None], table, 0) / table.dtype.type(n)
            for low in range(0, n, _SOURCES):  # the same cuts on every rank: the same sums
                some = range(low, min(low + _SOURCES, n))
                moved = update.directions(key.round - delay, some).reshape(len(some) * count, -1)
                parts = heard[:, low : some.stop].reshape(len(mine), 1, -1)
                x += np.matmul(parts, moved[None])[:, 0]  # a product a peer: no peer's bits depend on another
        return x, {"table": table}


@cache_by_id
def routes(W: csr_array) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Links between peers, and the neighbour through which each hears of another: both (n, n), row i for peer i.

    A peer hears of itself through itself.
    """
    hears = (abs(W) > 0).astype(float)
    distance, before = shortest_path(hears.T, unweighted=True, return_predecessors=True)  # from j, along what is sent
    towards = before.T.copy()
    np.fill_diagonal(towards, np.arange(len(towards)))
    return distance.T.astype(np.int32), towards.astype(np.int32)


def diameter(W: csr_array) -> int:
    """The longest of all shortest ways between two peers, in links."""
    return int(routes(W)[0].max())
