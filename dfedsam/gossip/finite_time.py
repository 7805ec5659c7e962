"""Finite-time gossip: the exact mean after as many steps as W has distinct eigenvalues other than 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.accelerated import needs_one_symmetric
from dfedsam.gossip.base import Gossip
from dfedsam.topologies import distinct_eigenvalues

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology

MOST = 12  # steps; beyond, rounding eats what exactness gains


@dataclass(frozen=True, kw_only=True)
class FiniteTime(Gossip):
    """x ← (W − λ_j I) x / (1 − λ_j) over the distinct eigenvalues λ_j ≠ 1 of W: the product is J, so Q is their number.

    Each step sends one vector along every edge in both directions. A ring of n has ⌊n/2⌋ of them, a hypercube log₂ n,
    a star and Petersen's graph two. Source: Sundaram and Hadjicostis (2007), "Finite-time distributed consensus in
    graphs with time-invariant topologies"; Kibangou (2011).
    """

    def check(self, topology: Topology) -> None:
        """See Gossip: one symmetric W with few distinct eigenvalues.

        Raises:
            ValueError: if W changes, is not symmetric, or has more than MOST distinct eigenvalues besides 1.
        """
        needs_one_symmetric("gossip is FiniteTime", topology, "the gossip plain, with more steps")
        if distinct_eigenvalues(topology.weights(0), MOST) is None:
            raise ValueError(
                f"gossip is FiniteTime: W has more than {MOST} distinct eigenvalues, and so many steps lose their "
                "precision; choose the gossip chebyshev, or a regular graph such as a hypercube or a small ring"
            )

    def __call__(self, x: NDArray, memory: dict[str, NDArray], channel: Channel) -> tuple[NDArray, dict[str, NDArray]]:
        """See the class."""
        spare = None
        for value in self._order(channel.weights):
            y = channel.mix(x, out=spare)
            x *= x.dtype.type(value)
            y -= x
            y *= x.dtype.type(1 / (1 - value))
            x, spare = y, x
        return x, memory

    def multipliers(self, values: NDArray, weights: csr_array) -> NDArray:
        """See Gossip."""
        product = np.ones_like(values)
        for value in self._order(weights):
            product *= (values - value) / (1 - value)
        return product

    def length(self, topology: Topology) -> int:
        """See Gossip: as many as there are distinct eigenvalues besides 1."""
        return len(self._order(topology.weights(0)))

    def rate(self, topology: Topology, plain: float | None) -> float:
        """See Gossip: 0, the mean is exact."""
        return 0.0

    def _order(self, weights: csr_array) -> list[float]:
        """The eigenvalues in an order in which no partial product grows large (Leja 1957)."""
        values = distinct_eigenvalues(weights, MOST)
        rest = [] if values is None else values.tolist()
        order = [1.0]
        while rest:
            farthest = max(rest, key=lambda value: float(np.sum(np.log(np.abs(value - np.array(order))))))
            rest.remove(farthest)
            order.append(farthest)
        return order[1:]
