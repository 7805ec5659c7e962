"""Push-sum: averages along directed links, where no peer can make the weights of what it receives sum to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.base import GossipState, MultiStepGossip

if TYPE_CHECKING:
    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology


@dataclass
class PushSumState(GossipState):
    """X and, in its last column, the weights w.

    Args:
        sums: shape (peers, dim + 1).
    """

    sums: NDArray


@dataclass(frozen=True, kw_only=True)
class PushSum(MultiStepGossip[PushSumState]):
    """X ← W X and w ← W w, Q times, with columns of W that sum to one; peers continue from x = X / w.

    X takes in what the local steps added to x, unscaled, so that the mean of X moves by the plain mean of all peers'
    steps and x tends to it: unbiased on any strongly connected digraph. With D-PSGD this is stochastic gradient push
    (SGP). Each step sends d + 1 numbers along every edge; the peers keep one more array of their size. Source: Kempe,
    Dobra and Gehrke (2003), "Gossip-based computation of aggregate information"; Assran et al. (2019), "Stochastic
    gradient push for distributed deep learning", algorithm 1.

    Args:
        steps: Q, gossip steps per round, at least 1.
    """

    needs = "columns"
    instead = "choose the weights metropolis or out_degree"
    needs_increments = True

    def init(self, x: NDArray) -> PushSumState:
        return PushSumState(np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1))

    def __call__(self, x: NDArray, state: PushSumState, channel: Channel) -> tuple[NDArray, PushSumState]:
        sums = state.sums
        X, w = sums[:, :-1], sums[:, -1:]
        X += x - X / w
        spare = None  # two arrays serve all steps
        for _ in range(self.steps):
            sums, spare = channel.mix(sums, out=spare), sums
        np.divide(sums[:, :-1], sums[:, -1:], out=x)
        return x, PushSumState(sums)

    def contraction_factor(self, topology: Topology, plain: float | None) -> float | None:
        """λ_Q of plain gossip; if only the columns of W sum to one, the asymptotic rate."""
        return plain
