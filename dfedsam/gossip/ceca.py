"""CECA: the exact mean of any number of peers in ⌈log₂ n⌉ exchanges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.base import Gossip, GossipState
from dfedsam.topologies.matrices import circulant
from dfedsam.topologies.schedules.one_peer import ceca_exchanges

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Ceca(Gossip[GossipState]):
    """x_i ← the mean of all x, by ⌈log₂ n⌉ exchanges along the links of the topology `ceca`.

    In an exchange each peer sends one vector and receives one, and adds it to the sum of the peers before it, which it
    stores separately from its own vector (`topologies.schedules.one_peer`). A phase sends n ⌈log₂ n⌉ vectors. Source:
    Ding, Jin, Ying, Yuan and Yin (2023), "DSGD-CECA: decentralized SGD with communication-optimal exact consensus
    algorithm", arXiv 2306.00256. Unlike in the paper, all exchanges belong to one phase; the paper has gradient steps
    between them, so that x is averaged over a period of rounds, here in every round.
    """

    instead = "choose the topology ceca"

    def check(self, topology: Topology) -> None:
        super().check(topology)
        offsets = sorted({exchange.offset for exchange in ceca_exchanges(topology.n)})
        support, peers = topology.support(), np.arange(topology.n)
        static = topology.period == 1
        if not static or (
            support is not None and not all(support[peers, (peers - offset) % topology.n].all() for offset in offsets)
        ):
            rule = f"must have links to each peer, in all rounds, from those {', '.join(map(str, offsets))} before it"
            raise OptionError("gossip", "ceca", rule, self.instead)

    def __call__(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray, GossipState]:
        n = len(channel.weights.indptr) - 1
        others, received = np.zeros_like(x), np.empty_like(x)
        for offset, adds_own in ceca_exchanges(n):
            message = others + x if adds_own else others
            others = others + channel.communicator.mix(_shift(n, offset), message, out=received)
        x += others
        x /= n
        return x, state

    def contraction_factor(self, topology: Topology, plain: float | None) -> float | None:
        """0: every peer holds the mean."""
        return 0.0


@lru_cache(maxsize=64)
def _shift(n: int, offset: int) -> csr_array:
    """The permutation that gives each peer the row of the peer at this offset before it, shape (n, n)."""
    shift = circulant(n, [offset], 1.0)
    shift.eliminate_zeros()
    return shift
