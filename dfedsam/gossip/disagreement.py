"""How far each peer is from its neighbours, as far as compressed messages say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.compressed import Compressed, Memory
from dfedsam.validation import share

if TYPE_CHECKING:
    from dfedsam.gossip.channel import Channel


@dataclass(frozen=True, kw_only=True)
class Disagreement(Compressed):
    """x becomes (I − W) x̂ with x̂ = h + C(x − h): what LEAD's dual variable takes in. It is no averaging by itself.

    h is what a peer's neighbours hold of it and moves a share α of the way to x̂; of what it holds of them, W h, it
    keeps (I − W) h. Source: Liu et al. (2021), "Linear convergent decentralized optimization with compression", the
    procedure COMM.

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
        return {**super().init(x), "known": x.copy(), "apart": np.zeros_like(x)}

    def step(self, x: NDArray, memory: Memory, channel: Channel) -> None:
        """See Compressed."""
        known, apart, alpha = memory["known"], memory["apart"], x.dtype.type(self.alpha)
        change = channel.communicator.scratch("change", x.shape, x.dtype)  # (I − W) q

        def take(rows: slice) -> NDArray:
            change[rows] = 0
            return x[rows] - known[rows]

        def settle(rows: slice) -> None:
            np.add(apart[rows], change[rows], out=x[rows])
            apart[rows] += alpha * change[rows]

        self.exchange(take, known, self.alpha, change, -1.0, settle, memory, channel)

    @property
    def phase(self) -> str:
        """See Compressed."""
        return "algorithm Lead"

    def blame(self, memory: Memory) -> str:
        """See Compressed."""
        return "a lower lr, gamma or alpha, or a finer compressor, usually helps"
