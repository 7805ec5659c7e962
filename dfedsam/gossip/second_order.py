"""Second-order gossip: a step in W with a constant share of the step before, the limit of Chebyshev's coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dfedsam.gossip.accelerated import Accelerated


@dataclass(frozen=True, kw_only=True)
class SecondOrder(Accelerated):
    """x_{q+1} = ω W x_q + (1 − ω) x_{q−1} with ω = 2/(1 + √(1 − λ²)), after x₁ = W x₀.

    The consensus error after Q steps is at most c^Q (1 + Q√(1 − λ²)), c = λ/(1 + √(1 − λ²)); Chebyshev's is smaller at
    the same cost. Source: Muthukrishnan, Ghosh and Schultz (1998), "First- and second-order diffusive methods for
    rapid, coarse, distributed load balancing".
    """

    def centre(self, low: float, high: float) -> tuple[float, float]:
        """See Accelerated: A = W."""
        return 0.0, max(abs(low), abs(high))

    def omegas(self, r: float) -> Iterator[float]:
        """The same ω in every step."""
        while True:
            yield 2 / (1 + (1 - r * r) ** 0.5)
