"""Plain gossip: x ← W x, Q times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from dfedsam.gossip.base import Gossip
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Plain(Gossip):
    """x ← W x, Q times: equal to one step with W^Q, so the consensus error shrinks by λ^Q.

    Each step sends one vector along every edge in both directions. Source: Xiao and Boyd (2004), "Fast linear
    iterations for distributed averaging"; Q > 1 as in DFedSAM-MGS (Shi et al., 2023).

    Args:
        steps: Q, gossip steps a round, at least 1.
    """

    steps: int = 1

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 1, "LocalOnly is the algorithm without communication")

    def multipliers(self, values: NDArray, weights: csr_array) -> NDArray:
        """See Gossip: λ^Q."""
        return values**self.steps

    def rate(self, topology: Topology, plain: float | None) -> float | None:
        """See Gossip."""
        return plain

    def __call__(self, x: NDArray, memory: dict[str, NDArray], channel: Channel) -> tuple[NDArray, dict[str, NDArray]]:
        """See the class."""
        spare = None  # two arrays serve all steps
        for _ in range(self.steps):
            x, spare = channel.mix(x, out=spare), x
        return x, memory
