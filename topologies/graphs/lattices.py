"""Lattices: grids, tori, hypercubes, and graphs that look the same from every peer of a ring, directed ones too.

In a directed graph an edge leads from sender to receiver. Its default weights are those of push-sum, 1/(1 +
d_out); where every peer sends to as many as it hears they are doubly stochastic, and plain gossip keeps the mean too.
Gaps in docstrings are those of Metropolis weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import whole_number
from dfedsam.topologies.graph import Graph
from dfedsam.topologies.graphs.helpers import Edges, either, even_neighbours, graph, of_edges, require_memory, sides


@graph()
def grid(n: int, rows: int | None = None) -> Graph:
    """A rectangle of peers, each joined to those above, below, left and right of it.

    Peer r · columns + c stands at row r, column c.

    Args:
        n: number of peers, a product of two sides of at least 2 each.
        rows: number of rows; None takes the rectangle nearest to a square (with no more rows than columns).

    >>> sorted(grid(6).neighbors(4))
    [1, 3, 5]
    """
    rows, columns = sides("grid", n, rows, least=2)
    peers = np.arange(n).reshape(rows, columns)
    right = peers[:, :-1].ravel()
    return _rectangle("grid", [right, right + 1], [peers[:-1].ravel(), peers[1:].ravel()], rows, columns)


@graph()
def torus(n: int, rows: int | None = None) -> Graph:
    """A grid whose opposite borders are joined: every peer has four neighbours. Gap (2/5)(1 - cos(2π/longer side)).

    Args:
        n: number of peers, a product of two sides of at least 3 each.
        rows: number of rows; None takes the torus nearest to a square (with no more rows than columns).
    """
    rows, columns = sides("torus", n, rows, least=3)
    peers = np.arange(n).reshape(rows, columns)
    right, down = (np.roll(peers, -1, axis).ravel() for axis in (1, 0))
    return _rectangle("torus", [peers.ravel(), right], [peers.ravel(), down], rows, columns)


@graph()
def hypercube(n: int) -> Edges:
    """Peers joined where their numbers differ in one binary digit: n is a power of two, 2^k, and the gap 2/(k + 1)."""
    if n & (n - 1):
        power = 1 << (n.bit_length() - 1)
        hint = f"use {either((power, 2 * power))}"
        raise OptionError("peers", n, "must be a power of two for a hypercube", hint)
    peers, digits = np.arange(n)[:, None], 1 << np.arange(n.bit_length() - 1)
    lower = (peers & digits) == 0
    return np.column_stack([np.repeat(peers, lower.sum(axis=1)), (peers | digits)[lower]])


@graph()
def exponential(n: int) -> Edges:
    """Peers joined at the distances 1, 2, 4, … below n around a ring.

    About 2 log₂ n neighbours each, and a gap that falls like 1/log n. The undirected form of the static exponential
    graph (Ying et al. 2021, arXiv 2110.13363), which sends along i → i + 2^j only (`directed_exponential`).
    """
    return _chords(n, _powers_of_two(n))


@graph(directed=True)
def directed_ring(n: int) -> Edges:
    """A ring with one direction: peer i sends to i + 1, modulo n. ‖W - J‖₂ = ρ(W - J) = cos(π/n)."""
    return _chords(n, [1])


@graph(directed=True)
def directed_exponential(n: int) -> Edges:
    """The static exponential graph: peer i sends to i + 1, i + 2, i + 4, …, i + 2^{τ-1}, modulo n, with τ = ⌈log₂ n⌉.

    All weights are 1/(τ + 1). For an even n, ‖W - J‖₂ = ρ(W - J) = (τ - 1)/(τ + 1); for an odd one they are smaller.
    Source: Ying et al. (2021), "Exponential graph is provably efficient for decentralized deep training".
    """
    return _chords(n, _powers_of_two(n))


@graph()
def ring_lattice(n: int, neighbours: int = 4) -> Edges:
    """A ring on which each peer is joined to its k nearest, half of them on each side.

    λ₂ = sin((k + 1)π/n) / ((k + 1) sin(π/n)), with k neighbours.

    Args:
        n: number of peers, at least 3.
        neighbours: neighbours of each peer: even, at least 2, below n.
    """
    return _chords(n, range(1, even_neighbours(neighbours, n) // 2 + 1))


@graph()
def circulant(n: int, offsets: tuple[int, ...] = (1, 2)) -> Edges:
    """Each peer is joined to those at the given distances, on both of its sides around a ring.

    With s over the different ±offsets modulo n, d of them, the eigenvalues are λ_k = (1 + Σ_s e^{2πi k s/n})/(d + 1),
    k = 0, …, n - 1.

    Args:
        n: number of peers, at least 2.
        offsets: distances around the ring, no multiples of n; the graph is connected where they and n have no common
            divisor.
    """
    distances: tuple[Any, ...] = tuple(offsets)
    for offset in distances:
        if not isinstance(offset, int) or isinstance(offset, bool) or offset % n == 0:
            rule = f"must be whole numbers that are no multiples of {n}, the number of peers"
            raise OptionError("offsets", list(distances), rule, "the smallest is 1")
    common = gcd(n, *distances)
    if common > 1:
        rule = f"must leave the {n} peers connected, but all are multiples of {common}, as is {n}"
        raise OptionError("offsets", list(distances), rule, "add the offset 1")
    require_memory(n, n * len(distances))
    return _chords(n, distances)


@graph(least=6, hint="the usual is 16")
def chordal_ring(n: int, chord: int | None = None) -> Edges:
    """A ring on which every odd peer i is joined to i + chord too: three neighbours, and a diameter of about √n.

    With m = n/2, the eigenvalues are (1 ± |1 + ω^k + ω^{k(chord + 1)/2}|)/4, ω = e^{2πi/m}, k = 0, …, m - 1. Source:
    Arden and Lee (1981), "Analysis of chordal ring network".

    Args:
        n: number of peers, even, at least 6.
        chord: odd, from 3 to n - 3; None takes the odd number next to √n.
    """
    if n % 2:
        raise OptionError("peers", n, "must be even for a chordal ring", f"use {n - 1} or {n + 1}")
    if chord is None:
        chord = max(3, 2 * int(n**0.5 / 2) + 1)
    elif whole_number("chord", chord, 3, "take an odd number near √n") > n - 3 or chord % 2 == 0:
        raise OptionError("chord", chord, f"must be odd and at most {n - 3}", "take an odd number near √n")
    odd = np.arange(1, n, 2)
    return np.concatenate([_chords(n, [1]), np.column_stack([odd, (odd + chord) % n])])


def _rectangle(
    name: str, right: list[NDArray[np.int64]], down: list[NDArray[np.int64]], rows: int, columns: int
) -> Graph:
    edges = np.concatenate([np.column_stack(right), np.column_stack(down)])
    rectangle = of_edges(name, rows * columns, edges)
    rectangle.facts.update(rows=rows, columns=columns)
    return rectangle


def _powers_of_two(n: int) -> list[int]:
    """1, 2, 4, … below n."""
    return [1 << j for j in range((n - 1).bit_length())]


def _chords(n: int, offsets: Iterable[int]) -> NDArray[np.int64]:
    """The edges (i, i + offset modulo n), shape (n · offsets, 2), peer after peer."""
    shifts = np.array(list(offsets), dtype=np.int64)
    i = np.arange(n)[:, None]
    return np.column_stack([np.repeat(i, len(shifts)), ((i + shifts) % n).ravel()])
