"""A topology computed from the data: every peer receives from peers with the classes that it lacks."""

from __future__ import annotations

from typing import cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.helpers import checked_peers
from dfedsam.topologies.schedule import Periodic
from dfedsam.topologies.topology import Topology
from dfedsam.validation import at_least, whole_number

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

    Raises:
        OptionError: if an option is out of range, or class_proportions is missing or invalid.
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
    """Class proportions of n peers as float64, for the topology of this name.

    Raises:
        ValueError: if they are missing, or are not shares of shape (n, classes).
    """
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
