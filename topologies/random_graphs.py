"""Random graphs of n peers, drawn again until they are connected; `graph.graph["seed"]` is the seed that served.

Calling the function again with that seed gives the same graph at the first draw.
"""

from collections.abc import Callable

import networkx as nx
import numpy as np

from topologies.checks import message, positive, share, whole
from topologies.tidy import tidy

DRAWS = 100  # draws before we say that the options make a connected graph too unlikely
_TWO = "give two or more peers"


def erdos_renyi(n: int, p: float = 0.3, seed: int = 0) -> nx.Graph:
    """Each pair of peers is joined with probability p (Gilbert 1959; Erdős and Rényi 1959). Likely connected for p >
    ln(n)/n.

    Args:
        n: Number of peers, at least 2.
        p: Probability of an edge, in (0, 1].
        seed: Seed, at least 0.

    Raises:
        ValueError: if an option is out of range, or if p is so small that no draw was connected.
    """
    n, p = whole("peers", n, 2, _TWO), share("p", p, "the usual is 0.3")
    hint = f"it is too small: take p well above ln(n)/n = {np.log(n) / n:.2g}"
    return _connected("erdos_renyi", lambda s: nx.fast_gnp_random_graph(n, p, seed=s), seed, "p", p, hint)


def random_regular(n: int, degree: int = 4, seed: int = 0) -> nx.Graph:
    """A graph drawn from those in which every peer has the same number of neighbours (Kim and Vu 2003).

    Args:
        n: Number of peers, at least 2.
        degree: Neighbours of each peer: at least 1 and below n, with n · degree even. From 3 on nearly all draws are
            connected.
        seed: Seed, at least 0.

    Raises:
        ValueError: if an option is out of range, or if no draw was connected.
    """
    n, degree = whole("peers", n, 2, _TWO), whole("degree", degree, 1, "the usual is 4")
    _below("degree", degree, n)
    if n * degree % 2:
        hint = (
            f"use degree {degree - 1} or {degree + 1}, or an even number of peers"
            if degree + 1 < n
            else "use an even number of peers"
        )
        raise ValueError(message("degree", degree, f"must be even for an odd number of peers ({n})", hint))
    if degree == n - 1:  # the only graph of that degree; pairing stubs at random would hardly find it
        return _connected("random_regular", lambda _: nx.complete_graph(n), seed, "degree", degree, "")
    hint = "it is too small: take a degree of 3 or more, or the ring"
    return _connected(
        "random_regular", lambda s: nx.random_regular_graph(degree, n, seed=s), seed, "degree", degree, hint
    )


def watts_strogatz(n: int, neighbours: int = 4, p: float = 0.1, seed: int = 0) -> nx.Graph:
    """A small world: a ring lattice of which each edge is moved to a random peer with probability p (Watts and Strogatz
    1998).

    Args:
        n: Number of peers, at least 3.
        neighbours: Neighbours of each peer in the lattice: even, at least 2, below n.
        p: Probability that an edge is moved, in [0, 1]; 0 leaves the lattice.
        seed: Seed, at least 0.

    Raises:
        ValueError: if an option is out of range, or if no draw was connected.
    """
    n, p = whole("peers", n, 2, _TWO), share("p", p, "the usual is 0.1", zero=True)
    neighbours = whole("neighbours", neighbours, 2, "the usual is 4")
    if neighbours % 2:
        raise ValueError(message("neighbours", neighbours, "must be even, half on each side", f"use {neighbours - 1}"))
    _below("neighbours", neighbours, n)
    hint = "it is too large for so few neighbours: take a smaller p, or more neighbours"
    return _connected("watts_strogatz", lambda s: nx.watts_strogatz_graph(n, neighbours, p, seed=s), seed, "p", p, hint)


def barabasi_albert(n: int, edges: int = 2, seed: int = 0) -> nx.Graph:
    """Peers arrive one by one and join earlier ones, the more likely the more neighbours these have (Barabási and
    Albert 1999).

    Args:
        n: Number of peers, at least 2.
        edges: Edges that each arriving peer makes: at least 1, below n.
        seed: Seed, at least 0.

    Raises:
        ValueError: if an option is out of range.
    """
    n, edges = whole("peers", n, 2, _TWO), whole("edges", edges, 1, "the usual is 2")
    _below("edges", edges, n)
    return _connected("barabasi_albert", lambda s: nx.barabasi_albert_graph(n, edges, seed=s), seed, "edges", edges, "")


def random_geometric(n: int, radius: float = 0.4, seed: int = 0) -> nx.Graph:
    """Peers at random points of the unit square, joined when no further apart than `radius` (Gilbert 1961). Likely
    connected for πr²n > ln n.

    Each peer's point is its attribute "pos", [x, y].

    Args:
        n: Number of peers, at least 2.
        radius: Reach of a peer, above 0; √2 joins all.
        seed: Seed, at least 0.

    Raises:
        ValueError: if an option is out of range, or if the radius is so small that no draw was connected.
    """
    n, radius = whole("peers", n, 2, _TWO), positive("radius", radius, "the usual is 0.4")
    hint = f"it is too small: take a radius well above sqrt(ln(n)/(πn)) = {np.sqrt(np.log(n) / (np.pi * n)):.2g}"

    def draw(s: int) -> nx.Graph:
        return nx.random_geometric_graph(n, radius, seed=s)

    return _connected("random_geometric", draw, seed, "radius", radius, hint)


def _connected(name: str, draw: Callable[[int], nx.Graph], seed: int, option: str, value: float, hint: str) -> nx.Graph:
    """Draw with the seed, then with seeds derived from it, until the graph is connected.

    Derived seeds are hashes of (seed, attempt), not seed + attempt: studies with seeds 0, 1, 2, … must not meet the
    same graph twice.
    """
    seed = whole("seed", seed, 0, "give 0 or more")
    for attempt in range(DRAWS):
        trial = int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0]) if attempt else seed
        graph = draw(trial)
        if nx.is_connected(graph):
            graph = tidy(graph)
            graph.graph.clear()
            graph.graph.update(name=name, seed=trial)
            return graph
    rule = f"must make the {name} graph of these peers connected, and none of {DRAWS} draws was"
    raise ValueError(message(option, value, rule, hint))


def _below(name: str, value: int, n: int) -> None:
    """Raise ValueError unless a number of neighbours is below the number of peers."""
    if value >= n:
        raise ValueError(message(name, value, f"must be below the number of peers ({n})", "use less, or more peers"))
