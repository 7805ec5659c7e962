"""Robust gossip that looks at all rows of a neighbourhood together: by pairs of them, or by coordinates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.inbox import Inbox
from dfedsam.gossip.robust.base import Neighbourhoods, RobustGossip, WeightingRule, neighbourhoods
from dfedsam.options import option, positive, whole_number
from dfedsam.rows import loops

_NETWORK = 16  # rows up to which exchanging neighbours sorts faster than numpy along a short axis


@dataclass(frozen=True, kw_only=True)
class IOS(WeightingRule):
    """Iterative outlier scissor: f times drop the neighbour farthest from the weighted mean of what is left.

    Then take that mean. Weights are W's, W_ii for the peer itself, which is never dropped. Source: Wu, Chen and Ling
    (2023), "Byzantine-resilient decentralized stochastic optimization with robust aggregation rules". Costs k² inner
    products for k neighbours.
    """

    public_name = "ios"

    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        weights = np.concatenate([around.own_weights[:, None], around.weights], axis=1)
        for _ in range(min(self.max_attackers, around.weights.shape[1])):
            mean = weights / weights.sum(axis=1, keepdims=True)
            squares = np.where(weights > 0, squares_to(around.gram, mean), -1)
            squares[:, 0] = -1
            weights[np.arange(len(weights)), squares.argmax(axis=1)] = 0
        return (weights / weights.sum(axis=1, keepdims=True))[:, 1:]


@dataclass(frozen=True, kw_only=True)
class Krum(WeightingRule):
    """x_i ← that row of x_i and its neighbours' which is closest to its nearest others.

    That is, whose sum of squared distances to the k − f − 1 nearest of the k + 1 rows is smallest. It needs k ≥ f + 2
    neighbours, and for its proof k ≥ 2f + 2. Source: Blanchard et al. (2017), "Machine learning with adversaries:
    Byzantine tolerant gradient descent"; as gossip, BRIDGE-K. Costs k² inner products.
    """

    neighbours_needed = (2, 2)

    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        diagonal = np.einsum("pkk->pk", around.gram)
        pairs = np.sort(diagonal[:, :, None] + diagonal[:, None] - 2 * around.gram, axis=2)
        count = max(1, pairs.shape[1] - self.max_attackers - 2)
        chosen = pairs[:, :, 1 : count + 1].sum(axis=2).argmin(axis=1)
        return (chosen[:, None] == np.arange(1, pairs.shape[1])).astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class GeometricMedian(WeightingRule):
    """The smoothed geometric median of x_i and the neighbours' rows, weighted by W: eight steps of Weiszfeld's method.

    z ← Σ_j α_j x_j / Σ_j α_j with α_j = w_j / max(ν, ‖x_j − z‖), from the weighted mean. It tolerates attackers of less
    than half the weight; f is not used. Source: Pillutla, Kakade and Harchaoui (2022), "Robust aggregation for
    federated learning". Costs k² inner products.

    Args:
        nu: ν, the smoothing, in units of x, above 0.
        iterations: steps, at least 1.
    """

    neighbours_needed = (0, 1)

    nu: float = option(0.1, positive)
    iterations: int = option(8, whole_number, 1)

    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        weights = np.concatenate([around.own_weights[:, None], around.weights], axis=1)
        mean = weights / weights.sum(axis=1, keepdims=True)
        for _ in range(self.iterations):
            mean = weights / np.maximum(self.nu, np.sqrt(np.maximum(squares_to(around.gram, mean), 0)))
            mean /= mean.sum(axis=1, keepdims=True)
        return mean[:, 1:]


@dataclass(frozen=True, kw_only=True)
class CoordinateRule(RobustGossip):
    """A rule for each coordinate by itself, which ignores W's weights."""

    @abstractmethod
    def reduce(self, values: NDArray) -> NDArray:
        """New rows (p, d) from values (k + 1, p, d): x_i, then the neighbours' rows; they may be overwritten."""

    def combine(self, inbox: Inbox) -> NDArray:
        out = inbox.x.copy()

        for around in neighbourhoods(inbox):

            def work(some: slice, around: Neighbourhoods = around) -> None:
                peers, edges = around.peers[some], around.edges[some].T
                values = np.empty((1 + len(edges), len(peers), inbox.x.shape[1]), inbox.x.dtype)
                np.take(inbox.x, peers, axis=0, out=values[0], mode="clip")
                around.received(edges, values[1:])
                out[peers] = self.reduce(values)

            loops(inbox.x)  # loads them, for `sort`, if the rows are worth it
            around.each_chunk(work)
        return out


@dataclass(frozen=True, kw_only=True)
class TrimmedMean(CoordinateRule):
    """The mean of x_i and the neighbours' values without the f largest and f smallest, coordinate by coordinate.

    Source: Fang, Yang and Bajwa (2022), "BRIDGE: Byzantine-resilient decentralized gradient descent" (BRIDGE-T). It
    needs 2f + 1 neighbours, and on thin graphs it may cut the network: what only one neighbour knows is always trimmed.
    Costs a sort of k numbers per coordinate.
    """

    neighbours_needed = (2, 1)

    def reduce(self, values: NDArray) -> NDArray:
        own_row, k, f = values[0], len(values) - 1, self.max_attackers
        if k <= 2 * f:
            return own_row
        kept = sort(values[1:])[f : k - f]
        for row in kept:
            own_row += row
        own_row /= len(kept) + 1
        return own_row


@dataclass(frozen=True, kw_only=True)
class Median(CoordinateRule):
    """The median of x_i and the neighbours' values, coordinate by coordinate; f is not used.

    It tolerates attackers that are fewer than half of a neighbourhood, but may cut a thin network, as trimmed_mean
    does. Source: BRIDGE-M, as trimmed_mean. Costs a sort of k + 1 numbers per coordinate.
    """

    neighbours_needed = (0, 2)

    def tolerated(self, degrees: NDArray[np.intp]) -> NDArray[np.intp]:
        return degrees // 2  # fewer than half of the neighbours and itself

    def reduce(self, values: NDArray) -> NDArray:
        rows = sort(values)
        middle, odd = divmod(len(rows), 2)
        return rows[middle] if odd else (rows[middle - 1] + rows[middle]) / 2


def squares_to(gram: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances of m rows from Σ_j mean_j x_j, shape (p, m), from their inner products (p, m, m)."""
    inner = np.einsum("pij,pj->pi", gram, mean)
    return np.einsum("pkk->pk", gram) - 2 * inner + np.einsum("pi,pi->p", inner, mean)[:, None]


def sort(values: NDArray) -> Sequence[NDArray]:
    """Values (k, p, d) as k arrays sorted element by element, so that the first holds the smallest; overwritten."""
    rows = list(values)
    if len(rows) > _NETWORK:
        return list(np.sort(values, axis=0))
    if compiled := loops(values[0]):
        compiled.sort(values)
        return rows
    spare = np.empty_like(rows[0])
    for turn in range(len(rows)):  # odd–even transposition: k turns sort k rows
        for i in range(turn % 2, len(rows) - 1, 2):
            np.minimum(rows[i], rows[i + 1], out=spare)
            np.maximum(rows[i], rows[i + 1], out=rows[i + 1])
            rows[i], spare = spare, rows[i]
    return rows
