"""Topologies made from the data: from the share of each class among each peer's examples."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Literal, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from dfedsam.errors import OptionError
from dfedsam.options import at_least, one_of, whole_number
from dfedsam.topologies.graph import Graph
from dfedsam.topologies.graphs.helpers import checked_peers, checked_seed, in_networkx, of_edges
from dfedsam.topologies.schedule import Periodic, generator
from dfedsam.topologies.topology import Topology

_LEAST_GAIN = 1e-12  # of skew: below it is rounding
MOST = 2048  # at most: an assignment problem over all pairs of peers is solved for each neighbour
_DIGITS = 10  # of the costs: equal ones stay equal whatever the rounding errors, so that all ranks choose the same
_SAME_COMPONENT = 1e-9  # extra cost of hearing a peer that is in the same component already


def stl_fw(
    n: int, class_proportions: NDArray[np.floating] | None = None, degree: int = 4, mixing: float = 0.1
) -> Topology:
    """Sparse topology learning by Frank–Wolfe (STL-FW), from the share of each class among each peer's examples.

    With Π the proportions and J = 11ᵀ/n, it lowers g(W) = (1/n) ‖(W - J)Π‖² + (ν/n) ‖W - J‖² (Frobenius norms) over the
    doubly stochastic matrices, from W = I: each step finds the permutation P with the least ⟨∇g(W), P⟩, an assignment
    problem, and moves to the lowest point between W and P. A peer gets at most one neighbour more a step, in and out.
    Among permutations as good as each other it takes one that joins parts of the graph. Source: Le Bars, Bellet,
    Tommasi, Lavoie and Kermarrec (2023), "Refined convergence and topology learning for decentralized SGD with
    heterogeneous data".

    Args:
        n: number of peers, at least 2, at most 2048.
        class_proportions: Π, shape (n, classes), no entry negative, each row's sum 1 (or 0, of a peer without
            examples); a run passes those of its objective.
        degree: steps, and so the most peers that any one hears, and that hear it, at least 1. It ends sooner where
            nothing is left to gain.
        mixing: weight ν of the second part, at least 0: how much W shall mix well whatever the classes, beside keeping
            their proportions in each neighbourhood near those of all peers.

    Returns:
        A static, directed topology; rows and columns of W sum to one, and no entry is negative.
    """
    n = checked_peers(n)
    degree = whole_number("degree", degree, 1, "the usual is 4")
    if n > MOST:
        raise OptionError("peers", n, f"must be at most {MOST} for stl_fw", "take random_regular beyond that")
    mixing = at_least("mixing", mixing, 0, "the usual is 0.1")
    proportions = checked_proportions(n, class_proportions, "stl_fw")
    W = sp.csr_array(sp.eye_array(n, format="csr"))
    for _ in range(degree):
        senders = _assignment(W, proportions, mixing)
        W, length = _line_search(W, proportions, mixing, senders)
        if length == 0:
            break
    W.sort_indices()
    topology = Periodic([W], directed=True)
    topology.connect_hint = "take a larger degree, or a mixing above 0"
    return topology


def objective(W: sp.csr_array, class_proportions: NDArray[np.floating], mixing: float) -> tuple[float, float]:
    """The two parts of g: (1/n) ‖(W - J)Π‖², the bias of the neighbourhoods' classes, and (ν/n) ‖W - J‖²."""
    n = len(class_proportions)
    bias = W @ class_proportions - class_proportions.mean(axis=0)
    return float(np.sum(bias**2)) / n, mixing * (float(np.sum(W.data**2)) - 1) / n  # ‖W - J‖² = ‖W‖² - 1


