"""SPSA: every coordinate at once, each difference of losses divided by the coordinate's own step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.context import Oracle
from dfedsam.options import option
from dfedsam.random import RandomStream
from dfedsam.validation import at_least, positive, whole_number
from dfedsam.zeroth_order.base import MOST_QUERIES, Estimator


@dataclass(frozen=True, kw_only=True)
class SPSA(Estimator):
    """Simultaneous perturbation: the mean over q samples of (F(x + cδ) − F(x − cδ))/(2cδ), each entry by its own δ.

    Costs 2q queries. Each entry of δ is ±1 times a number uniform on [0.5, 1]; c_t = c/tᵞ, where t = 1, 2, … counts
    rounds, or in FedBBPT local steps. On a quadratic it is unbiased, and entry i of one sample has the variance
    7/6 · Σ_{j≠i} (∂_j F)².

    Source: Spall (1992), "Multivariate stochastic approximation using a simultaneous perturbation gradient
    approximation"; the distribution of δ and the gains are those of Oh et al. (2023), "BlackVIP: black-box visual
    prompting for robust transfer learning" (SPSA-GC), which Fed-BBPT uses.

    Args:
        samples: q, samples of δ in an estimate, at least 1.
        c: the step of t = 1, in units of x, above 0.
        gamma: γ ≥ 0, decay exponent of the step; 0 keeps it constant.
    """

    samples: int = option(5, whole_number, 1, most=MOST_QUERIES)
    c: float = option(0.01, positive)
    gamma: float = option(0.1, at_least, 0)

    def queries(self, dim: int) -> int:
        return 2 * self.samples

    def at(self, step: int) -> SPSA:
        return replace(self, c=self.c / step**self.gamma, gamma=0.0)

    def perturbations(self, stream: RandomStream, dim: int, dtype: DTypeLike) -> NDArray:
        """δ of each peer, shape (peers, q, dim)."""
        sizes = stream.uniform((self.samples, dim))
        return np.where(sizes < 0.5, -0.5 - sizes, sizes).astype(dtype)

    def estimate(self, oracle: Oracle, x: NDArray, state: Any, purpose: str) -> tuple[NDArray, Any]:
        stream, q = oracle.random(purpose), self.samples
        c = self.c / (stream.round + 1) ** self.gamma
        delta = self.perturbations(stream, x.shape[1], x.dtype)
        steps = delta * x.dtype.type(c)
        losses = oracle.losses(np.concatenate([x[:, None] + steps, x[:, None] - steps], axis=1))
        differences = (losses[:, :q] - losses[:, q:]) / (2 * c * q)
        return np.matmul(differences[:, None].astype(x.dtype, copy=False), 1 / delta)[:, 0], state

    def excess_variance(self, dim: int) -> float:
        return 7 / 6 * (dim - 1) / self.samples
