"""Graphs that look the same from every peer of a ring, and one that does so from every other: lattices with chords.

Gaps in the docstrings are those of Metropolis weights.
"""

from math import gcd

import networkx as nx

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.building import TWO, build
from dfedsam.topologies.graphs.redraw import below
from dfedsam.validation import whole_number


def ring_lattice(n: int, neighbours: int = 4) -> nx.Graph:
    """A ring on which each peer is joined to its k nearest, half of them on each side.

    λ₂ = sin((k + 1)π/n) / ((k + 1) sin(π/n)), with k neighbours.

    Args:
        n: Number of peers, at least 3.
        neighbours: Neighbours of each peer: even, at least 2, below n.

    Raises:
        ValueError: if n is below 2 or neighbours does not fit.
    """
    n, neighbours = whole_number("peers", n, 2, TWO), whole_number("neighbours", neighbours, 2, "the usual is 4")
    if neighbours % 2:
        raise OptionError("neighbours", neighbours, "must be even, half on each side", f"use {neighbours - 1}")
    below("neighbours", neighbours, n)
    return build("ring_lattice", n, _chords(n, range(1, neighbours // 2 + 1)))


def circulant(n: int, offsets: tuple[int, ...] = (1, 2)) -> nx.Graph:
    """Each peer is joined to those at the given distances, on both of its sides around a ring.

    With s over the different ±offsets modulo n, d of them, the eigenvalues are λ_k = (1 + Σ_s e^{2πi k s/n})/(d + 1),
    k = 0, …, n - 1.

    Args:
        n: Number of peers, at least 2.
        offsets: Distances around the ring, not multiples of n; the graph is connected where they and n have no common
            divisor.

    Raises:
        ValueError: if n is below 2, or the offsets do not fit.
    """
    n = whole_number("peers", n, 2, TWO)
    offsets = tuple(offsets)
    for offset in offsets:
        if not isinstance(offset, int) or isinstance(offset, bool) or offset % n == 0:
            rule = f"must be whole numbers that are no multiples of {n}, the number of peers"
            raise OptionError("offsets", list(offsets), rule, "the smallest is 1")
    common = gcd(n, *offsets)
    if common > 1:
        rule = f"must leave the {n} peers connected, but all are multiples of {common}, as is {n}"
        raise OptionError("offsets", list(offsets), rule, "add the offset 1")
    return build("circulant", n, _chords(n, offsets))


def chordal_ring(n: int, chord: int | None = None) -> nx.Graph:
    """A ring on which every odd peer i is joined to i + chord too: three neighbours, and a diameter of about √n.

    With m = n/2, the eigenvalues are (1 ± |1 + ω^k + ω^{k(chord + 1)/2}|)/4, ω = e^{2πi/m}, k = 0, …, m - 1. Source:
    Arden and Lee (1981), "Analysis of chordal ring network".

    Args:
        n: Number of peers, even, at least 6.
        chord: Odd, from 3 to n - 3; None takes the odd number next to √n.

    Raises:
        ValueError: if n or chord does not fit.
    """
    n = whole_number("peers", n, 6, "the usual is 16")
    if n % 2:
        raise OptionError("peers", n, "must be even for a chordal ring", f"use {n - 1} or {n + 1}")
    if chord is None:
        chord = max(3, 2 * int(n**0.5 / 2) + 1)
    elif whole_number("chord", chord, 3, "take an odd number near √n") > n - 3 or chord % 2 == 0:
        raise OptionError("chord", chord, f"must be odd and at most {n - 3}", "take an odd number near √n")
    ring = [(i, (i + 1) % n) for i in range(n)]
    return build("chordal_ring", n, ring + [(i, (i + chord) % n) for i in range(1, n, 2)])


def _chords(n: int, offsets: tuple[int, ...] | range) -> list[tuple[int, int]]:
    return [(i, (i + offset) % n) for i in range(n) for offset in offsets]
