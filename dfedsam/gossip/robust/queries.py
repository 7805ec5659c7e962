"""Robust gossip that queries the black box: what does a received row do on my own data?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.inbox import Inbox
from dfedsam.gossip.robust.base import RobustGossip, neighbourhoods
from dfedsam.options import between, option, share


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
