"""Push-sum: averages along directed links, where no peer can make what it takes in sum to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.base import Gossip
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class PushSum(Gossip):
    """X ← W X and w ← W w, Q times, with columns of W that sum to one; peers go on from x = X / w.

    X takes in what the local steps added to x, unscaled, so that the mean of X moves by the plain mean of all peers'
    steps and x tends to it: unbiased on any strongly connected digraph. With D-PSGD this is stochastic gradient push
    (SGP). Each step sends d + 1 numbers along every edge; the peers keep one more array of their size. Source: Kempe,
    Dobra and Gehrke (2003), "Gossip-based computation of aggregate information"; Assran et al. (2019), "Stochastic
    gradient push for distributed deep learning", algorithm 1.

    Args:
        steps: Q, gossip steps a round, at least 1.
    """

    steps: int = 1

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 1, "LocalOnly is the algorithm without communication")

    def check(self, topology: Topology) -> None:
        """See Gossip: W_t must be column-stochastic.

        Raises:
            ValueError: if only the rows of W_t sum to one.
        """
        if topology.sums == "rows":
            raise ValueError(
                "gossip is PushSum: its weights' columns must sum to one, but only the rows of this topology's do: "
                "choose the weights metropolis or out_degree"
            )

    def init(self, x: NDArray) -> dict[str, NDArray]:
        """X and, in its last column, w: shape (peers, dim + 1)."""
        return {"sums": np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)}

    def rate(self, topology: Topology, plain: float | None) -> float | None:
        """See Gossip; where only columns of W sum to one, it is that of the long run."""
        return plain

    def __call__(self, x: NDArray, memory: dict[str, NDArray], channel: Channel) -> tuple[NDArray, dict[str, NDArray]]:
        """See the class."""
        sums = memory["sums"]
        X, w = sums[:, :-1], sums[:, -1:]
        X += x - X / w
        spare = None  # two arrays serve all steps
        for _ in range(self.steps):
            sums, spare = channel.mix(sums, out=spare), sums
        np.divide(sums[:, :-1], sums[:, -1:], out=x)
        return x, {"sums": sums}
