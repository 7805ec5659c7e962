"""Graphs of tight groups with little between them: where averages are slow.

Gaps in the docstrings are those of Metropolis weights.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise

import networkx as nx

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.building import TWO, build, divisors, either, listed, nearby
from dfedsam.validation import whole_number


def two_cliques(n: int, bridges: int = 1) -> nx.Graph:
    """Two cliques of n/2 peers, joined by one edge or by several that share no peer.

    With m = n/2 ≥ 2 peers in each and b bridges the gap is (m + 2 - √((m + 2)² - 8b)) / (2(m + 1)), for one bridge
    about 2/m². With an odd n the second clique has one peer more.

    Args:
        n: Number of peers, at least 2.
        bridges: Edges between the cliques, at least 1 and at most n // 2; bridge i joins the peers i and n // 2 + i.

    Raises:
        ValueError: if n is below 2 or bridges out of range.
    """
    n, bridges = whole_number("peers", n, 2, TWO), whole_number("bridges", bridges, 1, "the usual is 1")
    half = n // 2
    if bridges > half:
        rule = f"must be at most {half}, the peers of a clique"
        raise OptionError("bridges", bridges, rule, "use less, or more peers")
    joins = [(i, half + i) for i in range(bridges)]
    return build("two_cliques", n, [*_clique(0, half), *_clique(half, n), *joins])


def barbell(n: int, between: int | None = None) -> nx.Graph:
    """Two cliques of equal size, joined by a path of further peers: the first clique, the path and the second clique
    are numbered through.

    Args:
        n: Number of peers, at least 4.
        between: Peers on the path: such that the rest makes two cliques of at least 2 peers each; 0 joins the cliques
            by an edge. None takes about a third of the peers, so that all three parts are about alike.

    Raises:
        ValueError: if n is below 4 or between does not fit.
    """
    n = whole_number("peers", n, 4, "give four or more peers")
    if between is None:
        between = n - 2 * max(2, (n + 1) // 3)
    between = whole_number("between", between, 0, "the usual is a third of the peers")
    if between > n - 4 or (n - between) % 2:
        near = nearby(between, 0, lambda m: m <= n - 4 and (n - m) % 2 == 0)
        rule = f"must leave two equal cliques of at least 2 of the {n} peers"
        raise OptionError("between", between, rule, f"use {either(near)}")
    clique = (n - between) // 2
    path = pairwise(range(clique - 1, n - clique + 1))
    return build("barbell", n, [*_clique(0, clique), *path, *_clique(n - clique, n)])


def lollipop(n: int, clique: int | None = None) -> nx.Graph:
    """A clique with a path hanging from its last peer; the clique's peers are numbered first.

    Args:
        n: Number of peers, at least 2.
        clique: Peers in the clique, at least 1, at most n; None takes half, rounded up.

    Raises:
        ValueError: if n is below 2 or clique out of range.
    """
    n = whole_number("peers", n, 2, TWO)
    clique = (n + 1) // 2 if clique is None else whole_number("clique", clique, 1, "the usual is half the peers")
    if clique > n:
        raise OptionError("clique", clique, f"must be at most the number of peers ({n})", "use less")
    return build("lollipop", n, [*_clique(0, clique), *pairwise(range(clique - 1, n))])


def caveman(n: int, clique: int | None = None) -> nx.Graph:
    """Cliques around a ring, one edge of each moved to join it to the clique before it: the connected caveman graph
    (Watts 1999, "Small worlds").

    Args:
        n: Number of peers: the product of the cliques' size, at least 3, and their number, at least 2.
        clique: Peers in each clique; None takes the divisor of n that is nearest to √n.

    Raises:
        ValueError: if n has no such divisor (the message says which sizes nearby do), or if clique is none.
    """
    n = whole_number("peers", n, 2, TWO)
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
    starts = range(0, n, clique)
    within = (edge for start in starts for edge in _clique(start, start + clique) if edge != (start, start + 1))
    return build("caveman", n, [*within, *((start, (start - 1) % n) for start in starts)])


def _clique(first: int, last: int) -> Iterator[tuple[int, int]]:
    """All pairs of the peers from `first` up to, but without, `last`."""
    return combinations(range(first, last), 2)