def _assignment(W: sp.csr_array, proportions: NDArray[np.float64], mixing: float) -> NDArray[np.int64]:
    """The sender of each peer in the permutation with the least ⟨∇g, P⟩, shape (n,)."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    bias = W @ proportions - proportions.mean(axis=0)
    component = connected_components(W, directed=False)[1]
    cost = np.round(bias @ proportions.T + mixing * W.toarray(), _DIGITS)  # n/2 ∇g, up to a constant
    cost += _SAME_COMPONENT * (component[:, None] == component)
    return cast("NDArray[np.int64]", linear_sum_assignment(cost)[1])


def _line_search(
    W: sp.csr_array, proportions: NDArray[np.float64], mixing: float, senders: NDArray[np.int64]
) -> tuple[sp.csr_array, float]:
    """The lowest point of g between W and the permutation, and how far it is from W, in [0, 1]."""
    n = len(senders)
    P = sp.csr_array((np.ones(n), senders.astype(np.int32), np.arange(n + 1, dtype=np.int32)), shape=(n, n))
    mixed = W @ proportions
    bias, change = mixed - proportions.mean(axis=0), proportions[senders] - mixed
    overlap, square = float(W.multiply(P).sum()), float(np.sum(W.data**2))  # ⟨W, P⟩ and ‖W‖²
    descent = -float(np.sum(bias * change)) - mixing * (overlap - square)
    curvature = float(np.sum(change**2)) + mixing * (n - 2 * overlap + square)
    length = min(descent / curvature, 1.0) if descent > 1e-12 * n else 0.0
    return sp.csr_array((1 - length) * W + length * P), length


def checked_proportions(n: int, proportions: NDArray[np.floating] | None, name: str) -> NDArray[np.float64]:
    """Class proportions of n peers as float64, for the topology of this name."""
    if proportions is None:
        raise ValueError(
            f"class_proportions is missing: {name} is made from the classes of the peers' examples; give an array (n, "
            "classes), or run it with an objective whose examples have classes"
        )
    shares = np.asarray(proportions, dtype=np.float64)
    if shares.ndim != 2 or shares.shape[0] != n or shares.shape[1] == 0:
        shape = " × ".join(map(str, shares.shape))
        raise ValueError(
            f"class_proportions is {shape}: it must have {n} rows, one a peer, and a column for each class"
        )
    sums = shares.sum(axis=1)
    wrong = np.flatnonzero(~((shares >= 0).all(axis=1) & ((np.abs(sums - 1) <= 1e-6) | (sums == 0))))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(
            f"class_proportions of peer {i} sum to {sums[i]:.10g}: they must be shares of at least 0 that sum to 1; "
            "divide counts by their sum"
        )
    return shares


@in_networkx
def d_cliques(
    n: int,
    class_proportions: NDArray[np.floating] | None = None,
    clique_size: int = 10,
    between: Literal["all", "ring"] = "all",
    swaps: int = 1000,
    seed: int = 0,
) -> Graph:
    """D-Cliques by greedy swaps: cliques of peers in each of which the classes are mixed as among all peers.

    The peers are divided into cliques at random. Then, so many times, two cliques are drawn, and a swap of two of their
    peers, drawn among those that lower the sum of their skews; a clique's skew is Σ_l |p_C(l) - p(l)|, its mean
    proportions against those of all peers. One edge joins two cliques, at those of their peers with the fewest such
    edges. Departs from the paper in that each peer counts the same in p, however many examples it has; its clique
    averaging and momentum belong to an algorithm, and its fractal and small-world edges between cliques are not here.
    Source: Bellet, Kermarrec and Lavoie (2022), "D-Cliques: compensating for data heterogeneity with topology in
    decentralized federated learning", arXiv 2104.07365.

    Args:
        n: number of peers, at least 2.
        class_proportions: shape (n, classes), no entry negative, each row's sum 1 (or 0, of a peer without examples); a
            run passes those of its objective.
        clique_size: maximum number of peers in a clique, at least 2; usually the number of classes.
        between: which cliques an edge joins: "all" pairs, or neighbours on a "ring".
        swaps: how many times two cliques are drawn, at least 0.
        seed: at least 0.
    """
    n = checked_peers(n)
    clique_size = whole_number("clique_size", clique_size, 2, "the usual is the number of classes")
    one_of("between", between, ("all", "ring"))
    swaps = whole_number("swaps", swaps, 0, "the usual is 1000")
    seed = checked_seed(seed)
    proportions = checked_proportions(n, class_proportions, "d_cliques")
    rng = generator(seed, "d_cliques")
    order = rng.permutation(n)
    cliques = [order[start : start + clique_size] for start in range(0, n, clique_size)]
    for _ in range(swaps if len(cliques) > 1 else 0):
        first, second = rng.choice(len(cliques), size=2, replace=False)
        _swap(cliques[first], cliques[second], proportions, rng)
    members = [sorted(clique.tolist()) for clique in cliques]
    within = [pair for clique in members for pair in combinations(clique, 2)]
    graph = of_edges("d_cliques", n, [*within, *_joins(n, members, between)])
    graph.facts["seed"] = seed
    return graph


def skew(peers: NDArray[np.integer], proportions: NDArray[np.float64]) -> float:
    """Σ_l |p_C(l) - p(l)| of the clique of these peers."""
    return float(np.abs(proportions[peers].mean(axis=0) - proportions.mean(axis=0)).sum())


def _swap(
    first: NDArray[np.integer], second: NDArray[np.integer], proportions: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """Swap, in place, a pair of peers drawn among those that lower the two cliques' skews."""
    mean, first_shares, second_shares = proportions.mean(axis=0), proportions[first], proportions[second]
    moved = second_shares[None, :, :] - first_shares[:, None, :]  # what the first clique's sum gains by each swap
    skews = np.abs(first_shares.mean(axis=0) + moved / len(first) - mean).sum(axis=2)
    skews += np.abs(second_shares.mean(axis=0) - moved / len(second) - mean).sum(axis=2)
    better = np.argwhere(skews < skew(first, proportions) + skew(second, proportions) - _LEAST_GAIN)
    if len(better):
        i, j = better[rng.integers(len(better))]
        first[i], second[j] = second[j], first[i]


def _joins(n: int, cliques: list[list[int]], between: Literal["all", "ring"]) -> list[tuple[int, int]]:
    """An edge between two cliques, for all pairs or around a ring."""
    edges, counts = [], [0] * n  # of each peer to other cliques
    numbers = range(len(cliques))
    closing = [(0, len(cliques) - 1)] if len(cliques) > 2 else []
    for a, b in combinations(numbers, 2) if between == "all" else [*pairwise(numbers), *closing]:
        u, v = (min(cliques[c], key=counts.__getitem__) for c in (a, b))
        edges.append((min(u, v), max(u, v)))
        counts[u] += 1
        counts[v] += 1
    return edges
