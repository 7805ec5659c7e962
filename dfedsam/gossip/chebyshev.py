"""Chebyshev gossip: the polynomial in W that leaves least of the peers' distance after Q steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dfedsam.gossip.accelerated import Accelerated


@dataclass(frozen=True, kw_only=True)
class Chebyshev(Accelerated):
    """x ← T_Q(Y) x / T_Q(y₁), where Y maps [λ_min, λ₂] to [−1, 1] and 1 to y₁ = (2 − λ_min − λ₂)/(λ₂ − λ_min).

    The consensus error shrinks by 1/T_Q(y₁) = 2c^Q/(1 + c^{2Q}), c = r/(1 + √(1 − r²)), r = 1/y₁: about √ of the steps
    that plain gossip takes. Source: Scaman et al. (2017), "Optimal algorithms for smooth and strongly convex
    distributed optimization in networks", algorithm 2; the recurrence is that of Golub and Varga (1961).

    Args:
        shifted: use both ends of the spectrum; otherwise [−λ, λ], as the paper does, which is never better.
    """

    shifted: bool = True

    def centre(self, low: float, high: float) -> tuple[float, float]:
        """See Accelerated."""
        if not self.shifted:
            return 0.0, max(abs(low), abs(high))
        m = (low + high) / 2
        return m, (high - low) / 2 / (1 - m)

    def omegas(self, r: float) -> Iterator[float]:
        """ω₁ = 2, ω_{q+1} = 1/(1 − r²ω_q/4)."""
        omega = 2.0
        while True:
            omega = 1 / (1 - r * r * omega / 4)
            yield omega
