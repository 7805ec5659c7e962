"""Schedules in which every peer has one partner a round: along the edges of a well-known graph, one set at a time."""

from __future__ import annotations

from itertools import product

import numpy as np

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.helpers import checked_peers
from dfedsam.topologies.graphs.lattices import grid
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

    Raises:
        OptionError: if n is below 2.
    """
    n = checked_peers(n)
    rounds = (n - 1).bit_length()
    return Periodic([circulant(n, [1 << t], 0.5) for t in range(rounds)], directed=True)


def one_peer_hypercube(n: int) -> Topology:
    """Peers whose numbers differ in binary digit t take the mean of both in round t: exact after log₂ n rounds.

    The hyper-hypercube of degree 1; n vectors a round.

    Args:
        n: number of peers, a power of two, at least 2.

    Raises:
        OptionError: if n is not a power of two (the message gives the nearest two).
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

    Raises:
        OptionError: if n is below 2.
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

    Raises:
        OptionError: as `topologies.grid` raises it.
    """
    facts = grid(n, rows).graph
    peers = np.arange(n).reshape(facts["rows"], facts["columns"])
    matrices = []
    for lines, start in product((peers.T, peers), (0, 1)):  # across columns, then across rows
        one, other = lines[start:-1:2], lines[start + 1 :: 2]
        if one.size:
            matrices.append(from_pairs(n, one.ravel(), other.ravel(), 0.5))
    return Periodic(matrices)
