"""How far each peer is from its neighbours, as far as compressed messages say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.compressed import Compressed, Memory
from topologies.checks import share

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.network.base import Network
    from dfedsam.randomness import Draws


@dataclass(frozen=True, kw_only=True)
class Disagreement(Compressed):
    """x becomes (I − W) x̂ with x̂ = h + C(x − h): what LEAD's dual variable takes in. It is no averaging by itself.

    h is what a peer's neighbours hold of it and moves a share α of the way to x̂; h_w = W h is what it holds of them.
    Source: Liu et al. (2021), "Linear convergent decentralized optimization with compression", the procedure COMM.

    Args:
        compressor: C, what is sent in place of a row.
        alpha: α, above 0 and at most 1.
    """

    alpha: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        share("alpha", self.alpha, "the usual is 0.5")

    def init(self, x: NDArray) -> Memory:
        """See Gossip; x is the common start: the same row for every peer."""
        return {**super().init(x), "known": x.copy(), "heard": x.copy()}

    def step(self, x: NDArray, memory: Memory, network: Network, weights: csr_array, key: Draws) -> None:
        """See Compressed."""
        known, heard, alpha = memory["known"], memory["heard"], x.dtype.type(self.alpha)
        mixed = network.scratch("mixed", x.shape, x.dtype)  # W q

        def give(rows: slice, q: NDArray) -> None:
            mixed[rows] = 0  # the rest is settled once W q is there

        def settle(rows: slice, q: NDArray) -> None:
            np.subtract(known[rows], heard[rows], out=x[rows])
            x[rows] += q
            x[rows] -= mixed[rows]
            known[rows] += alpha * q
            heard[rows] += alpha * mixed[rows]

        self.exchange(lambda rows: x[rows] - known[rows], give, mixed, settle, memory, network, weights, key)

    @property
    def phase(self) -> str:
        """See Compressed."""
        return "algorithm Lead"

    def blame(self, memory: Memory) -> str:
        """See Compressed."""
        return "a lower lr, gamma or alpha, or a finer compressor, usually helps"
