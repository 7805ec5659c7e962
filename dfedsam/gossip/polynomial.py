"""Polynomials in one symmetric W that average faster than W^Q: Chebyshev, second-order and finite-time gossip."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.base import Gossip, GossipState, MultiStepGossip
from dfedsam.topologies import distinct_eigenvalues, spectrum_ends

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology

_MAX_STEPS = 12  # of finite-time gossip; beyond, rounding errors cancel the gain


@dataclass(frozen=True, kw_only=True)
class Accelerated(MultiStepGossip[GossipState]):
    """x₁ = A x₀, x_{q+1} = ω_{q+1} A x_q + (1 − ω_{q+1}) x_{q−1} with A = (W − mI)/(1 − m).

    Each step sends one vector along every edge in both directions, as plain gossip does; the peers need one more array
    meanwhile. P(W) keeps the mean, and may have negative entries.

    Args:
        steps: Q, gossip steps per round, at least 1.
    """

    needs = "symmetric"
    instead = "choose the gossip plain, with more steps"

    steps: int = 4

    @abstractmethod
    def center_and_radius(self, low: float, high: float) -> tuple[float, float]:
        """(m, r) for λ_min = low and λ₂ = high: A maps the eigenvalues other than 1 into [−r, r], r < 1."""

    @abstractmethod
    def relaxation(self, r: float) -> Iterator[float]:
        """ω₂, ω₃, … for that r."""

    def __call__(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray, GossipState]:
        return self._recurrence(x, spectrum_ends(channel.weights), channel.mix), state

    def difference(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray[np.float64], GossipState]:
        m, r = self.center_and_radius(*spectrum_ends(channel.weights))
        first = channel.difference(x) / (1 - m)  # (A − I) x
        omegas, before, now = self.relaxation(r), np.zeros_like(first), first
        for _ in range(self.steps - 1):  # the recurrence of x_q − x₀
            omega = next(omegas)
            step = first + channel.difference(now.astype(x.dtype)) / (1 - m)
            before, now = now, omega * (now + step) + (1 - omega) * before
        return now, state

    def multipliers(self, eigenvalues: NDArray, W: csr_array) -> NDArray:
        return self._recurrence(np.ones_like(eigenvalues), spectrum_ends(W), lambda y, _: eigenvalues * y)

    def _recurrence(
        self, x: NDArray, ends: tuple[float, float], mix: Callable[[NDArray, NDArray | None], NDArray]
    ) -> NDArray:
        """x_Q; `mix` multiplies by W and may overwrite its second argument."""
        m, r = self.center_and_radius(*ends)
        scale, shift = x.dtype.type(1 / (1 - m)), x.dtype.type(m / (1 - m))
        omegas = self.relaxation(r)
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


@dataclass(frozen=True, kw_only=True)
class Chebyshev(Accelerated):
    """x ← T_Q(Y) x / T_Q(y₁), where Y maps [λ_min, λ₂] to [−1, 1] and 1 to y₁ = (2 − λ_min − λ₂)/(λ₂ − λ_min).

    The consensus error shrinks by 1/T_Q(y₁) = 2c^Q/(1 + c^{2Q}), c = r/(1 + √(1 − r²)), r = 1/y₁: about √ of the steps
    that plain gossip takes. Source: Scaman et al. (2017), "Optimal algorithms for smooth and strongly convex
    distributed optimization in networks", algorithm 2; the recurrence is that of Golub and Varga (1961).

    Args:
        steps: Q, gossip steps per round, at least 1.
        shifted: use both ends of the spectrum, as the paper does; otherwise [−λ, λ], λ = max(λ₂, −λ_min), which is
            never better.
    """

    shifted: bool = True

    def center_and_radius(self, low: float, high: float) -> tuple[float, float]:
        if not self.shifted:
            return 0.0, max(abs(low), abs(high))
        m = (low + high) / 2
        return m, (high - low) / 2 / (1 - m)

    def relaxation(self, r: float) -> Iterator[float]:
        """ω₁ = 2, ω_{q+1} = 1/(1 − r²ω_q/4)."""
        omega = 2.0
        while True:
            omega = 1 / (1 - r * r * omega / 4)
            yield omega


@dataclass(frozen=True, kw_only=True)
class SecondOrder(Accelerated):
    """x_{q+1} = ω W x_q + (1 − ω) x_{q−1} with ω = 2/(1 + √(1 − λ²)), after x₁ = W x₀.

    The consensus error after Q steps is at most c^Q (1 + Q√(1 − λ²)), c = λ/(1 + √(1 − λ²)); Chebyshev's is smaller at
    the same cost. Source: Muthukrishnan, Ghosh and Schultz (1998), "First- and second-order diffusive methods for
    rapid, coarse, distributed load balancing".

    Args:
        steps: Q, gossip steps per round, at least 1.
    """

    def center_and_radius(self, low: float, high: float) -> tuple[float, float]:
        return 0.0, max(abs(low), abs(high))

    def relaxation(self, r: float) -> Iterator[float]:
        """The same ω in every step: the limit of Chebyshev's."""
        while True:
            yield 2 / (1 + (1 - r * r) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class FiniteTime(Gossip[GossipState]):
    """x ← (W − λ_j I) x / (1 − λ_j) over the distinct eigenvalues λ_j ≠ 1 of W: the product is J, so Q is their number.

    Each step sends one vector along every edge in both directions. A ring of n has ⌊n/2⌋ of them, a hypercube log₂ n,
    a star and Petersen's graph two; more than 12 are rejected. Source: Sundaram and Hadjicostis (2007), "Finite-time
    distributed consensus in graphs with time-invariant topologies"; Kibangou (2011).
    """

    needs = "symmetric"
    instead = "choose the gossip plain, with more steps"

    def check(self, topology: Topology) -> None:
        super().check(topology)
        if distinct_eigenvalues(topology.weights(0), _MAX_STEPS) is None:
            raise OptionError(
                "gossip",
                "finite_time",
                f"must have a W with at most {_MAX_STEPS} distinct eigenvalues besides 1, since more steps lose their "
                "precision, but this topology's W has more",
                "choose the gossip chebyshev, or a regular graph such as a hypercube or a small ring",
            )

    def __call__(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray, GossipState]:
        spare = None
        for value in _ordered_eigenvalues(channel.weights):
            y = channel.mix(x, out=spare)
            x *= x.dtype.type(value)
            y -= x
            y *= x.dtype.type(1 / (1 - value))
            x, spare = y, x
        return x, state

    def difference(self, x: NDArray, state: GossipState, channel: Channel) -> tuple[NDArray[np.float64], GossipState]:
        first, total = None, np.zeros(x.shape)
        for value in _ordered_eigenvalues(channel.weights):  # (W − λ) y/(1 − λ) = y + (W − I) y/(1 − λ)
            if first is None:
                first = step = channel.difference(x)
            else:
                step = first + channel.difference(total.astype(x.dtype))
            total += step / (1 - value)
        return total, state

    def num_steps(self, topology: Topology) -> int:
        return len(_ordered_eigenvalues(topology.weights(0)))

    def multipliers(self, eigenvalues: NDArray, W: csr_array) -> NDArray:
        product = np.ones_like(eigenvalues)
        for value in _ordered_eigenvalues(W):
            product *= (eigenvalues - value) / (1 - value)
        return product

    def contraction_factor(self, topology: Topology, plain: float | None) -> float:
        """0: the mean is exact."""
        return 0.0


def _ordered_eigenvalues(W: csr_array) -> list[float]:
    """The distinct eigenvalues of W but 1, in an order in which no partial product grows large (Leja, 1957)."""
    eigenvalues = distinct_eigenvalues(W, _MAX_STEPS)
    rest = [] if eigenvalues is None else eigenvalues.tolist()
    order = [1.0]
    while rest:
        farthest = max(rest, key=lambda value: float(np.sum(np.log(np.abs(value - np.array(order))))))
        rest.remove(farthest)
        order.append(farthest)
    return order[1:]
