"""Graphs of n peers, one function a graph, in networkx's manner: the textbook's lines, stars, trees and full graphs.

Others are in `lattices`, `expanders`, `clustered`, `random` and `social`. Gaps in docstrings are those of Metropolis
weights (`topologies.weights.rules.metropolis`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import networkx as nx

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.helpers import Edges, connected, from_pairs_of, graph, require_memory
from dfedsam.topologies.normalize import normalize_graph
from dfedsam.validation import whole_number


@graph()
def ring(n: int) -> Edges:
    """A ring: peer i is joined to i - 1 and i + 1, modulo n. Gap (4/3) sin²(π/n) for n ≥ 4.

    >>> sorted(ring(4).edges())
    [(0, 1), (0, 3), (1, 2), (2, 3)]
    """
    return ((i, (i + 1) % n) for i in range(n))


@graph()
def path(n: int) -> Edges:
    """A line of peers: i is joined to i + 1. Gap (4/3) sin²(π/2n) for n ≥ 3."""
    return pairwise(range(n))


@graph()
def star(n: int) -> Edges:
    """Peer 0 joined to all others, which have no other neighbour. Gap 1/n."""
    return ((0, i) for i in range(1, n))


@graph()
def complete(n: int) -> Edges:
    """Every peer joined to every other: W = 11ᵀ/n, gap 1."""
    require_memory(n, n * (n - 1) / 2)
    return ((i, j) for i in range(n) for j in range(i + 1, n))


@graph()
def complete_bipartite(n: int, left: int | None = None) -> Edges:
    """Two sides, each peer joined to all of the other side and to none of its own.

    With a and b peers on the sides and m = 1 + max(a, b), the eigenvalues of W are 1, 1 - (a + b)/m, 1 - a/m (b - 1
    times) and 1 - b/m (a - 1 times).

    Args:
        n: number of peers, at least 2.
        left: peers on the first side, which are numbered first: at least 1 and below n; None takes half, rounded down.

    Raises:
        OptionError: if left is out of range.
    """
    left = n // 2 if left is None else whole_number("left", left, 1, "the usual is half the peers")
    if left >= n:
        raise OptionError("left", left, f"must be below the number of peers ({n})", "use less, or more peers")
    require_memory(n, left * (n - left))
    size = left
    return ((i, j) for i in range(size) for j in range(size, n))


@graph()
def binary_tree(n: int) -> Edges:
    """A balanced binary tree: the neighbours of peer i are its parent (i - 1) // 2 and its children 2i + 1 and 2i + 2.

    All layers but the last are full (2^k - 1 peers fill that too), and the last is filled from the left, as in a heap.
    Peer 0 is the root.
    """
    return (((i - 1) // 2, i) for i in range(1, n))


@graph()
def tree(n: int, children: int = 3) -> Edges:
    """A balanced tree: the children of peer i are the peers from i · children + 1 on. Peer 0 is the root.

    All layers but the last are full, and the last is filled from the left.

    Args:
        n: number of peers, at least 2.
        children: children of each peer that is not in the last layers, at least 1 (a path); 2 is `binary_tree`.

    Raises:
        OptionError: if children is below 1.
    """
    arity = whole_number("children", children, 1, "the usual is 3")
    return (((i - 1) // arity, i) for i in range(1, n))


def from_edges(n: int, edges: Iterable[Iterable[int]], directed: bool = False) -> nx.Graph:
    """The graph with exactly these edges.

    Args:
        n: number of peers, at least 2.
        edges: pairs of peers, each in 0..n-1.
        directed: whether an edge leads from its first peer, the sender, to its second alone.

    Raises:
        OptionError: if an edge is not a pair of peers, or the graph is not connected.
        ValueError: if an edge joins a peer to itself.

    >>> from_edges(3, [[0, 1], [1, 2]]).number_of_edges()
    2
    """
    n = whole_number("peers", n, 2, "give two or more peers")
    pairs: list[tuple[int, int]] = []
    for edge in edges:
        ends: list[Any] = list(edge)
        if len(ends) != 2 or not all(isinstance(i, int) and 0 <= i < n for i in ends):
            raise OptionError("edges", ends, f"must be pairs of peers from 0 to {n - 1}", "fix this edge")
        pairs.append((ends[0], ends[1]))
    return connected(normalize_graph(from_pairs_of("from_edges", n, pairs, directed=directed)))
