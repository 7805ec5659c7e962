"""The tilted estimate: SAM's preference for flat minima at the queries of a plain estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.context import Oracle
from dfedsam.errors import OptionError
from dfedsam.options import option
from dfedsam.validation import positive
from dfedsam.zeroth_order.directions import Distribution
from dfedsam.zeroth_order.finite_differences import TwoPoint, losses_on_both_sides


@dataclass(frozen=True, kw_only=True)
class Tilted(TwoPoint):
    """The gradient of F_t(x) = (1/t) log E exp(t F(x + μu)): higher losses around x count more. Costs 2q queries.

    The estimate is 1/(tμ) Σ w_i u_i over the 2q points x ± μu, with the weights w = softmax(t F). t → 0 gives the
    two-point estimate. For Gaussian u on F = ½xᵀHx its mean tends to H (I − tμ²H)⁻¹ x for many directions, if tμ² times
    the largest eigenvalue is below 1: sharp directions are made steeper. With 2q far below exp(t times the range of the
    losses) a single point dominates, and the mean is smaller. Source: ZEST (2025, arXiv 2510.16157); tilted losses are
    those of Li et al. (2021), "Tilted empirical risk minimization".

    Args:
        tilt: t, above 0, in units of one loss: t times the losses' range should not exceed log 2q.
    """

    releases_scalars = False  # weights of losses, not differences alone

    mu: float = 0.05
    distribution: Distribution = "gaussian"
    tilt: float = option(1.0, positive)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.control_variate:
            rule = "must be false, since tilted differences are not those of a gradient"
            raise OptionError("control_variate", True, rule)

    def derivatives(self, oracle: Oracle, x: NDArray, u: NDArray) -> NDArray:
        plus, minus = losses_on_both_sides(oracle, x, u, self.mu)
        highest = np.maximum(plus.max(axis=1), minus.max(axis=1))[:, None]
        plus, minus = np.exp(self.tilt * (plus - highest)), np.exp(self.tilt * (minus - highest))
        total = (plus + minus).sum(axis=1, keepdims=True)
        return (plus - minus) * (self.directions / (self.tilt * self.mu)) / total

    def excess_variance(self, dim: int) -> None:
        return None
