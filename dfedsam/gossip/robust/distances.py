"""Robust gossip by distances from the peer's own row: clipping or dropping what is far, or trying what is near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.inbox import Inbox
from dfedsam.gossip.robust.base import Neighbourhoods, RobustGossip, WeightingRule, nearest, neighbourhoods, strongest
from dfedsam.options import at_least, between, one_of, option, positive, share, whole_number

if TYPE_CHECKING:
    from dfedsam.topologies import Topology

Radius = Literal["adaptive", "oracle", "fixed"]
_TINY = 1e-12  # relative: what two sums of the same weights may differ by


@dataclass(frozen=True, kw_only=True)
class Clipped(WeightingRule):
    """ClippedGossip, once named self-centred clipping: x_i ← Σ_j w_ij (x_i + clip(x_j − x_i, τ_i)).

    With b_i the weight of attackers at i, τ_i² = Σ w_ij ‖x_j − x_i‖² / b_i over honest j. The radius "adaptive" takes
    the nearest neighbours in place of the honest ones, and for b_i the f largest weights; "oracle" is told who attacks,
    which no deployed peer knows; "fixed" takes τ as given, needs no f, and keeps the mean if nobody attacks and W is
    symmetric. Source: He, Karimireddy and Jaggi (2022), "Byzantine-robust decentralized learning via ClippedGossip".
    Costs one distance per edge.

    Args:
        radius: how τ_i is found.
        tau: τ of "fixed", above 0.
    """

    neighbours_needed = (1, 0)

    radius: Radius = option("adaptive", one_of, get_args(Radius))
    tau: float = option(1.0, positive)

    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        return around.weights * clip(around.distances, self._radius(around))

    def tolerated(self, degrees: NDArray[np.intp]) -> NDArray[np.intp] | None:
        return super().tolerated(degrees) if self.radius == "adaptive" else None

    def _radius(self, around: Neighbourhoods) -> NDArray[np.float64]:
        """τ_i, shape (p,); infinite where nobody attacks."""
        if self.radius == "fixed":
            return np.full(len(around.peers), self.tau)
        if self.radius == "oracle":
            near = around.weights * around.honest
            bound = (around.weights * ~around.honest).sum(axis=1)
        else:
            bound = strongest(around, self.max_attackers)
            near = nearest(around, around.weights.sum(axis=1) - bound)
        squares = (near * around.distances**2).sum(axis=1)
        return np.where(bound > 0, np.sqrt(squares / np.where(bound > 0, bound, 1)), np.inf)


@dataclass(frozen=True, kw_only=True)
class CSPlus(WeightingRule):
    """F-RG with CS+: clip all to the distance that leaves the farthest 2b outside.

    x_i ← x_i + Σ_j w_ij (x_j − x_i) min(1, τ_i/r_j), τ_i the distance at which the sorted neighbours' weights reach
    their total less 2b_i, with b_i the f largest weights. With unit weights it converges up to f < μ₂/2 attackers
    around each peer, μ₂ that of the honest graph, and no rule can do much better. Keeps the mean only with f = 0.
    Source: Gaucher, Dieuleveut and Hendrikx (2025), "Unified breakdown analysis for Byzantine robust gossip". Costs one
    distance per edge.
    """

    public_name = "cs_plus"
    neighbours_needed = (1, 0)

    def note(self, topology: Topology) -> str | None:
        if topology.period != 1 or not self.max_attackers:
            return None
        W = topology.weights(0)
        stuck, most = np.diff(W.indptr) - (W.diagonal() != 0) <= 2 * self.max_attackers, 2 * self.max_attackers
        if not stuck.any():
            return None
        needs = f"with max_attackers {self.max_attackers} a peer needs more than {most} neighbours"
        return f"cs_plus clips all that {stuck.sum()} of {topology.n} peers receive to nothing: {needs}"

    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        if self.max_attackers == 0:
            return around.weights
        order = np.argsort(around.distances, axis=1, kind="stable")
        reached = np.cumsum(np.take_along_axis(around.weights, order, axis=1), axis=1)
        total = reached[:, -1]
        left = total - 2 * strongest(around, self.max_attackers)
        last = np.argmax(reached >= (left - _TINY * total)[:, None], axis=1)
        sorted_distances = np.take_along_axis(around.distances, order, axis=1)
        tau = np.where(left > _TINY * total, sorted_distances[np.arange(len(last)), last], 0)
        return around.weights * clip(around.distances, tau)


@dataclass(frozen=True, kw_only=True)
class GTS(WeightingRule):
    """F-RG with global trimmed sums: drop the farthest neighbours, of total weight b_i, and keep their weight.

    b_i is the total of the f largest weights. Source: Gaucher, Dieuleveut and Hendrikx (2025), as CS+. Costs one
    distance per edge.
    """

    public_name = "gts"

    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        return nearest(around, around.weights.sum(axis=1) - strongest(around, self.max_attackers))


@dataclass(frozen=True, kw_only=True)
class NNA(WeightingRule):
    """Nearest neighbour averaging: the plain mean of x_i and all but the f farthest neighbours, whatever W's weights.

    Source: Farhadkhani, Guerraoui, Gupta, Hoang, Pinot and Stephan (2023), "Robust collaborative learning with linear
    gradient overhead" (MoNNA without its momentum). Costs one distance per edge.
    """

    public_name = "nna"

    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        place = np.argsort(np.argsort(around.distances, axis=1, kind="stable"), axis=1, kind="stable")
        kept = max(0, place.shape[1] - self.max_attackers)
        return (place < kept) / (kept + 1)


@dataclass(frozen=True, kw_only=True)
class Balance(WeightingRule):
    """BALANCE: accept j if ‖x_j − x_i‖ ≤ γ e^{−κ t/T} ‖x_i‖; x_i ← α x_i + (1 − α) mean of the accepted.

    It assumes no number of attackers (f is not used), but that honest rows come close relative to their length. Source:
    Fang et al. (2024), "Byzantine-robust decentralized federated learning"; the defaults are those of third parties.
    Costs one distance per edge.

    Args:
        gamma: γ, above 0.
        kappa: κ, at least 0.
        alpha: α, from 0 to 1.
        rounds: T, usually the rounds of the run, at least 1.
    """

    neighbours_needed = (0, 1)

    gamma: float = option(2.0, positive)
    kappa: float = option(1.0, at_least, 0)
    alpha: float = option(0.5, between, 0, 1)
    rounds: int = option(100, whole_number, 1)

    def reweigh(self, around: Neighbourhoods) -> NDArray[np.float64]:
        factor = self.gamma * np.exp(-self.kappa * around.inbox.channel.stream.round / self.rounds)
        accepted = around.distances <= factor * around.norms[:, None]
        return (1 - self.alpha) * accepted / np.maximum(accepted.sum(axis=1, keepdims=True), 1)


def clip(distances: NDArray[np.float64], tau: NDArray[np.float64]) -> NDArray[np.float64]:
    """min(1, τ_i/r_ij) for r (p, k) and τ (p,); 1 where r is 0."""
    return np.where(distances > tau[:, None], tau[:, None] / np.where(distances > 0, distances, 1), 1.0)


@dataclass(frozen=True, kw_only=True)
class UBAR(RobustGossip):
    """UBAR (Mozi): of the nearest neighbours accept those whose rows are no worse than mine on my own data.

    The nearest share ρ of the neighbours is tried on the peer's minibatch of the round's first local step; those whose
    loss is at most that of its own row are accepted, or else the best one. x_i ← α x_i + (1 − α) mean of the accepted.
    It assumes that at least the share ρ is honest (f is not used), and that data differ little. In the paper the
    gradient step, at the old x_i, is added to this mean; here local steps come first. Source: Guo, Zhang, Yu, Xie, Ma,
    Xiang and Liu (2022), "Byzantine-resilient decentralized stochastic gradient descent". Costs one distance per edge,
    and 1 + max(1, round(ρk)) queries a gossip step for k neighbours.

    Args:
        share: ρ, above 0 and at most 1.
        alpha: α, from 0 to 1.
    """

    public_name = "ubar"
    queries = True
    neighbours_needed = (0, 1)

    share: float = option(0.4, share)
    alpha: float = option(0.5, between, 0, 1)

    def combine(self, inbox: Inbox) -> NDArray:
        weights, own_weights = np.zeros_like(inbox.weights), np.ones_like(inbox.own_weights)
        for around in neighbourhoods(inbox):
            tried = max(1, round(self.share * around.edges.shape[1]))
            near = np.sort(np.argsort(around.distances, axis=1, kind="stable")[:, :tried], axis=1)
            edges = np.take_along_axis(around.edges, near, axis=1)
            weights[edges] = (1 - self.alpha) * self._accepted(inbox, around.peers, edges)
            own_weights[around.peers] = self.alpha
        return inbox.sums(own_weights, weights)

    def _accepted(self, inbox: Inbox, peers: NDArray[np.intp], edges: NDArray[np.intp]) -> NDArray[np.float64]:
        """Weights of the accepted among these edges (p, c), whose sum is 1 for each peer."""
        if inbox.channel.losses is None:
            raise ValueError("ubar queries losses of what it receives: its channel must have a function for that")
        candidates = np.concatenate([inbox.x[peers, None], inbox.rows[inbox.columns[edges]]], axis=1)
        losses = inbox.channel.losses(peers, candidates)
        accepted = losses[:, 1:] <= losses[:, :1]
        accepted[np.arange(len(peers)), losses[:, 1:].argmin(axis=1)] |= ~accepted.any(axis=1)
        return accepted / accepted.sum(axis=1, keepdims=True)
