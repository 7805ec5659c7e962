"""D²: D-PSGD without the bias of heterogeneous data, at one vector per round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.one_gradient import GossipOneGradient, GradientState
from dfedsam.context import RoundContext
from dfedsam.gossip.base import require_static_symmetric
from dfedsam.objectives.base import Problem
from dfedsam.registry import public_name
from dfedsam.topologies import Topology

_LIMIT = -1 / 3 + 1e-9  # D² diverges for smallest eigenvalues up to this one; with a margin for rounding


@dataclass(kw_only=True)
class D2State(GradientState):
    """`correction`: φ, in float64, shape (peers, dim)."""

    correction: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class D2(GossipOneGradient):
    """z = x − η g + φ, x ← W z, φ ← φ + W z − z, from φ = 0: D², also known as exact diffusion.

    With ψ = x − η g this is x ← W (ψ + x − ψ of the round before). φ tends to η g_i, and its mean over the peers is
    zero; so that it stays zero in float32 runs too, φ is kept and W z − z is added up in float64. With exact gradients
    D² reaches the optimum at a constant rate. It needs λ_min > −1/3; a W (or a polynomial of it) that may
    violate this is made lazy, (I + W)/2, with a note. Source: Tang et al. (2018), "D²: decentralized training
    over decentralized data", algorithm 1; Yuan et al. (2019), "Exact diffusion for distributed optimization and
    learning", which takes (I + W)/2 always. A round costs the estimator's queries and one vector per edge and
    direction.
    """

    mixes = "x − η g + φ"

    def check(self, topology: Topology) -> None:
        require_static_symmetric("algorithm", "d2", topology, "choose the algorithm gradient_tracking")
        super().check(topology)

    def note(self, topology: Topology) -> str | None:
        """Whether W is made lazy, and why."""
        more = super().note(topology)
        smallest = self.gossip.smallest_multiplier(topology.weights(0))
        if smallest is None:
            why = f"that of the gossip {public_name(type(self.gossip))} is unknown"
        elif smallest <= _LIMIT:
            why = f"this one may be {smallest:.3f}".replace("-", "−")
        else:
            return more
        lazy = f"D2 mixes with (I + W)/2: it needs a smallest eigenvalue above −1/3, and {why}"
        return f"{lazy}; {more}" if more else lazy

    def init(self, x: NDArray, problem: Problem) -> D2State:
        return D2State(**self.initial_fields(x, problem), correction=np.zeros(x.shape))

    def round(self, state: D2State, context: RoundContext) -> D2State:
        x, correction = state.x, state.correction
        g, state.estimator = self.gradient(context, x, state.estimator)
        z = (x + (correction - self.rate(context.round) * g)).astype(x.dtype)
        difference, state.gossip = self.gossip.difference(z, state.gossip, context.channel(z))  # W z − z
        smallest = self.gossip.smallest_multiplier(context.weights)
        if smallest is None or smallest <= _LIMIT:
            difference *= 0.5
        state.x = (z + difference).astype(x.dtype)
        correction += difference
        return state
