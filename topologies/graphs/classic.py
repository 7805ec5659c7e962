"""The textbook's lines, stars, trees and full graphs, graphs of stated edges, and networks observed among people.

One function a graph, in networkx's manner. Gaps in docstrings are those of Metropolis weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import networkx as nx
import numpy as np

from dfedsam.errors import OptionError
from dfedsam.topologies.graph import Graph, normalize_graph, simple
from dfedsam.topologies.graphs.helpers import Edges, connected, graph, in_networkx, of_edges
from dfedsam.validation import whole_number

_DENSEST = 10_000_000  # edges


@graph()
def ring(n: int) -> Edges:
    """A ring: peer i is joined to i - 1 and i + 1, modulo n. Gap (4/3) sin²(π/n) for n ≥ 4.

    >>> sorted(ring(4).edges())
    [(0, 1), (0, 3), (1, 2), (2, 3)]
    """
    peers = np.arange(n)
    return np.column_stack([peers, (peers + 1) % n])


@graph()
def path(n: int) -> Edges:
    """A line of peers: i is joined to i + 1. Gap (4/3) sin²(π/2n) for n ≥ 3."""
    return np.column_stack([np.arange(n - 1), np.arange(1, n)])


@graph()
def star(n: int) -> Edges:
    """Peer 0 joined to all others, which have no other neighbour. Gap 1/n."""
    return np.column_stack([np.zeros(n - 1, dtype=int), np.arange(1, n)])


@graph()
def complete(n: int) -> Edges:
    """Every peer joined to every other: W = 11ᵀ/n, gap 1."""
    _not_too_dense(n, n * (n - 1) // 2, "base and ceca reach the exact mean with few messages")
    return np.column_stack(np.triu_indices(n, 1))


@graph()
def complete_bipartite(n: int, left: int | None = None) -> Edges:
    """Two sides, each peer joined to all of the other side and to none of its own.

    With a and b peers on the sides and m = 1 + max(a, b), the eigenvalues of W are 1, 1 - (a + b)/m, 1 - a/m (b - 1
    times) and 1 - b/m (a - 1 times).

    Args:
        n: number of peers, at least 2.
        left: peers on the first side, which are numbered first: at least 1 and below n; None takes half, rounded down.
    """
    left = n // 2 if left is None else whole_number("left", left, 1, "the usual is half the peers")
    if left >= n:
        raise OptionError("left", left, f"must be below the number of peers ({n})", "use less, or more peers")
    _not_too_dense(n, left * (n - left), "give a smaller left, or fewer peers")
    return np.column_stack([np.repeat(np.arange(left), n - left), np.tile(np.arange(left, n), left)])


@graph()
def binary_tree(n: int) -> Edges:
    """A balanced binary tree: the neighbours of peer i are its parent (i - 1) // 2 and its children 2i + 1 and 2i + 2.

    All layers but the last are full (2^k - 1 peers fill that too), and the last is filled from the left, as in a heap.
    Peer 0 is the root.
    """
    return np.column_stack([np.arange(n - 1) // 2, np.arange(1, n)])


@graph()
def tree(n: int, children: int = 3) -> Edges:
    """A balanced tree: the children of peer i are the peers from i · children + 1 on. Peer 0 is the root.

    All layers but the last are full, and the last is filled from the left.

    Args:
        n: number of peers, at least 2.
        children: children of each peer that is not in the last layers, at least 1 (a path); 2 is `binary_tree`.
    """
    children = whole_number("children", children, 1, "the usual is 3")
    return np.column_stack([np.arange(n - 1) // children, np.arange(1, n)])


@in_networkx
def from_edges(n: int, edges: Iterable[Iterable[int]], directed: bool = False) -> Graph:
    """The graph with exactly these edges.

    Args:
        n: number of peers, at least 2.
        edges: pairs of peers, each in 0..n-1: a list, or an array of shape (m, 2).
        directed: whether an edge leads from its first peer, the sender, to its second alone.

    >>> from_edges(3, [[0, 1], [1, 2]]).number_of_edges()
    2
    """
    n = whole_number("peers", n, 2, "give two or more peers")
    for edge in [] if isinstance(edges, np.ndarray) else edges:
        ends: list[Any] = list(edge)
        if len(ends) != 2 or not all(isinstance(i, int) and 0 <= i < n for i in ends):
            raise OptionError("edges", ends, f"must be pairs of peers from 0 to {n - 1}", "fix this edge")
    pairs = np.asarray(edges).reshape(-1, 2)
    if pairs.size and (pairs.dtype.kind not in "iu" or pairs.min() < 0 or pairs.max() >= n):
        raise OptionError("edges", "an array", f"must be pairs of peers from 0 to {n - 1}", "fix it")
    return connected(simple(of_edges("from_edges", n, pairs, directed=directed)))


def davis() -> nx.Graph:
    """Southern women and the events they attended: 32 peers, 89 edges, gap 0.0821 (Davis, Gardner and Gardner 1941).

    Peers 0 to 17 are the women, 18 to 31 the events; every edge joins a woman and an event.
    """
    return _named("davis", nx.davis_southern_women_graph())


def karate() -> nx.Graph:
    """Members of a karate club who were friends outside it: 34 peers, 78 edges, gap 0.0312 (Zachary 1977)."""
    return _named("karate", nx.karate_club_graph())


def florentine() -> nx.Graph:
    """Marriages between families of Florence about 1430: 15 peers, 20 edges, gap 0.0574 (Padgett and Ansell 1993)."""
    return _named("florentine", nx.florentine_families_graph())


def les_miserables() -> nx.Graph:
    """Characters who meet in a chapter of Les Misérables: 77 peers, 254 edges, gap 0.00729 (Knuth 1993)."""
    return _named("les_miserables", nx.les_miserables_graph())


def _named(name: str, graph: nx.Graph) -> nx.Graph:
    graph = normalize_graph(graph)
    graph.graph["name"] = name
    return graph


def _not_too_dense(n: int, edges: int, hint: str) -> None:
    """Raise OptionError for more than _DENSEST edges, with which every step takes minutes and gigabytes."""
    if edges > _DENSEST:
        raise OptionError("peers", n, f"must give at most {_DENSEST:,} edges, but these are {edges:,}", hint)
