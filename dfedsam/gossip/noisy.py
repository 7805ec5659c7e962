"""Plain gossip over noisy links."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.base import GossipState, MultiStepGossip
from dfedsam.gossip.channel import Channel
from dfedsam.options import at_least, option
from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Noisy(MultiStepGossip[GossipState]):
    """x_i ← w_ii x_i + Σ_j w_ij (x_j + σ n_j), Q times: what a peer sends arrives with Gaussian noise n_j of its own.

    All neighbours of a peer receive the same noise. The peers' mean is not kept: in a step it gets noise of variance
    (σ/n)² Σ_j (1 − w_jj)² per coordinate, and over many steps it walks away. Costs as plain gossip. Source: Xiao, Boyd
    and Kim (2007), "Distributed average consensus with least-mean-square deviation".

    Args:
        steps: Q, gossip steps per round, at least 1.
        sigma: σ, standard deviation of the noise per coordinate, in units of x, at least 0.
    """

    keeps_mean = False

    sigma: float = option(0.01, at_least, 0)

    def __call__(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray, GossipState]:
        own_weights = np.asarray(channel.weights.diagonal())[np.asarray(channel.communicator.block)]
        for q in range(self.steps):
            noise = channel.step(q).stream.normal(x.shape[1:], x.dtype)
            noise *= x.dtype.type(self.sigma)
            x = channel.mix(x + noise)
            noise *= own_weights[:, None].astype(x.dtype)
            x -= noise
        return x, state

    def contraction_factor(self, topology: Topology, plain: float | None) -> float | None:
        """That of plain gossip: of the expectation."""
        return plain
