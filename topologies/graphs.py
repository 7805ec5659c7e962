"""Graphs of n peers, one function a graph, in the manner of networkx: peers 0..n-1 in order, undirected, connected.

The fixed graphs are written here; the random ones stand in `topologies.random_graphs` and are named here too. Gaps in
the docstrings are those of Metropolis weights (`topologies.weights.metropolis`).
"""

from collections.abc import Iterable
from itertools import pairwise

import networkx as nx

from topologies.checks import message, whole
from topologies.random_graphs import barabasi_albert, erdos_renyi, random_geometric, random_regular, watts_strogatz
from topologies.tidy import tidy

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

_TWO = "give two or more peers"


def ring(n: int) -> nx.Graph:
    """A ring: peer i is joined to i - 1 and i + 1, modulo n. Gap (4/3) sin²(π/n) for n ≥ 4.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole("peers", n, 2, _TWO)
    return _graph("ring", n, ((i, (i + 1) % n) for i in range(n)))


def path(n: int) -> nx.Graph:
    """A line of peers: i is joined to i + 1. Gap (4/3) sin²(π/2n) for n ≥ 3, the smallest of all graphs here.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole("peers", n, 2, _TWO)
    return _graph("path", n, pairwise(range(n)))


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
    rows, columns = _sides("grid", n, rows, least=2)
    right = ((i, i + 1) for i in range(rows * columns) if (i + 1) % columns)
    down = ((i, i + columns) for i in range((rows - 1) * columns))
    return _graph("grid", rows * columns, (*right, *down), rows=rows, columns=columns)


def torus(n: int, rows: int | None = None) -> nx.Graph:
    """A grid whose opposite borders are joined: every peer has four neighbours. Gap (2/5)(1 - cos(2π/longer side)).

    Args:
        n: Number of peers, a product of two sides of at least 3 each.
        rows: Number of rows; None takes the torus nearest to a square (with no more rows than columns).

    Raises:
        ValueError: if n has no such sides (the message says which sizes nearby do), or if rows does not divide n.
    """
    rows, columns = _sides("torus", n, rows, least=3)
    right = ((r * columns + c, r * columns + (c + 1) % columns) for r in range(rows) for c in range(columns))
    down = ((r * columns + c, (r + 1) % rows * columns + c) for r in range(rows) for c in range(columns))
    return _graph("torus", rows * columns, (*right, *down), rows=rows, columns=columns)


def star(n: int) -> nx.Graph:
    """Peer 0 joined to all others, which have no other neighbour. Gap 1/n.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole("peers", n, 2, _TWO)
    return _graph("star", n, ((0, i) for i in range(1, n)))


def complete(n: int) -> nx.Graph:
    """Every peer joined to every other: W = 11ᵀ/n, gap 1.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole("peers", n, 2, _TWO)
    return _graph("complete", n, ((i, j) for i in range(n) for j in range(i + 1, n)))


def hypercube(n: int) -> nx.Graph:
    """Peers joined where their numbers differ in one binary digit. With n = 2^k the gap is 2/(k + 1).

    Args:
        n: Number of peers, a power of two, at least 2.

    Raises:
        ValueError: if n is not a power of two (the message gives the nearest two).
    """
    n = whole("peers", n, 2, _TWO)
    if n & (n - 1):
        below = 1 << (n.bit_length() - 1)
        raise ValueError(message("peers", n, "must be a power of two for a hypercube", f"use {below} or {2 * below}"))
    digits = [1 << k for k in range(n.bit_length() - 1)]
    return _graph("hypercube", n, ((i, i | d) for i in range(n) for d in digits if not i & d))


def exponential(n: int) -> nx.Graph:
    """Peers joined at the distances 1, 2, 4, … below n around a ring: 2 log₂ n neighbours, a gap that falls like 1/log
    n.

    The undirected form of the static exponential graph (Ying et al. 2021, arXiv 2110.13363), which sends along i → i +
    2^j only.

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole("peers", n, 2, _TWO)
    offsets = [1 << j for j in range((n - 1).bit_length())]
    return _graph("exponential", n, ((i, (i + offset) % n) for i in range(n) for offset in offsets))


def from_edges(n: int, edges: Iterable[Iterable[int]], directed: bool = False) -> nx.Graph:
    """The graph with exactly these edges.

    Args:
        n: Number of peers, at least 2.
        edges: Pairs of peers, each in 0..n-1.
        directed: Whether an edge leads from its first peer, the sender, to its second alone.

    Raises:
        ValueError: if an edge is not a pair of two different peers, or the graph is not connected.
    """
    n = whole("peers", n, 2, _TWO)
    pairs: list[tuple[int, int]] = []
    for edge in edges:
        ends = list(edge)
        if len(ends) != 2 or not all(isinstance(i, int) and 0 <= i < n for i in ends):
            raise ValueError(message("edges", ends, f"must be pairs of peers from 0 to {n - 1}", "mend this edge"))
        pairs.append((ends[0], ends[1]))
    graph = nx.DiGraph(name="from_edges") if directed else nx.Graph(name="from_edges")
    graph.add_nodes_from(range(n))
    graph.add_edges_from(pairs)
    graph = tidy(graph)
    parts = nx.number_strongly_connected_components(graph) if directed else nx.number_connected_components(graph)
    if parts > 1:
        raise ValueError(f"edges leave the {n} peers in {parts} parts: the graph must be connected; add edges")
    return graph


def _graph(name: str, n: int, edges: Iterable[tuple[int, int]], **facts: int) -> nx.Graph:
    """Peers first, so that their order is 0..n-1 whatever the edges."""
    graph = nx.Graph()
    graph.graph.update(name=name, **facts)
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    return graph


def _sides(name: str, n: int, rows: int | None, least: int) -> tuple[int, int]:
    """Rows and columns of a grid or torus of n peers, both at least `least`."""
    n = whole("peers", n, 2, _TWO)
    fitting = [side for side in range(least, n // least + 1) if n % side == 0]
    if not fitting:
        nearby = [m for m in range(max(least**2, n - 8), max(least**2, n) + 9) if _squarest(m) >= least]
        nearest = sorted(sorted(nearby, key=lambda m: abs(m - n))[:4])
        sizes = ", ".join(f"{m} ({_squarest(m)}×{m // _squarest(m)})" for m in nearest)
        rule = f"must be a product of two sides of at least {least} for a {name}"
        raise ValueError(message("peers", n, rule, f"sizes nearby that fit: {sizes}"))
    if rows is None:
        rows = _squarest(n)
    elif whole("rows", rows, least, f"use one of {_list(fitting)}") not in fitting:
        rule = f"must divide {n} peers into a {name} with sides of at least {least}"
        raise ValueError(message("rows", rows, rule, f"use one of {_list(fitting)}"))
    return rows, n // rows


def _squarest(n: int) -> int:
    """The largest divisor of n that is at most √n."""
    return next(side for side in range(int(n**0.5), 0, -1) if n % side == 0)


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
