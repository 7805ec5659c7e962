"""The learning rate of a round: constant, or falling by a schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dfedsam.algorithms.base import Algorithm
from dfedsam.validation import between, one_of, positive, whole_number

Schedule = Literal["constant", "inverse_root", "exponential", "linear", "cosine"]
SCHEDULES = ("constant", "inverse_root", "exponential", "linear", "cosine")
FALLING = ("linear", "cosine")


@dataclass(frozen=True, kw_only=True)
class Stepping(Algorithm):
    """An algorithm that takes steps at a learning rate.

    Args:
        lr: η, the learning rate of the first round, above 0.
        lr_schedule: the rate of round t = 0, 1, …: "constant", "inverse_root" (lr/√(t+1)), "exponential"
            (lr·lr_decay^t), "linear" (lr·(1 − t/T)) or "cosine" (lr·(1 + cos(πt/T))/2).
        lr_decay: the factor of "exponential", in (0, 1].
        lr_rounds: T of "linear" and "cosine": the rounds over which the rate falls, usually the run's; from there on it
            stays what it was in round T − 1.
    """

    lr: float = 0.01
    lr_schedule: Schedule = "constant"
    lr_decay: float = 0.998
    lr_rounds: int = 0

    def __post_init__(self) -> None:
        positive("lr", self.lr)
        one_of("lr_schedule", self.lr_schedule, SCHEDULES)
        between("lr_decay", self.lr_decay, 1e-9, 1)
        falling = self.lr_schedule in FALLING
        whole_number(
            "lr_rounds", self.lr_rounds, 1 if falling else 0, "the rounds over which a linear or cosine rate falls"
        )

    def rate(self, round: int) -> float:
        """η of 0-based round t."""
        if self.lr_schedule == "inverse_root":
            return self.lr / (round + 1) ** 0.5
        if self.lr_schedule == "exponential":
            return self.lr * self.lr_decay**round
        if self.lr_schedule in FALLING:
            past = min(round, self.lr_rounds - 1) / self.lr_rounds
            return self.lr * (1 - past if self.lr_schedule == "linear" else (1 + math.cos(math.pi * past)) / 2)
        return self.lr
