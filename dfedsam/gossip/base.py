"""What one exchange phase does with the peers' rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.network.base import Network


@dataclass(frozen=True, kw_only=True)
class Gossip(ABC):
    """One exchange phase. Its memory is what it must keep between rounds: arrays whose first axis is the peers."""

    def init(self, x: NDArray) -> dict[str, NDArray]:
        """The memory before round 0, for the block's x (peers, dim)."""
        return {}

    @abstractmethod
    def __call__(
        self, x: NDArray, memory: dict[str, NDArray], network: Network, weights: csr_array
    ) -> tuple[NDArray, dict[str, NDArray]]:
        """Mix the rows of x (peers, dim) along the edges of W_t (n, n); returns x and the memory afterwards."""
