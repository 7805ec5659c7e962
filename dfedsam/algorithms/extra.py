"""EXTRA: exact at a constant learning rate, by a correction that sums all past disagreements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.one_gradient import GossipOneGradient, GradientState
from dfedsam.context import RoundContext
from dfedsam.gossip.base import require_static_symmetric
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology


@dataclass(kw_only=True)
class ExtraState(GradientState):
    """`correction`: c, in float64, shape (peers, dim)."""

    correction: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Extra(GossipOneGradient):
    """x ← W x − η g − c, and then c ← c + ½ (x − W x) of the x before, from c = 0.

    This is x⁺ = (I + W) x − ½(I + W) x⁻ − (η g − η⁻ g⁻) with x¹ = W x⁰ − η g⁰, summed up. c tends to −η g_i, and its
    mean over the peers is zero; so that it stays zero in float32 runs too, c is kept and x − W x is added up in
    float64. With exact gradients EXTRA reaches the optimum at a constant rate. Source: Shi et al. (2015), "EXTRA: an
    exact first-order algorithm for decentralized consensus optimization", equation 2.13. A round costs the estimator's
    queries and one vector per edge and direction.
    """

    mixes = "x before the round's step"

    def check(self, topology: Topology) -> None:
        require_static_symmetric("algorithm", "extra", topology, "choose the algorithm gradient_tracking")
        super().check(topology)

    def init(self, x: NDArray, problem: Problem) -> ExtraState:
        return ExtraState(**self.initial_fields(x, problem), correction=np.zeros(x.shape))

    def round(self, state: ExtraState, context: RoundContext) -> ExtraState:
        x, c = state.x, state.correction
        g, state.estimator = self.gradient(context, x, state.estimator)
        difference, state.gossip = self.gossip.difference(x, state.gossip, context.channel(x))  # W x − x
        state.x = (x + (difference - self.rate(context.round) * g - c)).astype(x.dtype)
        c -= 0.5 * difference
        return state
