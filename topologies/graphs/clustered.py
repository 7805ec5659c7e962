"""Graphs of tight groups with little between them: where averages are slow.

Gaps in docstrings are those of Metropolis weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.helpers import Edges, divisors, either, graph, listed, nearby, require_memory
from dfedsam.validation import whole_number


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
