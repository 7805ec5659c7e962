"""What the graph functions share: numbered peers, sides of a rectangle, and sizes nearby that fit."""

from collections.abc import Callable, Iterable
from typing import Any

import networkx as nx

from dfedsam.errors import OptionError
from dfedsam.validation import whole_number

TWO = "give two or more peers"


def build(name: str, n: int, edges: Iterable[tuple[int, int]], **facts: int) -> nx.Graph:
    """The graph of these edges, which knows its name; peers first, so that their order is 0..n-1 whatever the edges."""
    graph = _fill(nx.Graph(name=name), n, edges)
    graph.graph.update(facts)
    return graph


def build_directed(name: str, n: int, edges: Iterable[tuple[int, int]]) -> nx.DiGraph:
    """The same with edges from sender to receiver."""
    return _fill(nx.DiGraph(name=name), n, edges)


def sides(name: str, n: int, rows: int | None, least: int) -> tuple[int, int]:
    """Rows and columns of a grid or torus of n peers, both at least `least`.

    Raises:
        ValueError: if n has no such sides (the message says which sizes nearby do), or if rows does not divide n.
    """
    n = whole_number("peers", n, 2, TWO)
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
    return [side for side in range(low, high + 1) if n % side == 0]


def squarest(n: int) -> int:
    """The largest divisor of n that is at most √n."""
    return next(side for side in range(int(n**0.5), 0, -1) if n % side == 0)


def nearby(n: int, low: int, fits: Callable[[int], bool], count: int = 2) -> list[int]:
    """The sizes from `low` on that fit and are nearest to n, rising."""
    found: list[int] = []
    for distance in range(max(n, 2 * low) + 1000):
        found += [m for m in sorted({n - distance, n + distance}) if m >= low and fits(m)]
        if len(found) >= count:
            break
    return sorted(found[:count])


def listed(numbers: Iterable[int]) -> str:
    """Such as "2, 4, 8"."""
    return ", ".join(map(str, numbers))


def either(numbers: Iterable[int]) -> str:
    """Such as "9 or 13"."""
    return " or ".join(map(str, numbers))


def _fill(graph: Any, n: int, edges: Iterable[tuple[int, int]]) -> Any:
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    return graph
