"""What accelerated gossips share: a recurrence in W whose coefficients come from the ends of W's spectrum."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.base import Gossip
from dfedsam.topologies import spectrum_ends
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology

Mix = Callable[[NDArray, "NDArray | None"], NDArray]  # x and an array that may be overwritten, to W x


@dataclass(frozen=True, kw_only=True)
class Accelerated(Gossip):
    """x₁ = A x₀, x_{q+1} = ω_{q+1} A x_q + (1 − ω_{q+1}) x_{q−1} with A = (W − mI)/(1 − m), on one symmetric W.

    Each step sends one vector along every edge in both directions, as plain gossip; the peers hold one array more for
    as long as it lasts. P(W) keeps the mean, and may have negative entries.

    Args:
        steps: Q, gossip steps a round, at least 1.
    """

    steps: int = 4

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 1, "LocalOnly is the algorithm without communication")

    @abstractmethod
    def centre(self, low: float, high: float) -> tuple[float, float]:
        """(m, r) for a W with λ_min = low and λ₂ = high: A maps the eigenvalues other than 1 into [−r, r], r < 1."""

    @abstractmethod
    def omegas(self, r: float) -> Iterator[float]:
        """ω₂, ω₃, … for that r."""

    def check(self, topology: Topology) -> None:
        """See Gossip: one symmetric W for all rounds."""
        needs_one_symmetric(f"gossip is {type(self).__name__}", topology, "the gossip plain, with more steps")

    def __call__(self, x: NDArray, memory: dict[str, NDArray], channel: Channel) -> tuple[NDArray, dict[str, NDArray]]:
        """See the class."""
        return self._recur(x, spectrum_ends(channel.weights), channel.mix), memory

    def multipliers(self, values: NDArray, weights: csr_array) -> NDArray:
        """See Gossip."""
        return self._recur(np.ones_like(values), spectrum_ends(weights), lambda y, _: values * y)

    def _recur(self, x: NDArray, ends: tuple[float, float], mix: Mix) -> NDArray:
        m, r = self.centre(*ends)
        scale, shift = x.dtype.type(1 / (1 - m)), x.dtype.type(m / (1 - m))
        omegas = self.omegas(r)
        before, now, spare = x, mix(x, None), None
        now *= scale
        now -= shift * x
        for _ in range(self.steps - 1):
            omega = x.dtype.type(next(omegas))
            after = mix(now, spare)
            after *= omega * scale
            before *= 1 - omega
            after += before
            np.multiply(now, omega * shift, out=before)
            after -= before
            before, now, spare = now, after, before
        return now


def needs_one_symmetric(what: str, topology: Topology, instead: str) -> None:
    """Raise ValueError unless W is symmetric and the same in all rounds.

    Args:
        what: the option and its value, such as "gossip is Chebyshev".
        topology: the run's.
        instead: what works on any W whose rows and columns sum to one.
    """
    if topology.sums != "both":
        raise ValueError(
            f"{what}: it needs a symmetric W, but only the {topology.sums} of this topology's W sum to one; choose "
            "undirected links with the weights metropolis, or D-PSGD or DFedSAM with the gossip push_sum"
        )
    if topology.period != 1:
        raise ValueError(
            f"{what}: it needs one W for all rounds, but this topology's changes from round to round; choose {instead}"
        )
    if topology.directed:
        raise ValueError(
            f"{what}: it needs a symmetric W, but this topology is directed; choose {instead}, or undirected links"
        )
