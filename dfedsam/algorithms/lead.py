"""LEAD: exact at a constant rate although every message is compressed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.one_gradient import GradientState, OneGradient
from dfedsam.context import RoundContext
from dfedsam.errors import options_within
from dfedsam.gossip.base import require_static_symmetric
from dfedsam.gossip.compressors import BlockQuantizer, Compressor
from dfedsam.gossip.disagreement import Disagreement
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology
from dfedsam.validation import positive


@dataclass(kw_only=True)
class LeadState(GradientState):
    """`dual`: D, in float64, shape (peers, dim); `gossip` is the state of the compressed exchange."""

    dual: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Lead(OneGradient):
    """ŷ = h + C(x − η (g + D) − h), D ← D + γ/(2η) (I − W) ŷ, x ← x − η (g + D), where h moves a share α towards ŷ.

    D converges to the difference between a peer's gradient and the mean one, and the compressed vector goes to zero:
    with exact gradients LEAD reaches the optimum. Biased compressors are rejected: D would accumulate their errors.
    The mean of D over the peers is zero; so that it stays zero in float32 runs too, D is added up in float64. Source:
    Liu, Li, Wang, Tang and Yan (2021), "Linear convergent decentralized optimization with compression", algorithm 1. A
    round costs the estimator's queries and one message per edge and direction; the peers hold three more arrays of the
    size of x.

    Args:
        compressor: C, the compression of each row; it must be unbiased. The default is the paper's.
        gamma: γ, the consensus step size, above 0; the paper takes 1. Theory covers γ < 2/((3ω + 1)β), ω
            the compressor's variance and β = ‖I − W‖₂; far above it coarse messages make the peers diverge.
        alpha: α, above 0 and at most 1; None: 1/(1 + ω).
    """

    mixes = "x − η (g + D)"

    compressor: Compressor = BlockQuantizer()
    gamma: float = 0.5
    alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("gamma", self.gamma, "0.5 is usual")
        self._exchange()  # checks alpha

    def check(self, topology: Topology) -> None:
        require_static_symmetric("algorithm", "lead", topology, "choose dpsgd with the gossip deep_squeeze")

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        with options_within("algorithm"):
            self._exchange().check(problem.dim)

    def init(self, x: NDArray, problem: Problem) -> LeadState:
        gossip = self._exchange().init(x)  # h starts at x
        return LeadState(x=x, estimator=self.estimator.init(x, problem), gossip=gossip, dual=np.zeros(x.shape))

    def round(self, state: LeadState, context: RoundContext) -> LeadState:
        x, dual, rate = state.x, state.dual, self.rate(context.round)
        g, state.estimator = self.gradient(context, x, state.estimator)
        y = (x - rate * (g + dual)).astype(x.dtype)
        disagreement, state.gossip = self._exchange()(y, state.gossip, context.channel(y))
        disagreement *= self.gamma / (2 * rate)
        dual += disagreement
        state.x = (x - rate * (g + dual)).astype(x.dtype)
        return state

    def _exchange(self) -> Disagreement:
        return Disagreement(compressor=self.compressor, alpha=self.alpha)
