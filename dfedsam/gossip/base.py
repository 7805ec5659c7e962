"""What one exchange phase does with the peers' rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.topologies import spectrum_ends

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Gossip(ABC):
    """One exchange phase. Its memory is what it must keep between rounds: arrays whose first axis is the peers.

    Attributes:
        sends_coefficients: whether it sends the coefficients of local steps in place of x; its channel has an `update`.
    """

    sends_coefficients: ClassVar[bool] = False

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

        Over all eigenvalues but the first its modulus must be largest at λ_min or λ₂. None where no such figure exists.
        """
        return None

    def length(self, topology: Topology) -> int:
        """Q, the gossip steps of one exchange phase on the topology, each a message along every edge."""
        return getattr(self, "steps", 1)

    def rate(self, topology: Topology, plain: float | None) -> float | None:
        """The effective λ_Q: what one exchange phase leaves at most of the peers' distance from their mean.

        Args:
            topology: the run's.
            plain: the same figure for as many steps of plain gossip; None where it has none.

        Returns:
            ‖P_Q(W) − J‖₂ for one symmetric W; None where no such figure exists.
        """
        if topology.period != 1 or topology.directed or topology.sums != "both":
            return None
        return self.left(topology.weights(0))

    def left(self, weights: csr_array) -> float | None:
        """‖P_Q(W) − J‖₂ for a symmetric W, from its multipliers; None where they do not exist."""
        found = self.multipliers(np.array(spectrum_ends(weights)), weights)
        return None if found is None else float(np.abs(found).max())

    def mixing(self, topology: Topology, plain: float | None) -> dict[str, Any]:
        """How one exchange phase mixes on the topology, ready for `json.dump`: `name`, `steps`, `lambda_q` (see `rate`)
        and `plain`, that of as many steps of plain gossip; either is None where no such figure exists."""
        figures = {"lambda_q": self.rate(topology, plain), "plain": plain}
        return {"name": type(self).__name__, "steps": self.length(topology), **figures}

    @abstractmethod
    def __call__(self, x: NDArray, memory: dict[str, NDArray], channel: Channel) -> tuple[NDArray, dict[str, NDArray]]:
        """Mix the rows of x (peers, dim) along the edges of W_t (n, n); returns x and the memory afterwards.

        It owns x and the memory. `channel.stream` holds this phase's random numbers for the block's peers.
        """
