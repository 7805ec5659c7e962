"""What one exchange phase does with the peers' rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.network.base import Network
    from dfedsam.randomness import Draws
    from topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Gossip(ABC):
    """One exchange phase. Its memory is what it must keep between rounds: arrays whose first axis is the peers.

    Attributes:
        seed_only: whether it sends the scalars of local steps in place of x, and is called with their `trace`.
    """

    seed_only: ClassVar[bool] = False

    def check(self, topology: Topology) -> None:
        """Raise ValueError, with what to use instead, unless this gossip works on the topology; called before round 0.

        Without an override it must keep the mean, or, where only rows sum to one, at least converge.
        """
        if topology.sums == "columns":
            raise ValueError(
                f"gossip is {type(self).__name__}: it needs weights whose rows sum to one, but only the columns of "
                "this directed topology's do; choose the gossip push_sum, or undirected links"
            )

    def note(self, topology: Topology) -> str | None:
        """What a user should know of this gossip on the topology, said once at the start of a run; None: nothing."""
        return None

    def init(self, x: NDArray) -> dict[str, NDArray]:
        """The memory before round 0, for the block's x (peers, dim)."""
        return {}

    def figures(self, memory: dict[str, NDArray]) -> dict[str, float]:
        """What the memory holds that belongs among a run's figures, such as a step size that was found for it."""
        return {}

    def multipliers(self, values: NDArray, weights: csr_array) -> NDArray | None:
        """What one exchange phase multiplies each eigenvector of a symmetric W with: eigenvalues (k,) → (k,).

        The effective λ_Q is the largest modulus over all eigenvalues but the first. None where no such figure exists.
        """
        return None

    @abstractmethod
    def __call__(
        self, x: NDArray, memory: dict[str, NDArray], network: Network, weights: csr_array, key: Draws
    ) -> tuple[NDArray, dict[str, NDArray]]:
        """Mix the rows of x (peers, dim) along the edges of W_t (n, n); returns x and the memory afterwards.

        It owns x and the memory. `key` holds this phase's random numbers for the block's peers; its steps are gossip's.
        """
