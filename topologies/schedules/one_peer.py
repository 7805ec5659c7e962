"""Schedules in which every peer has one partner a round, along the edges of a well-known graph; and CECA's links.

CECA is the exact mean of any number of peers in ⌈log₂ n⌉ exchanges, in each of which a peer sends one vector: Ding,
Jin, Ying, Yuan and Yin (2023), "DSGD-CECA: decentralized SGD with communication-optimal exact consensus algorithm",
arXiv 2306.00256. No product of ⌈log₂ n⌉ matrices with one neighbour each does this for every n: a peer also stores the
sum of others' vectors separately from its own. So the exchanges belong to a gossip, `ceca`, and the topology of that
name only defines which peers are joined.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from dfedsam.errors import OptionError
from dfedsam.options import whole_number
from dfedsam.topologies.graphs.helpers import checked_peers, sides
from dfedsam.topologies.matrices import circulant, from_pairs
from dfedsam.topologies.schedule import Periodic
from dfedsam.topologies.schedules.finite_time import hyper_hypercube
from dfedsam.topologies.topology import Topology


def one_peer_exponential(n: int) -> Topology:
    """Every peer hears the one 2^{t mod τ} before it and takes the mean of both, τ = ⌈log₂ n⌉.

    W_t = ½(I + P^{2^{t mod τ}}), directed and doubly stochastic. With n a power of two, τ rounds give the exact mean;
    otherwise they leave a residual, which further periods shrink. n vectors a round. Source: Assran et al. (2019),
    "Stochastic gradient push for distributed deep learning"; Ying et al. (2021), arXiv 2110.13363.

    Args:
        n: number of peers, at least 2.
    """
    n = checked_peers(n)
    rounds = (n - 1).bit_length()
    return Periodic([circulant(n, [1 << t], 0.5) for t in range(rounds)], directed=True)


def one_peer_hypercube(n: int) -> Topology:
    """Peers whose numbers differ in binary digit t take the mean of both in round t: exact after log₂ n rounds.

    The hyper-hypercube of degree 1; n vectors a round.

    Args:
        n: number of peers, a power of two, at least 2.
    """
    n = checked_peers(n)
    if n & (n - 1):
        below = 1 << n.bit_length() - 1
        raise OptionError("peers", n, "must be a power of two", f"use {below} or {2 * below}, or base for any number")
    return hyper_hypercube(n, degree=1)


def one_peer_ring(n: int) -> Topology:
    """Each peer of a ring meets one neighbour after the other, and both take the mean.

    Two rounds a period, for an odd n three: in the last one only peers n - 1 and 0 meet.

    Args:
        n: number of peers, at least 2.
    """
    n = checked_peers(n)
    line = np.arange(n)
    even = [line[::2], line[1::2]][: n - 1]  # two peers make one pair
    firsts = [line[:-1:2], line[1::2], line[-1:]] if n % 2 else even
    return Periodic([from_pairs(n, i, (i + 1) % n, 0.5) for i in firsts])


def one_peer_grid(n: int, rows: int | None = None) -> Topology:
    """Each peer of a grid meets its right, left, lower and upper neighbour one after another, and both take the mean.

    Four rounds a period: a side of two peers saves one of them.

    Args:
        n: number of peers, a product of two sides of at least 2 each.
        rows: number of rows; None takes the rectangle nearest to a square (with no more rows than columns).
    """
    rows, columns = sides("grid", whole_number("peers", n, 2, "give two or more peers"), rows, least=2)
    peers = np.arange(n).reshape(rows, columns)
    matrices = []
    for lines, start in product((peers.T, peers), (0, 1)):  # across columns, then across rows
        one, other = lines[start:-1:2], lines[start + 1 :: 2]
        if one.size:
            matrices.append(from_pairs(n, one.ravel(), other.ravel(), 0.5))
    return Periodic(matrices)


class Exchange(NamedTuple):
    """One exchange: peer i receives the message of peer i - offset, modulo n: the sender's sum of others.

    With `adds_own` the sender's own vector is added to it.
    """

    offset: int
    adds_own: bool


def ceca_exchanges(n: int) -> list[Exchange]:
    """The ⌈log₂ n⌉ exchanges after which each peer knows the sum of all others.

    Let v_i be the sum of the k peers before i; at first k = 0. For each binary digit r of n - 1, the highest first,
    v_i ← v_i + v_{i-k} where r = 0, v_i ← v_i + (v + x)_{i-k-1} where r = 1, and k ← 2k + r. At the end k = n - 1.
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

    Examples:
        >>> from dfedsam.topologies import ceca, spectrum
        >>> spectrum(ceca(25))["degree_max"]
        5
    """
    n = checked_peers(n)
    offsets = sorted({exchange.offset for exchange in ceca_exchanges(n)})
    return Periodic([circulant(n, offsets, 1 / (len(offsets) + 1))], directed=True)
