"""K local steps from queries alone: what DFedAvg, DFedSAM, D-PSGD and the baselines share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.checks import at_least, between, one_of, positive, whole
from dfedsam.play import Minibatch, Play
from dfedsam.zeroth_order import Estimator, TwoPoint

Schedule = Literal["constant", "inverse_root", "exponential"]
SCHEDULES = ("constant", "inverse_root", "exponential")


def learning_rate(lr: float, schedule: Schedule, decay: float, round: int) -> float:
    """The rate of 0-based round t: lr, lr/√(t+1), or lr·decay^t."""
    if schedule == "inverse_root":
        return lr / (round + 1) ** 0.5
    if schedule == "exponential":
        return lr * decay**round
    return lr


@dataclass(frozen=True, kw_only=True)
class LocalSteps(Algorithm):
    """K steps m ← β m + g, x ← x − η m of every peer on its own minibatches, g from `direction`.

    Args:
        estimator: how gradients are estimated.
        local_steps: K, local steps a round, at least 1.
        lr: η, the learning rate of the first round, above 0.
        lr_schedule: "constant", "inverse_root" (lr/√(t+1)) or "exponential" (lr·lr_decay^t) in rounds t = 0, 1, ….
        lr_decay: the factor of "exponential", in (0, 1].
        momentum: β, 0 ≤ β < 1.
        keep_momentum: keep m between rounds; otherwise it starts at zero in each, as DFedAvgM has it.
        weight_decay: λ ≥ 0: λ x is added to each g.
    """

    estimator: Estimator = TwoPoint()
    local_steps: int = 5
    lr: float = 0.01
    lr_schedule: Schedule = "constant"
    lr_decay: float = 0.998
    momentum: float = 0.0
    keep_momentum: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        whole("local_steps", self.local_steps, 1)
        positive("lr", self.lr)
        one_of("lr_schedule", self.lr_schedule, SCHEDULES)
        between("lr_decay", self.lr_decay, 1e-9, 1)
        between("momentum", self.momentum, 0, 1, open_high=True)
        at_least("weight_decay", self.weight_decay, 0)

    def init(self, x: NDArray) -> State:
        """The state before round 0: x, and the momentum where it is kept."""
        return {"x": x} | ({"momentum": np.zeros_like(x)} if self.momentum and self.keep_momentum else {})

    def direction(self, minibatch: Minibatch, x: NDArray) -> NDArray:
        """What a local step descends along, shape (peers, dim): the estimated gradient at x."""
        return self.estimator(minibatch, x, "descent")

    def pull(self, x: NDArray, state: State, rows: slice) -> NDArray | None:
        """What is added to the estimates at x (p, dim), for these rows of the state: shape (p, dim); None: nothing."""
        return None

    def local_phase(self, state: State, play: Play) -> State:
        """The K local steps of a round, for as many peers at a time as fit into the cache; x is updated in place."""
        x, momentum = state["x"], state.get("momentum")
        for rows, part in play.parts(self.estimator.queries(x.shape[1]), x[0].nbytes):
            self._steps(x[rows], None if momentum is None else momentum[rows], part, state)
        return state

    def _steps(self, x: NDArray, m: NDArray | None, play: Play, state: State) -> None:
        """K steps of x and momentum m, both (peers, dim), in place."""
        if self.momentum and m is None:
            m = np.zeros_like(x)
        lr = learning_rate(self.lr, self.lr_schedule, self.lr_decay, play.round)
        for k in range(self.local_steps):
            minibatch = play.minibatch(k)
            g = self.direction(minibatch, x)
            if play.trace is not None and minibatch.slopes:
                slopes = minibatch.slopes[-1]  # those of the descent; an ascent comes before it
                play.trace.coefficients[play.rows, k * slopes.shape[1] : (k + 1) * slopes.shape[1]] = -lr * slopes
            pull = self.pull(x, state, play.rows)
            if pull is not None:
                g += pull
            if self.weight_decay:
                g += self.weight_decay * x
            if m is not None:
                m *= self.momentum
                m += g
                np.multiply(m, lr, out=g)
            else:
                g *= lr
            x -= g
            play.problem.project(x)
