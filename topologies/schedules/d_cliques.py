"""D-Cliques: cliques of peers in each of which the classes are mixed as among all peers.

Source: Bellet, Kermarrec and Lavoie (2022), "D-Cliques: compensating for data heterogeneity with topology in
decentralized federated learning", arXiv 2104.07365.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.topologies.graphs.helpers import checked_peers
from dfedsam.topologies.randomness import generator
from dfedsam.topologies.schedules.stl_fw import checked_proportions
from dfedsam.validation import one_of, whole_number

_LEAST_GAIN = 1e-12  # of skew: below it is rounding


def d_cliques(
    n: int,
    class_proportions: NDArray[np.floating] | None = None,
    clique_size: int = 10,
    between: Literal["all", "ring"] = "all",
    swaps: int = 1000,
    seed: int = 0,
) -> nx.Graph:
    """D-Cliques by greedy swaps, from the share of each class among each peer's examples.

    The peers are divided into cliques at random. Then, so many times, two cliques are drawn, and a swap of two of their
    peers, drawn among those that lower the sum of their skews; a clique's skew is Σ_l |p_C(l) - p(l)|, its mean
    proportions against those of all peers. One edge joins two cliques, at those of their peers with the fewest such
    edges. Departs from the paper in that each peer counts the same in p, however many examples it has; its clique
    averaging and momentum belong to an algorithm, and its fractal and small-world edges between cliques are not here.

    Args:
        n: number of peers, at least 2.
        class_proportions: shape (n, classes), no entry negative, each row's sum 1 (or 0, of a peer without examples); a
            run passes those of its objective.
        clique_size: maximum number of peers in a clique, at least 2; usually the number of classes.
        between: which cliques an edge joins: "all" pairs, or neighbours on a "ring".
        swaps: how many times two cliques are drawn, at least 0.
        seed: at least 0.

    Raises:
        OptionError: if an option is out of range.
        ValueError: if class_proportions is missing or invalid.
    """
    n = checked_peers(n)
    clique_size = whole_number("clique_size", clique_size, 2, "the usual is the number of classes")
    one_of("between", between, ("all", "ring"))
    swaps = whole_number("swaps", swaps, 0, "the usual is 1000")
    seed = whole_number("seed", seed, 0, "give 0 or more")
    proportions = checked_proportions(n, class_proportions, "d_cliques")
    rng = generator(seed, "d_cliques")
    order = rng.permutation(n)
    cliques = [order[start : start + clique_size] for start in range(0, n, clique_size)]
    for _ in range(swaps if len(cliques) > 1 else 0):
        first, second = rng.choice(len(cliques), size=2, replace=False)
        _swap(cliques[first], cliques[second], proportions, rng)
    graph = nx.Graph(name="d_cliques", seed=seed)
    graph.add_nodes_from(range(n))
    for clique in cliques:
        graph.add_edges_from(combinations(sorted(clique.tolist()), 2))
    _join(graph, [sorted(clique.tolist()) for clique in cliques], between)
    return graph


def skew(peers: NDArray[np.integer], proportions: NDArray[np.float64]) -> float:
    """Σ_l |p_C(l) - p(l)| of the clique of these peers."""
    return float(np.abs(proportions[peers].mean(axis=0) - proportions.mean(axis=0)).sum())


def _swap(
    first: NDArray[np.integer], second: NDArray[np.integer], proportions: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """Swap, in place, a pair of peers drawn among those that lower the two cliques' skews."""
    mean, own, other = proportions.mean(axis=0), proportions[first], proportions[second]
    moved = other[None, :, :] - own[:, None, :]  # what the first clique's sum gains by each swap
    skews = np.abs(own.mean(axis=0) + moved / len(first) - mean).sum(axis=2)
    skews += np.abs(other.mean(axis=0) - moved / len(second) - mean).sum(axis=2)
    better = np.argwhere(skews < skew(first, proportions) + skew(second, proportions) - _LEAST_GAIN)
    if len(better):
        i, j = better[rng.integers(len(better))]
        first[i], second[j] = second[j], first[i]


def _join(graph: nx.Graph, cliques: list[list[int]], between: Literal["all", "ring"]) -> None:
    """Add an edge between two cliques, for all pairs or around a ring."""
    edges = dict.fromkeys(graph, 0)  # to other cliques
    numbers = range(len(cliques))
    closing = [(0, len(cliques) - 1)] if len(cliques) > 2 else []
    for a, b in combinations(numbers, 2) if between == "all" else [*pairwise(numbers), *closing]:
        u, v = (min(cliques[c], key=edges.__getitem__) for c in (a, b))
        graph.add_edge(min(u, v), max(u, v))
        edges[u] += 1
        edges[v] += 1
