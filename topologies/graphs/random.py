"""Random graphs of n peers, drawn again until they are connected; `graph.graph["seed"]` is the seed that served.

Calling the function again with that seed gives the same graph at the first draw.
"""

import networkx as nx
import numpy as np

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.building import TWO
from dfedsam.topologies.graphs.redraw import below, connected
from dfedsam.validation import positive, share, whole_number


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
    n, p = whole_number("peers", n, 2, TWO), share("p", p, "the usual is 0.3")
    hint = f"it is too small: take p well above ln(n)/n = {np.log(n) / n:.2g}"
    return connected("erdos_renyi", lambda s: nx.fast_gnp_random_graph(n, p, seed=s), seed, "p", p, hint)


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
    n, degree = whole_number("peers", n, 2, TWO), whole_number("degree", degree, 1, "the usual is 4")
    below("degree", degree, n)
    if n * degree % 2:
        hint = (
            f"use degree {degree - 1} or {degree + 1}, or an even number of peers"
            if degree + 1 < n
            else "use an even number of peers"
        )
        raise OptionError("degree", degree, f"must be even for an odd number of peers ({n})", hint)
    if degree == n - 1:  # the only graph of that degree; pairing stubs at random would hardly find it
        return connected("random_regular", lambda _: nx.complete_graph(n), seed, "degree", degree, "")
    hint = "it is too small: take a degree of 3 or more, or the ring"
    return connected(
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
    n, p = whole_number("peers", n, 2, TWO), share("p", p, "the usual is 0.1", zero=True)
    neighbours = whole_number("neighbours", neighbours, 2, "the usual is 4")
    if neighbours % 2:
        raise OptionError("neighbours", neighbours, "must be even, half on each side", f"use {neighbours - 1}")
    below("neighbours", neighbours, n)
    hint = "it is too large for so few neighbours: take a smaller p, or more neighbours"
    return connected("watts_strogatz", lambda s: nx.watts_strogatz_graph(n, neighbours, p, seed=s), seed, "p", p, hint)


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
    n, edges = whole_number("peers", n, 2, TWO), whole_number("edges", edges, 1, "the usual is 2")
    below("edges", edges, n)
    return connected("barabasi_albert", lambda s: nx.barabasi_albert_graph(n, edges, seed=s), seed, "edges", edges, "")


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
    n, radius = whole_number("peers", n, 2, TWO), positive("radius", radius, "the usual is 0.4")
    hint = f"it is too small: take a radius well above sqrt(ln(n)/(πn)) = {np.sqrt(np.log(n) / (np.pi * n)):.2g}"

    def draw(s: int) -> nx.Graph:
        return nx.random_geometric_graph(n, radius, seed=s)

    return connected("random_geometric", draw, seed, "radius", radius, hint)


def stochastic_block_model(n: int, blocks: int = 4, p_in: float = 0.7, p_out: float = 0.1, seed: int = 0) -> nx.Graph:
    """Peers in blocks as equal as can be: two of the same are joined with probability p_in, two of different with p_out
    (Holland, Laskey and Leinhardt 1983).

    Blocks are numbered through: the first peers are the first block, and the first blocks have one more where n is no
    multiple of `blocks`.

    Args:
        n: Number of peers, at least 2.
        blocks: Number of blocks, at least 1, at most n.
        p_in: Probability of an edge within a block, in [0, 1].
        p_out: Probability of an edge between two blocks, in (0, 1].
        seed: Seed, at least 0.

    Raises:
        ValueError: if an option is out of range, or if the probabilities are so small that no draw was connected.
    """
    n, blocks = whole_number("peers", n, 2, TWO), whole_number("blocks", blocks, 1, "the usual is 4")
    p_in, p_out = share("p_in", p_in, "the usual is 0.7", zero=True), share("p_out", p_out, "the usual is 0.1")
    if blocks > n:
        raise OptionError("blocks", blocks, f"must be at most the number of peers ({n})", "use less")
    sizes = [n // blocks + (i < n % blocks) for i in range(blocks)]
    chances = np.where(np.eye(blocks, dtype=bool), p_in, p_out).tolist()
    hint = f"it is too small: take a larger p_out, or a p_in well above ln(m)/m for blocks of m = {sizes[0]} peers"

    def draw(s: int) -> nx.Graph:
        return nx.stochastic_block_model(sizes, chances, seed=s)

    return connected("stochastic_block_model", draw, seed, "p_out", p_out, hint)
