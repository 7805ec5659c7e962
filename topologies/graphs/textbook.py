"""Graphs of n peers, one function a graph, in the manner of networkx: peers 0..n-1 in order, undirected, connected.

The commonest are written here. Others stand by kind in `layered_graphs`, `circulant_graphs`, `expanders`,
`clustered_graphs`, `random_graphs` and `real_graphs`; those with one-way edges in `directed_graphs`. Gaps in the
docstrings are those of Metropolis weights (`topologies.weights.rules.metropolis`).
"""

from collections.abc import Iterable
from itertools import pairwise

import networkx as nx

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.building import TWO, build, build_directed, either, sides
from dfedsam.topologies.graphs.random import (
    barabasi_albert,
    erdos_renyi,
    random_geometric,
    random_regular,
    watts_strogatz,
)
from dfedsam.topologies.normalize import components, normalize_graph
from dfedsam.validation import whole_number

__all__ = [
    "barabasi_albert",
    "complete",
    "erdos_renyi",
    "exponential",
    "from_edges",
    "grid",
    "hypercube",
    "path",
    "random_geometric",
    "random_regular",
    "ring",
    "star",
    "torus",
    "watts_strogatz",
]


def ring(n: int) -> nx.Graph:
    """A ring: peer i is joined to i - 1 and i + 1, modulo n. Gap (4/3) sin²(π/n) for n ≥ 4.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole_number("peers", n, 2, TWO)
    return build("ring", n, ((i, (i + 1) % n) for i in range(n)))


def path(n: int) -> nx.Graph:
    """A line of peers: i is joined to i + 1. Gap (4/3) sin²(π/2n) for n ≥ 3.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole_number("peers", n, 2, TWO)
    return build("path", n, pairwise(range(n)))


def grid(n: int, rows: int | None = None) -> nx.Graph:
    """A rectangle of peers, each joined to those above, below, left and right of it.

    Peer r · columns + c stands at row r, column c.

    Args:
        n: Number of peers, a product of two sides of at least 2 each.
        rows: Number of rows; None takes the rectangle nearest to a square (with no more rows than columns).

    Raises:
        ValueError: if n has no such sides, for instance if it is prime (the message says which sizes nearby do), or if
            rows does not divide n.
    """
    rows, columns = sides("grid", n, rows, least=2)
    right = ((i, i + 1) for i in range(rows * columns) if (i + 1) % columns)
    down = ((i, i + columns) for i in range((rows - 1) * columns))
    return build("grid", rows * columns, (*right, *down), rows=rows, columns=columns)


def torus(n: int, rows: int | None = None) -> nx.Graph:
    """A grid whose opposite borders are joined: every peer has four neighbours. Gap (2/5)(1 - cos(2π/longer side)).

    Args:
        n: Number of peers, a product of two sides of at least 3 each.
        rows: Number of rows; None takes the torus nearest to a square (with no more rows than columns).

    Raises:
        ValueError: if n has no such sides (the message says which sizes nearby do), or if rows does not divide n.
    """
    rows, columns = sides("torus", n, rows, least=3)
    right = ((r * columns + c, r * columns + (c + 1) % columns) for r in range(rows) for c in range(columns))
    down = ((r * columns + c, (r + 1) % rows * columns + c) for r in range(rows) for c in range(columns))
    return build("torus", rows * columns, (*right, *down), rows=rows, columns=columns)


def star(n: int) -> nx.Graph:
    """Peer 0 joined to all others, which have no other neighbour. Gap 1/n.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole_number("peers", n, 2, TWO)
    return build("star", n, ((0, i) for i in range(1, n)))


def complete(n: int) -> nx.Graph:
    """Every peer joined to every other: W = 11ᵀ/n, gap 1.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole_number("peers", n, 2, TWO)
    return build("complete", n, ((i, j) for i in range(n) for j in range(i + 1, n)))


def hypercube(n: int) -> nx.Graph:
    """Peers joined where their numbers differ in one binary digit. With n = 2^k the gap is 2/(k + 1).

    Args:
        n: Number of peers, a power of two, at least 2.

    Raises:
        ValueError: if n is not a power of two (the message gives the nearest two).
    """
    n = whole_number("peers", n, 2, TWO)
    if n & (n - 1):
        power = 1 << (n.bit_length() - 1)
        hint = f"use {either((power, 2 * power))}"
        raise OptionError("peers", n, "must be a power of two for a hypercube", hint)
    digits = [1 << k for k in range(n.bit_length() - 1)]
    return build("hypercube", n, ((i, i | d) for i in range(n) for d in digits if not i & d))


def exponential(n: int) -> nx.Graph:
    """Peers joined at the distances 1, 2, 4, … below n around a ring.

    About 2 log₂ n neighbours each, and a gap that falls like 1/log n. The undirected form of the static exponential
    graph (Ying et al. 2021, arXiv 2110.13363), which sends along i → i + 2^j only (`directed_exponential`).

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole_number("peers", n, 2, TWO)
    offsets = [1 << j for j in range((n - 1).bit_length())]
    return build("exponential", n, ((i, (i + offset) % n) for i in range(n) for offset in offsets))


def from_edges(n: int, edges: Iterable[Iterable[int]], directed: bool = False) -> nx.Graph:
    """The graph with exactly these edges.

    Args:
        n: Number of peers, at least 2.
        edges: Pairs of peers, each in 0..n-1.
        directed: Whether an edge leads from its first peer, the sender, to its second alone.

    Raises:
        ValueError: if an edge is not a pair of two different peers, or the graph is not connected.
    """
    n = whole_number("peers", n, 2, TWO)
    pairs: list[tuple[int, int]] = []
    for edge in edges:
        ends = list(edge)
        if len(ends) != 2 or not all(isinstance(i, int) and 0 <= i < n for i in ends):
            raise OptionError("edges", ends, f"must be pairs of peers from 0 to {n - 1}", "mend this edge")
        pairs.append((ends[0], ends[1]))
    graph = normalize_graph((build_directed if directed else build)("from_edges", n, pairs))
    apart = len(components(graph))
    if apart > 1:
        raise ValueError(f"edges leave the {n} peers in {apart} parts: the graph must be connected; add edges")
    return graph
