"""One gradient estimate a round: the frame of the methods that correct D-PSGD's bias or its momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm
from dfedsam.algorithms.exchanges import Exchanges
from dfedsam.algorithms.local_steps import SCHEDULES, Schedule, learning_rate
from dfedsam.checks import at_least, between, one_of, positive
from dfedsam.play import Play
from dfedsam.zeroth_order import Estimator, TwoPoint, ascend


@dataclass(frozen=True, kw_only=True)
class OneGradient(Algorithm):
    """A gradient estimate of every peer a round.

    Args:
        estimator: how gradients are estimated.
        lr: η, the learning rate of the first round, above 0.
        lr_schedule: "constant", "inverse_root" (lr/√(t+1)) or "exponential" (lr·lr_decay^t) in rounds t = 0, 1, ….
        lr_decay: the factor of "exponential", in (0, 1].
        rho: ρ ≥ 0, the length of SAM's ascent along an estimate of its own before each gradient, in units of x; 0
            turns it off, and halves the queries.
    """

    estimator: Estimator = TwoPoint()
    lr: float = 0.01
    lr_schedule: Schedule = "constant"
    lr_decay: float = 0.998
    rho: float = 0.0

    def __post_init__(self) -> None:
        positive("lr", self.lr)
        one_of("lr_schedule", self.lr_schedule, SCHEDULES)
        between("lr_decay", self.lr_decay, 1e-9, 1)
        at_least("rho", self.rho, 0)

    def rate(self, play: Play) -> float:
        """η of this round."""
        return learning_rate(self.lr, self.lr_schedule, self.lr_decay, play.round)

    def gradient(self, play: Play, x: NDArray) -> NDArray:
        """Every peer's estimate at x (peers, dim) on a minibatch of its own, shape (peers, dim); 0 for absent peers."""
        g = np.zeros_like(x)
        for rows, part in play.parts(self.estimator.queries(x.shape[1]), x[0].nbytes):
            minibatch, at = part.minibatch(0), x[rows]
            if self.rho > 0:
                at = ascend(at, self.estimator(minibatch, at, "ascent"), self.rho)
            g[rows] = self.estimator(minibatch, at, "descent")
        return g


@dataclass(frozen=True, kw_only=True)
class GradientSteps(Exchanges, OneGradient):
    """A gradient estimate of every peer a round, and exchanges."""
