"""SPSA: every coordinate at once, each difference of losses divided by the coordinate's own step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dfedsam.context import Oracle
from dfedsam.random import RandomStream
from dfedsam.validation import at_least, positive, whole_number
from dfedsam.zeroth_order.estimators import Estimator


@dataclass(frozen=True, kw_only=True)
class SPSA(Estimator):
    """Simultaneous perturbation: the mean of q draws of (F(x + cδ) − F(x − cδ))/(2cδ), each entry by its own δ.

    Costs 2q queries.

    Each entry of δ is ±1 times a number uniform on [0.5, 1]; c_t = c/tᵞ, where t = 1, 2, … counts rounds, or in FedBBPT
    local steps. On a quadratic it is without bias, and entry i of one draw has the variance 7/6 · Σ_{j≠i} (∂_j F)².

    Source: Spall (1992), "Multivariate stochastic approximation using a simultaneous perturbation gradient
    approximation"; the distribution of δ and the gains are those of Oh et al. (2023), "BlackVIP: black-box visual
    prompting for robust transfer learning" (SPSA-GC), which Fed-BBPT takes.

    Args:
        draws: q, of δ, at least 1.
        c: the step of t = 1, in units of x, above 0.
        gamma: γ ≥ 0, how fast it falls; 0: not.
    """

    draws: int = 5
    c: float = 0.01
    gamma: float = 0.1

    def __post_init__(self) -> None:
        whole_number("draws", self.draws, 1)
        positive("c", self.c)
        at_least("gamma", self.gamma, 0)

    def queries(self, dim: int) -> int:
        """2q."""
        return 2 * self.draws

    def at(self, step: int) -> SPSA:
        """With the step c_t of t = `step`."""
        return replace(self, c=self.c / step**self.gamma, gamma=0.0)

    def perturbations(self, x: NDArray, draws: RandomStream) -> NDArray:
        """δ for x (p, dim), shape (p, q, dim)."""
        sizes = draws.uniform((self.draws, x.shape[1]))
        return np.where(sizes < 0.5, -0.5 - sizes, sizes).astype(x.dtype)

    def estimate(self, oracle: Oracle, x: NDArray, draws: RandomStream) -> NDArray:
        """See the class."""
        c = self.c / (draws.round + 1) ** self.gamma
        delta = self.perturbations(x, draws)
        steps = delta * x.dtype.type(c)
        losses = oracle.losses(np.concatenate([x[:, None] + steps, x[:, None] - steps], axis=1))
        slopes = (losses[:, : self.draws] - losses[:, self.draws :]) / (2 * c * self.draws)
        return np.matmul(slopes[:, None].astype(x.dtype, copy=False), 1 / delta)[:, 0]
