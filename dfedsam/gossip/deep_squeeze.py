"""DeepSqueeze: compressed rows, with what was left out added to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.compressed import Compressed, Memory
from dfedsam.validation import positive

if TYPE_CHECKING:
    from dfedsam.gossip.channel import Channel


@dataclass(frozen=True, kw_only=True)
class DeepSqueeze(Compressed):
    """v = x + e, c = C(v), e ← v − c, x ← x + γ (W − I) c, Q times.

    It remembers nothing of other peers, so that W may change from round to round. But it compresses x itself and not
    its changes: the peers end at a distance that shrinks with γ, where CHOCO's goes to zero. Every step sends one
    message along every edge in both directions; the peers hold one more array of the size of x. Source: Tang et al.
    (2019), "DeepSqueeze: decentralization meets error-compensated compression", algorithm 1.

    Args:
        compressor: C, what is sent in place of a row.
        gamma: γ, the consensus step size, above 0; it should not exceed the compressor's δ by much.
        steps: Q, gossip steps a round, at least 1.
    """

    bound: ClassVar[float] = 1e10  # e may hold all of x, which may be far longer than the first steps

    gamma: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("gamma", self.gamma)

    def init(self, x: NDArray) -> Memory:
        """See Gossip."""
        return {**super().init(x), "error": np.zeros_like(x)}

    def step(self, x: NDArray, memory: Memory, channel: Channel) -> None:
        """See Compressed."""
        error = memory["error"]

        def take(rows: slice) -> NDArray:
            error[rows] += x[rows]
            return error[rows]

        def settle(rows: slice) -> None:
            """x has all it takes in."""

        self.exchange(take, error, -1, x, self.gamma, settle, memory, channel)

    def blame(self, memory: Memory) -> str:
        """See Compressed."""
        return f"gamma is {self.gamma:g}: choose a smaller one, or the gossip choco"
