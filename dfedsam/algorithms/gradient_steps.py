"""One gradient estimate a round: the frame of the methods that correct D-PSGD's bias or its momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.exchanges import Exchanges
from dfedsam.algorithms.learning_rate import Stepping
from dfedsam.context import Oracle, RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import at_least
from dfedsam.zeroth_order import Estimator, TwoPoint, ascend


@dataclass(frozen=True, kw_only=True)
class OneGradient(Stepping):
    """A gradient estimate of every peer a round.

    Args:
        estimator: how gradients are estimated.
        rho: ρ ≥ 0, the length of SAM's ascent along an estimate of its own before each gradient, in units of x; 0
            turns it off, and halves the queries.
    """

    estimator: Estimator = TwoPoint()
    rho: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("rho", self.rho, 0)

    def init(self, x: NDArray, problem: Problem) -> State:
        """The state before round 0: x, and what the estimator keeps."""
        return {"x": x, "estimator": self.estimator.init(x, problem)}

    def climb(self, oracle: Oracle, x: NDArray, state: State) -> NDArray:
        """What SAM climbs along from x (p, dim), for these rows of the state: shape (p, dim), the caller's to write to;
        here an estimate of its own."""
        return self.estimator(oracle, x, "ascent")

    def gradient(self, context: RoundContext, x: NDArray, state: State) -> NDArray:
        """Every peer's estimate at x (peers, dim) on a minibatch of its own, shape (peers, dim); 0 for absent peers."""
        g = np.zeros_like(x)
        for rows, part in context.parts(self.estimator.queries(x.shape[1]), x[0].nbytes):
            oracle, at = part.oracle(0, state["estimator"]), x[rows]
            if self.rho > 0:
                at = ascend(at, self.climb(oracle, at, state), self.rho)
            g[rows] = self.estimator(oracle, at, "descent")
        return g


@dataclass(frozen=True, kw_only=True)
class GradientSteps(OneGradient, Exchanges):
    """A gradient estimate of every peer a round, and exchanges."""
