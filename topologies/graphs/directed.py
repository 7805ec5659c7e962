"""Directed graphs: an edge leads from a peer to one that hears it.

Their weights are by default those of push-sum, 1/(1 + d_out) (`topologies.weights.rules.out_degree`). Where every peer
sends to as many as it hears these are doubly stochastic, and plain gossip keeps the mean too.
"""

from typing import cast

import networkx as nx
import numpy as np

from dfedsam.topologies.graphs.building import TWO, build_directed
from dfedsam.topologies.graphs.redraw import below, connected
from dfedsam.validation import whole_number


def directed_ring(n: int) -> nx.DiGraph:
    """A ring with one direction: peer i sends to i + 1, modulo n. ‖W - J‖₂ = ρ(W - J) = cos(π/n).

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole_number("peers", n, 2, TWO)
    return build_directed("directed_ring", n, ((i, (i + 1) % n) for i in range(n)))


def directed_exponential(n: int) -> nx.DiGraph:
    """The static exponential graph: peer i sends to i + 1, i + 2, i + 4, …, i + 2^{τ-1}, modulo n, with τ = ⌈log₂ n⌉.

    All weights are 1/(τ + 1). For an even n, ‖W - J‖₂ = ρ(W - J) = (τ - 1)/(τ + 1); for an odd one they are smaller.
    Source: Ying et al. (2021), "Exponential graph is provably efficient for decentralized deep training".

    Args:
        n: Number of peers, at least 2.

    Raises:
        ValueError: if n is below 2.
    """
    n = whole_number("peers", n, 2, TWO)
    offsets = [1 << j for j in range((n - 1).bit_length())]
    return build_directed("directed_exponential", n, ((i, (i + o) % n) for i in range(n) for o in offsets))


def random_out(n: int, degree: int = 4, seed: int = 0) -> nx.DiGraph:
    """Each peer sends to `degree` others, drawn at random; drawn again until every peer reaches every other.

    Columns of W sum to one, rows do not: plain gossip would aim at the wrong mean, push-sum does not. Likely connected
    for degree > ln n.

    Args:
        n: Number of peers, at least 2.
        degree: Peers that each one sends to: at least 1, below n.
        seed: Seed, at least 0; `graph.graph["seed"]` is the one that served.

    Raises:
        ValueError: if an option is out of range, or if the degree is so small that no draw was connected.
    """
    n, degree = whole_number("peers", n, 2, TWO), whole_number("degree", degree, 1, "the usual is 4")
    below("degree", degree, n)

    def draw(s: int) -> nx.DiGraph:
        rng = np.random.default_rng(s)
        hops = [1 + rng.choice(n - 1, size=degree, replace=False) for _ in range(n)]
        return build_directed("random_out", n, ((i, int(i + hop) % n) for i in range(n) for hop in hops[i]))

    hint = f"it is too small: take a degree above ln(n) = {np.log(n):.2g}"
    return cast(nx.DiGraph, connected("random_out", draw, seed, "degree", degree, hint))
