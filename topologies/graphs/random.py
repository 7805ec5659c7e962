"""Random graphs of n peers, drawn again until they are connected; `graph.graph["seed"]` is the seed that served.

Calling the function again with that seed gives the same graph at the first draw. Where options make a connected graph
too unlikely, they are refused before anything is drawn. Graphs are those of networkx's generators by the same seed.
Erdős–Rényi graphs, and above 10,000 peers regular and geometric ones, come from `generators`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import positive, share, whole_number
from dfedsam.topologies.graph import AnyGraph, Graph, as_graph
from dfedsam.topologies.graphs.generators import gnp, regular, uniform
from dfedsam.topologies.graphs.helpers import below, checked_seed, even_neighbours, graph, of_edges, require_memory

DRAWS = 100  # draws before we say that the options make a connected graph too unlikely
_NETWORKX = 10_000  # peers up to which networkx draws regular and geometric graphs
_WORK = 2_000_000  # peers and edges that are drawn at most, in three draws or more
_HOPE = 0.1  # draws that are expected to be connected, below which none is made


@graph()
def erdos_renyi(n: int, p: float = 0.3, seed: int = 0) -> Graph:
    """Each pair of peers is joined with probability p. Likely connected for p > ln(n)/n.

    Source: Gilbert (1959), "Random graphs"; Erdős and Rényi (1959), "On random graphs".

    Args:
        n: number of peers, at least 2.
        p: probability of an edge, in (0, 1].
        seed: at least 0.

    >>> erdos_renyi(20, p=0.2, seed=1).graph
    {'name': 'erdos_renyi', 'seed': 1}
    """
    p = share("p", p, "the usual is 0.3")
    hint = f"take p well above ln(n)/n = {log(n) / n:.2g}"
    draw = _Draw("erdos_renyi", n, p * n * (n - 1) / 2, "p", p, hint, isolated=n * (1 - p) ** (n - 1))
    return draw.until_connected(lambda s: of_edges("erdos_renyi", n, gnp(n, p, s)), seed)


@graph()
def random_regular(n: int, degree: int = 4, seed: int = 0) -> Graph:
    """A graph drawn from those in which every peer has the same number of neighbours (Kim and Vu 2003).

    Args:
        n: number of peers, at least 2.
        degree: neighbours of each peer: at least 1 and below n, with n · degree even. From 3 on nearly all draws are
            connected.
        seed: at least 0.
    """
    degree = whole_number("degree", degree, 1, "the usual is 4")
    below("degree", degree, n)
    if n * degree % 2:
        hint = f"use degree {degree - 1} or {degree + 1}, or " if degree + 1 < n else "use "
        rule = f"must be even for an odd number of peers ({n})"
        raise OptionError("degree", degree, rule, hint + "an even number of peers")
    hint = "take a degree of 3 or more, or the ring"
    draw = _Draw("random_regular", n, n * degree / 2, "degree", degree, hint, isolated=n if degree == 1 < n - 1 else 0)
    if degree == n - 1:  # the only graph of that degree; pairing stubs at random would hardly find it
        return draw.until_connected(lambda _: nx.complete_graph(n), seed)
    if n <= _NETWORKX:
        return draw.until_connected(lambda s: nx.random_regular_graph(degree, n, seed=s), seed)
    return draw.until_connected(lambda s: of_edges("random_regular", n, regular(n, degree, s)), seed)


@graph()
def watts_strogatz(n: int, neighbours: int = 4, p: float = 0.1, seed: int = 0) -> Graph:
    """A small world: a ring lattice of which each edge is moved to a random peer with probability p.

    Source: Watts and Strogatz (1998), "Collective dynamics of small-world networks".

    Args:
        n: number of peers, at least 3.
        neighbours: neighbours of each peer in the lattice: even, at least 2, below n.
        p: probability that an edge is moved, in [0, 1]; 0 leaves the lattice.
        seed: at least 0.
    """
    p = share("p", p, "the usual is 0.1", zero=True)
    neighbours = even_neighbours(neighbours, n)
    hint = "take a smaller p, or more neighbours"
    draw = _Draw("watts_strogatz", n, n * neighbours / 2, "p", p, hint)
    return draw.until_connected(lambda s: nx.watts_strogatz_graph(n, neighbours, p, seed=s), seed)


@graph()
def barabasi_albert(n: int, edges: int = 2, seed: int = 0) -> Graph:
    """Peers arrive one by one and join earlier ones, the more likely the more neighbours these have.

    Source: Barabási and Albert (1999), "Emergence of scaling in random networks".

    Args:
        n: number of peers, at least 2.
        edges: edges that each arriving peer makes: at least 1, below n.
        seed: at least 0.
    """
    edges = whole_number("edges", edges, 1, "the usual is 2")
    below("edges", edges, n)
    draw = _Draw("barabasi_albert", n, n * edges, "edges", edges, "")
    return draw.until_connected(lambda s: nx.barabasi_albert_graph(n, edges, seed=s), seed)


@graph()
def random_geometric(n: int, radius: float = 0.4, seed: int = 0) -> Graph:
    """Peers at random points of the unit square, joined if their distance is at most `radius` (Gilbert 1961).

    Likely connected for πr²n > ln n. Each peer's point is its attribute "pos", [x, y].

    Args:
        n: number of peers, at least 2.
        radius: reach of a peer, above 0; √2 joins all.
        seed: at least 0.
    """
    radius = positive("radius", radius, "the usual is 0.4")
    area = min(np.pi * radius**2, 1.0)  # that a peer reaches at most
    hint = f"take a radius well above sqrt(ln(n)/(πn)) = {np.sqrt(log(n) / (np.pi * n)):.2g}"
    isolated = n * (1 - area) ** (n - 1)
    draw = _Draw("random_geometric", n, area * n * (n - 1) / 2, "radius", radius, hint, isolated)
    if n <= _NETWORKX:
        return draw.until_connected(lambda s: nx.random_geometric_graph(n, radius, seed=s), seed)
    return draw.until_connected(lambda s: _geometric(n, radius, s), seed)


@graph()
def stochastic_block_model(n: int, blocks: int = 4, p_in: float = 0.7, p_out: float = 0.1, seed: int = 0) -> Graph:
    """Peers in equal blocks: two of the same are joined with probability p_in, two of different ones with p_out.

    Blocks are numbered through: the first peers are the first block, and the first blocks have one more where n is no
    multiple of `blocks`. Source: Holland, Laskey and Leinhardt (1983), "Stochastic blockmodels: first steps".

    Args:
        n: number of peers, at least 2.
        blocks: number of blocks, at least 1, at most n.
        p_in: probability of an edge within a block, in [0, 1].
        p_out: probability of an edge between two blocks, in (0, 1].
        seed: at least 0.
    """
    blocks = whole_number("blocks", blocks, 1, "the usual is 4")
    p_in, p_out = share("p_in", p_in, "the usual is 0.7", zero=True), share("p_out", p_out, "the usual is 0.1")
    if blocks > n:
        raise OptionError("blocks", blocks, f"must be at most the number of peers ({n})", "use less")
    sizes = np.full(blocks, n // blocks) + (np.arange(blocks) < n % blocks)
    chances = np.where(np.eye(blocks, dtype=bool), p_in, p_out).tolist()
    isolated = float(np.sum(sizes * (1 - p_in) ** (sizes - 1.0) * (1 - p_out) ** (n - sizes)))
    if blocks > 1:  # and so is a block that is not joined to any other
        isolated = max(isolated, float(np.sum((1 - p_out) ** (sizes * (n - sizes).astype(float)))))
    inside = float(np.sum(sizes * (sizes - 1)) / 2)
    count = p_in * inside + p_out * (n * (n - 1) / 2 - inside)
    hint = f"take a larger p_out, or a p_in well above ln(m)/m for blocks of m = {sizes[0]} peers"
    draw = _Draw("stochastic_block_model", n, count, "p_out", p_out, hint, isolated)
    return draw.until_connected(lambda s: _blocks(sizes.tolist(), chances, p_in, s), seed)


@graph()
def random_out(n: int, degree: int | None = None, seed: int = 0) -> Graph:
    """Each peer sends to `degree` others, drawn at random; drawn again until every peer reaches every other.

    Directed. Columns of W sum to one, rows do not: plain gossip would aim at the wrong mean, push-sum does not. Likely
    connected for degree > ln n.

    Args:
        n: number of peers, at least 2.
        degree: peers that each one sends to: at least 1, below n. None takes 4, or for many peers the least with which
            at most two peers are expected to receive nothing.
        seed: at least 0.
    """
    if degree is None:
        degree = max(min(4, n - 1), int(np.ceil(log(n / 2))))
    degree = whole_number("degree", degree, 1, "the usual is 4")
    below("degree", degree, n)
    count = degree

    def directed(s: int) -> Graph:
        rng = np.random.default_rng(s)
        hops = np.stack([1 + rng.choice(n - 1, size=count, replace=False) for _ in range(n)])
        peers = np.arange(n)[:, None]
        edges = np.column_stack([np.repeat(peers, count), ((peers + hops) % n).ravel()])
        return of_edges("random_out", n, edges, directed=True)

    hint = f"take a degree above ln(n) = {log(n):.2g}"
    isolated = n * (1 - degree / (n - 1)) ** (n - 1)
    return _Draw("random_out", n, n * degree, "degree", degree, hint, isolated).until_connected(directed, seed)


def _geometric(n: int, radius: float, seed: int) -> Graph:
    from scipy.spatial import KDTree

    points = uniform(seed).random_sample((n, 2))
    edges: NDArray[np.int64] = KDTree(points).query_pairs(radius, output_type="ndarray")
    peers = {peer: {"pos": point} for peer, point in enumerate(points.tolist())}
    return Graph(n, edges[np.lexsort((edges[:, 1], edges[:, 0]))].astype(np.int32), peer_facts=peers)


class _Draw:
    """Draws of one graph, and the option to which it is due if none is connected.

    Args:
        name: name of the graph, which it will bear.
        n: number of peers.
        edges: number of edges that is expected.
        option: the option.
        value: its value.
        hint: how to fix it.
        isolated: number of peers without a neighbour that is expected: all draws are connected with a probability of
            about exp(-isolated) at most.
    """

    def __init__(
        self, name: str, n: int, edges: float, option: str, value: float, hint: str, isolated: float = 0.0
    ) -> None:
        require_memory(n, edges)
        self.name, self.n, self.option, self.value, self.hint = name, n, option, value, hint
        self.draws = min(DRAWS, max(3, int(_WORK / (n + edges))))
        if self.draws * exp(-isolated) < _HOPE:
            rule = f"must make the {name} graph of {n} peers connected, but about {isolated:.2g} would be isolated"
            raise OptionError(option, value, rule, hint)

    def until_connected(self, draw: Callable[[int], AnyGraph], seed: int) -> Graph:
        """Draw with the seed, then with seeds derived from it, until the graph is connected (strongly, if directed).

        Derived seeds are hashes of (seed, attempt), not seed + attempt: studies with seeds 0, 1, 2, … must not meet the
        same graph twice.

        Raises:
            OptionError: if no draw is connected.
        """
        seed = checked_seed(seed)
        for attempt in range(self.draws):
            trial = int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0]) if attempt else seed
            drawn = as_graph(draw(trial))
            if drawn.connected:
                facts = {"name": self.name, "seed": trial}
                return Graph(drawn.n, drawn.edges, drawn.directed, facts, drawn.peer_facts)
        rule = f"must make the {self.name} graph of {self.n} peers connected, and none of {self.draws} draws was"
        raise OptionError(self.option, self.value, rule, self.hint)


def _blocks(sizes: list[int], chances: list[list[float]], p_in: float, seed: int) -> nx.Graph:
    if 0 < p_in < 1e-16:  # networkx divides by ln(1 - p_in), which is then 0
        chances = np.where(np.eye(len(sizes), dtype=bool), 0.0, np.array(chances)).tolist()
    return nx.stochastic_block_model(sizes, chances, seed=seed)
