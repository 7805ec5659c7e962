"""The textbook's lines, stars, trees and full graphs, tight groups with little between them, and observed networks.

One function a graph, in networkx's manner. Gaps in docstrings are those of Metropolis weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import whole_number
from dfedsam.topologies.graph import Graph, normalize_graph, simple
from dfedsam.topologies.graphs.helpers import (
    Edges,
    connected,
    divisors,
    either,
    graph,
    in_networkx,
    listed,
    nearby,
    of_edges,
    require_memory,
)

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


@graph()
def two_cliques(n: int, bridges: int = 1) -> Edges:
    """Two cliques of n/2 peers, joined by one edge or by several that share no peer.

    With m = n/2 ≥ 2 peers in each and b bridges the gap is (m + 2 - √((m + 2)² - 8b)) / (2(m + 1)), for one bridge
    about 2/m². With an odd n the second clique has one peer more.

    Args:
        n: number of peers, at least 2.
        bridges: edges between the cliques, at least 1 and at most n // 2; bridge i joins the peers i and n // 2 + i.
    """
    bridges = whole_number("bridges", bridges, 1, "the usual is 1")
    half = n // 2
    if bridges > half:
        rule = f"must be at most {half}, the peers of a clique"
        raise OptionError("bridges", bridges, rule, "use less, or more peers")
    require_memory(n, n * n / 4)
    joins = np.arange(bridges)[:, None] + [0, half]
    return np.concatenate([_clique(0, half), _clique(half, n), joins])


@graph(least=4, hint="give four or more peers")
def barbell(n: int, between: int | None = None) -> Edges:
    """Two cliques of equal size, joined by a path of further peers.

    The peers of the first clique come first, then those of the path, then those of the second clique.

    Args:
        n: number of peers, at least 4.
        between: peers on the path: such that the rest makes two cliques of at least 2 peers each; 0 joins the cliques
            by an edge. None takes about a third of the peers, so that all three parts are about alike.
    """
    if between is None:
        between = n - 2 * max(2, (n + 1) // 3)
    between = whole_number("between", between, 0, "the usual is a third of the peers")
    if between > n - 4 or (n - between) % 2:
        near = nearby(between, 0, lambda m: m <= n - 4 and (n - m) % 2 == 0)
        rule = f"must leave two equal cliques of at least 2 of the {n} peers"
        raise OptionError("between", between, rule, f"use {either(near)}")
    clique = (n - between) // 2
    require_memory(n, clique * clique)
    return np.concatenate([_clique(0, clique), _path(clique - 1, n - clique + 1), _clique(n - clique, n)])


@graph()
def lollipop(n: int, clique: int | None = None) -> Edges:
    """A clique with a path hanging from its last peer; the clique's peers are numbered first.

    Args:
        n: number of peers, at least 2.
        clique: peers in the clique, at least 1, at most n; None takes half, rounded up.
    """
    clique = (n + 1) // 2 if clique is None else whole_number("clique", clique, 1, "the usual is half the peers")
    if clique > n:
        raise OptionError("clique", clique, f"must be at most the number of peers ({n})", "use less")
    require_memory(n, clique * clique / 2)
    return np.concatenate([_clique(0, clique), _path(clique - 1, n)])


@graph()
def caveman(n: int, clique: int | None = None) -> Edges:
    """Cliques around a ring, one edge of each moved to join it to the clique before it.

    The connected caveman graph (Watts 1999, "Small worlds").

    Args:
        n: number of peers: the product of the cliques' size, at least 3, and their number, at least 2.
        clique: peers in each clique; None takes the divisor of n that is nearest to √n.
    """
    fitting = divisors(n, 3, n // 2)
    if not fitting:
        sizes = listed(nearby(n, 6, lambda m: bool(divisors(m, 3, m // 2)), count=4))
        rule = "must be a product of two or more cliques and their size of at least 3 for a caveman graph"
        raise OptionError("peers", n, rule, f"sizes nearby that fit: {sizes}")
    if clique is None:
        clique = min(fitting, key=lambda size: abs(size - n**0.5))
    elif whole_number("clique", clique, 3, f"use one of {listed(fitting)}") not in fitting:
        rule = f"must divide the {n} peers into at least 2 cliques of at least 3"
        raise OptionError("clique", clique, rule, f"use one of {listed(fitting)}")
    require_memory(n, n * clique / 2)
    starts = np.arange(0, n, clique)
    within = (starts[:, None, None] + _clique(0, clique)[1:]).reshape(-1, 2)  # without the edge of the first two
    return np.concatenate([within, np.column_stack([starts, (starts - 1) % n])])


def _clique(first: int, last: int) -> NDArray[np.int64]:
    """All pairs of the peers from `first` up to, but without, `last`."""
    return first + np.column_stack(np.triu_indices(last - first, 1))


def _path(first: int, last: int) -> NDArray[np.int64]:
    """The pairs of successive peers from `first` up to, but without, `last`."""
    peers = np.arange(first, last - 1)
    return np.column_stack([peers, peers + 1])
