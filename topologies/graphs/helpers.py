"""Shared parts of graph functions: the decorators that build and check, sides of a rectangle, nearby valid sizes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import chain
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import whole_number
from dfedsam.topologies.graph import Graph

P = ParamSpec("P")
R = TypeVar("R")
Edges = Iterable[tuple[int, int]] | NDArray[np.integer]
"""Pairs of peers, one by one or as an array of shape (edges, 2)."""

_PEER_BYTES, EDGE_BYTES = 120, 110  # while a graph and its W are built, measured
NETWORKX_BYTES = 350  # more, of an edge in a graph of networkx
W_BYTES = 60  # of an edge in W alone, while it is built


def graph(
    *, least: int = 2, hint: str = "give two or more peers", directed: bool = False
) -> Callable[[Callable[Concatenate[int, P], Edges | Graph]], Callable[Concatenate[int, P], nx.Graph]]:
    """Make a function from n and options to edges a function to a graph, in networkx's manner.

    The number of peers is checked before the function is called. The graph has the peers 0..n-1 in order, and the
    function's name in `graph.graph["name"]`. A function that builds a `Graph` itself gives that.

    Args:
        least: smallest number of peers.
        hint: what to do about fewer.
        directed: whether an edge leads from its first peer, the sender, to its second alone.
    """

    def decorate(function: Callable[Concatenate[int, P], Edges | Graph]) -> Callable[Concatenate[int, P], nx.Graph]:
        @wraps(function)
        def arrays(n: int, *args: P.args, **options: P.kwargs) -> Graph:
            n = whole_number("peers", n, least, hint)
            require_memory(n, n)
            result = function(n, *args, **options)
            return result if isinstance(result, Graph) else of_edges(function.__name__, n, result, directed=directed)

        return in_networkx(arrays)

    return decorate


@overload
def in_networkx(arrays: Callable[P, Graph]) -> Callable[P, nx.Graph]: ...


@overload
def in_networkx(arrays: Callable[P, Graph | R]) -> Callable[P, nx.Graph | R]: ...


def in_networkx(arrays: Callable[P, Any]) -> Callable[P, Any]:
    """The function with a graph of networkx as its result; `make` calls the one with arrays, its attribute `arrays`."""

    @wraps(arrays)
    def build(*args: P.args, **options: P.kwargs) -> Any:
        result = arrays(*args, **options)
        if isinstance(result, Graph):
            require_memory(result.n, len(result.edges), EDGE_BYTES + NETWORKX_BYTES)
            return result.networkx
        return result

    signature = inspect.signature(arrays, eval_str=True)
    if signature.return_annotation in (Edges | Graph, Edges, Graph):
        signature = signature.replace(return_annotation=nx.Graph)
    vars(build).update(arrays=arrays, __signature__=signature)
    return build


def of_edges(name: str, n: int, edges: Edges, *, directed: bool = False) -> Graph:
    """The graph of these edges; they keep their order."""
    if not isinstance(edges, np.ndarray):
        edges = np.fromiter(chain.from_iterable(edges), dtype=np.int32).reshape(-1, 2)
    return Graph(n, edges.astype(np.int32, copy=False), directed, {"name": name})


def connected(candidate: Graph) -> Graph:
    """The graph; raises OptionError if it is not connected (strongly, where it is directed)."""
    if not candidate.connected:
        rule = f"must be connected, but its {candidate.n} peers are in {int(candidate.parts().max()) + 1} parts"
        raise OptionError("topology", candidate.facts.get("name", "this graph"), rule, "add edges")
    return candidate


def require_memory(n: int, edges: float, edge_bytes: int = EDGE_BYTES) -> None:
    """Raise OptionError, before a graph is built, if this machine's memory cannot hold so many peers and edges.

    Of a schedule the edges of all rounds that are kept count.
    """
    takes, there = _PEER_BYTES * n + edge_bytes * edges, _memory()
    if takes > there:
        rule = f"must fit into memory, but {edges:.2g} edges take about {takes / 1e9:,.0f} GB of {there / 1e9:,.0f}"
        raise OptionError("peers", n, rule, "give fewer peers, or a graph with fewer edges")


def checked_peers(n: int) -> int:
    """Return the number of peers of a schedule; raise OptionError unless it is whole, at least two, and fits."""
    n = whole_number("peers", n, 2, "give two or more peers")
    require_memory(n, n, W_BYTES)
    return n


def checked_seed(seed: int) -> int:
    """Return a seed; raise OptionError unless it is a whole number of at least 0."""
    return whole_number("seed", seed, 0, "give 0 or more")


def below(option: str, value: int, n: int) -> None:
    """Raise OptionError unless a number of neighbours is below the number of peers."""
    if value >= n:
        raise OptionError(option, value, f"must be below the number of peers ({n})", "use less, or more peers")


def even_neighbours(neighbours: object, n: int) -> int:
    """A number of neighbours of which half are on each side; raise OptionError unless it is even and below n."""
    neighbours = whole_number("neighbours", neighbours, 2, "the usual is 4")
    if neighbours % 2:
        raise OptionError("neighbours", neighbours, "must be even, half on each side", f"use {neighbours - 1}")
    below("neighbours", neighbours, n)
    require_memory(n, n * neighbours / 2)
    return neighbours


def sides(name: str, n: int, rows: int | None, least: int) -> tuple[int, int]:
    """Rows and columns of a grid or torus of n peers, both at least `least`; raises OptionError where none fit."""
    fitting = divisors(n, least, n // least)
    if not fitting:
        near = nearby(n, least**2, lambda m: squarest(m) >= least, count=4)
        sizes = ", ".join(f"{m} ({squarest(m)}×{m // squarest(m)})" for m in near)
        rule = f"must be a product of two sides of at least {least} for a {name}"
        raise OptionError("peers", n, rule, f"sizes nearby that fit: {sizes}")
    if rows is None:
        rows = squarest(n)
    elif whole_number("rows", rows, least, f"use one of {listed(fitting)}") not in fitting:
        rule = f"must divide {n} peers into a {name} with sides of at least {least}"
        raise OptionError("rows", rows, rule, f"use one of {listed(fitting)}")
    return rows, n // rows


def divisors(n: int, low: int, high: int) -> list[int]:
    """The divisors of n from low to high, rising."""
    small = [side for side in range(1, int(n**0.5) + 1) if n % side == 0]
    return sorted({d for side in small for d in (side, n // side) if low <= d <= high})


def squarest(n: int) -> int:
    """The largest divisor of n that is at most √n."""
    return next(side for side in range(int(n**0.5), 0, -1) if n % side == 0)


def nearby(n: int, low: int, fits: Callable[[int], bool], count: int = 2) -> list[int]:
    """The sizes from `low` on that fit and are nearest to n, rising."""
    sizes: list[int] = []
    for distance in range(max(n, 2 * low) + 1000):
        sizes += [m for m in sorted({n - distance, n + distance}) if m >= low and fits(m)]
        if len(sizes) >= count:
            break
    return sorted(sizes[:count])


def listed(numbers: Iterable[int]) -> str:
    """Numbers as in "2, 4, 8"."""
    return ", ".join(map(str, numbers))


def either(numbers: Iterable[int]) -> str:
    """Numbers as in "9 or 13"."""
    return " or ".join(map(str, numbers))


def _memory() -> float:
    """Bytes of memory of this machine."""
    sysconf: Any = getattr(os, "sysconf", None)
    return float(sysconf("SC_PAGE_SIZE") * sysconf("SC_PHYS_PAGES")) if sysconf else float("inf")
