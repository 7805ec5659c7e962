"""D²: D-PSGD with last round's step taken back, which removes the bias of heterogeneous data at one vector a round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.one_gradient import GossipOneGradient
from dfedsam.context import RoundContext
from dfedsam.gossip.base import require_static_symmetric
from dfedsam.objectives.base import Problem
from dfedsam.registry import public_name
from dfedsam.topologies import Topology

_LIMIT = -1 / 3 + 1e-9  # of the smallest eigenvalue, at or below which D² diverges; with room for its rounding


@dataclass(kw_only=True)
class D2State(State):
    """`psi`: ψ, the last round's x − η g, shape (peers, dim); and the states of estimator and gossip."""

    estimator: Any
    gossip: Any
    psi: NDArray


@dataclass(frozen=True, kw_only=True)
class D2(GossipOneGradient):
    """ψ ← x − η g, x ← W (ψ + x − ψ of the round before): D², also known as exact diffusion.

    With exact gradients it reaches the optimum at a constant rate. It needs λ_min > −1/3; a W (or what several steps
    make of it) that may break this is made lazy, (I + W)/2, and the run says so. Source: Tang et al. (2018), "D²:
    decentralized training over decentralized data", algorithm 1; Yuan et al. (2019), "Exact diffusion for distributed
    optimization and learning", which takes (I + W)/2 always. A round costs the estimator's queries and one vector per
    edge and direction.
    """

    public_name: ClassVar[str] = "d2"

    def check(self, topology: Topology) -> None:
        require_static_symmetric("algorithm", "d2", topology, "choose the algorithm gradient_tracking")
        super().check(topology)

    def note(self, topology: Topology) -> str | None:
        """Whether W is made lazy, and why."""
        smallest = self.gossip.smallest_multiplier(topology.weights(0))
        if smallest is None:
            why = f"of the gossip {public_name(type(self.gossip))} it is not known"
        elif smallest <= _LIMIT:
            why = f"here it may be {smallest:.3f}".replace("-", "−")
        else:
            return None
        return f"D2 mixes with (I + W)/2: it needs a smallest eigenvalue above −1/3, and {why}"

    def init(self, x: NDArray, problem: Problem) -> D2State:
        return D2State(x=x, estimator=self.estimator.init(x, problem), gossip=self.gossip.init(x), psi=x.copy())

    def round(self, state: D2State, context: RoundContext) -> D2State:
        x = state.x
        g, state.estimator = self.gradient(context, x, state.estimator)
        psi = x - self.rate(context.round) * g
        corrected = psi + x - state.psi
        smallest = self.gossip.smallest_multiplier(context.weights)
        if smallest is None or smallest <= _LIMIT:
            x = corrected.copy()
            mixed, state.gossip = self.gossip(corrected, state.gossip, context.channel(corrected))
            x += mixed
            x *= 0.5
        else:
            x, state.gossip = self.gossip(corrected, state.gossip, context.channel(corrected))
        state.x, state.psi = x, psi
        return state
