"""Plain gossip: x ← W x, Q times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.base import GossipState, MultiStepGossip
from dfedsam.topologies import spectrum_ends

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology


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
