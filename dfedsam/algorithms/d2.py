"""D²: D-PSGD with last round's step taken back, which removes the bias of heterogeneous data at one vector a round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_steps import GradientSteps
from dfedsam.context import RoundContext
from dfedsam.gossip import Plain
from dfedsam.gossip.base import require_static_symmetric
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology, spectrum_ends

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LIMIT = -1 / 3 + 1e-9  # of the smallest eigenvalue, at or below which D² diverges; room for its rounding


@dataclass(frozen=True, kw_only=True)
class D2(GradientSteps):
    """ψ ← x − η g, x ← W (ψ + x − ψ of the round before): D², also known as exact diffusion.

    With exact gradients it reaches the optimum at a constant rate. It needs λ_min > −1/3; a W (or what several steps
    make of it) that may break this is made lazy, (I + W)/2, and the run says so. Source: Tang et al. (2018), "D²:
    decentralized training over decentralized data", algorithm 1; Yuan et al. (2019), "Exact diffusion for distributed
    optimization and learning", which takes (I + W)/2 always. A round costs the estimator's queries and one vector an
    edge and direction.
    """

    def check(self, topology: Topology) -> None:
        """One symmetric W for all rounds."""
        require_static_symmetric("algorithm", "d2", topology, "choose the algorithm gradient_tracking")
        super().check(topology)

    def note(self, topology: Topology) -> str | None:
        """Says whether W is made lazy, and why."""
        smallest = self._smallest(topology.weights(0))
        if smallest is None:
            why = f"of the gossip {type(self.gossip).__name__} it is not known"
        elif smallest <= LIMIT:
            why = f"here it {'is' if isinstance(self.gossip, Plain) else 'may be'} {smallest:.3f}".replace("-", "−")
        else:
            return None
        return f"D2 mixes with (I + W)/2: it needs a smallest eigenvalue above −1/3, and {why}"

    def init(self, x: NDArray, problem: Problem) -> State:
        """ψ = x."""
        return {**super().init(x, problem), "psi": x.copy(), "gossip": self.gossip.init(x)}

    def round(self, state: State, context: RoundContext) -> State:
        """One gradient, then one exchange."""
        x = state["x"]
        psi = x - self.rate(context.round) * self.gradient(context, x, state)
        corrected = psi + x - state["psi"]
        if self._lazy(context.weights):
            x = corrected.copy()
            x += self.mix(state, context, corrected)
            x *= 0.5
        else:
            x = self.mix(state, context, corrected)
        return state | {"x": x, "psi": psi}

    def _lazy(self, weights: csr_array) -> bool:
        smallest = self._smallest(weights)
        return smallest is None or smallest <= LIMIT

    def _smallest(self, weights: csr_array) -> float | None:
        """The smallest eigenvalue of what gossip makes of W, or a bound from below; None where it is not known."""
        if isinstance(self.gossip, Plain):
            return spectrum_ends(weights)[0] ** self.gossip.steps
        left = self.gossip.spectral_contraction(weights)
        return None if left is None else -left
