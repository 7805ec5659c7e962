"""CECA: the exact mean of any number of peers in ⌈log₂ n⌉ exchanges, in each of which a peer sends one vector.

Source: Ding, Jin, Ying, Yuan and Yin (2023), "DSGD-CECA: decentralized SGD with communication-optimal exact consensus
algorithm", arXiv 2306.00256. No product of ⌈log₂ n⌉ matrices with one neighbour each does this for every n: a peer also
stores the sum of others' vectors separately from its own. So the exchanges belong to a gossip, `ceca`, and the topology
of that name only defines which peers are joined.
"""

from __future__ import annotations

from typing import NamedTuple

from dfedsam.topologies.graphs.helpers import checked_peers
from dfedsam.topologies.matrices import circulant
from dfedsam.topologies.schedule import Periodic
from dfedsam.topologies.topology import Topology


class Exchange(NamedTuple):
    """One exchange: peer i receives the message of peer i - offset, modulo n.

    Attributes:
        offset: from 1 to n - 1.
        adds_own: whether the message is the sender's sum of others plus its own vector, not that sum alone.
    """

    offset: int
    adds_own: bool


def ceca_exchanges(n: int) -> list[Exchange]:
    """The ⌈log₂ n⌉ exchanges after which each peer knows the sum of all others.

    Let v_i be the sum of the k peers before i; at first k = 0. For each binary digit r of n - 1, the highest first,
    v_i ← v_i + v_{i-k} where r = 0, v_i ← v_i + (v + x)_{i-k-1} where r = 1, and k ← 2k + r. At the end k = n - 1.

    Args:
        n: number of peers, at least 2.
    """
    exchanges, k = [], 0
    for digit in f"{n - 1:b}":
        r = int(digit)
        exchanges.append(Exchange(k + r, bool(r)))
        k = 2 * k + r
    return exchanges


def ceca(n: int) -> Topology:
    """The links of CECA: every peer receives from those that precede it by the offsets of the exchanges; directed.

    W has equal weights and is doubly stochastic, for other gossips; the gossip `ceca` makes the exact mean along the
    same links, with ⌈log₂ n⌉ vectors a peer. The offsets are as many, or one less: where n - 1 begins with the binary
    digits 10, the first two exchanges have the offset 1.

    Args:
        n: number of peers, at least 2.

    Raises:
        OptionError: if n is below 2.

    Examples:
        >>> from dfedsam.topologies import ceca, spectrum
        >>> spectrum(ceca(25))["degree_max"]
        5
    """
    n = checked_peers(n)
    offsets = sorted({exchange.offset for exchange in ceca_exchanges(n)})
    return Periodic([circulant(n, offsets, 1 / (len(offsets) + 1))], directed=True)
