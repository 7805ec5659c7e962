"""Plain gossip: x ← W x, Q times, over perfect or noisy links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.base import GossipState, MultiStepGossip
from dfedsam.gossip.channel import Channel
from dfedsam.options import at_least, option
from dfedsam.topologies import Topology, spectrum_ends

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, kw_only=True)
class Plain(MultiStepGossip[GossipState]):
    """x ← W x, Q times: equal to one step with W^Q, so the consensus error shrinks by λ^Q.

    Each step sends one vector along every edge in both directions. Source: Xiao and Boyd (2004), "Fast linear
    iterations for distributed averaging"; Q > 1 as in DFedSAM-MGS (Shi et al., 2023).

    Args:
        steps: Q, gossip steps per round, at least 1.
    """

    admits_attackers = True
    instead = "choose the gossip push_sum, or undirected links"

    def __call__(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray, GossipState]:
        spare = None  # two arrays serve all steps
        for _ in range(self.steps):
            x, spare = channel.mix(x, out=spare), x
        return x, state

    def difference(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray[np.float64], GossipState]:
        first = channel.difference(x)
        total = first.copy()
        for _ in range(self.steps - 1):  # W^q x − x = (W − I) x + W (W^{q−1} x − x)
            total += channel.difference(total.astype(x.dtype))
            total += first
        return total, state

    def multipliers(self, eigenvalues: NDArray, W: csr_array) -> NDArray:
        """λ^Q."""
        return eigenvalues**self.steps

    def smallest_multiplier(self, W: csr_array) -> float:
        return spectrum_ends(W)[0] ** self.steps

    def contraction_factor(self, topology: Topology, plain: float | None) -> float | None:
        return plain


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
