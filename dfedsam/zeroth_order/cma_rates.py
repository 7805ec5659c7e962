"""The constants of CMA-ES: how candidates are weighted by their rank, and how fast a distribution adapts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Rates:
    """Constants for one dimension and population, by their names and equations in Hansen's tutorial.

    Args:
        weights: w of the candidates from best to worst, shape (population,); those of the better half sum to one.
        mu_eff: variance-effective number of those that count (8).
        c_sigma: rate of the step size's path (55).
        d_sigma: its damping (55).
        c_c: rate of the rank-one update's path (56).
        c_1: rate of the rank-one update (57).
        c_mu: rate of the rank-μ update (58).
        chi: E‖N(0, I)‖.
        lazy: generations between two decompositions of a full covariance, which changes little in the meantime.
    """

    weights: NDArray[np.float64]
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi: float
    lazy: int


@cache
def rates(dim: int, population: int, *, diagonal: bool = False) -> Rates:
    """The constants of Hansen (2016), "The CMA evolution strategy: a tutorial", table 1.

    A diagonal covariance learns (dim + 2)/3 times as fast and gives no candidate a negative weight, as in Ros and
    Hansen (2008), "A simple modification in CMA-ES achieving linear time and space complexity". A covariance is
    decomposed anew after 1/(10 · dim · (c_1 + c_mu)) generations, as in Hansen's own code.

    Args:
        dim: d, at least 1.
        population: λ, at least 1; a single candidate is followed wherever it is.
        diagonal: whether the covariance is diagonal.
    """
    raw = math.log((population + 1) / 2) - np.log(np.arange(1, population + 1))
    if population == 1:
        raw = np.ones(1)
    parents = max(1, population // 2)
    better, worse = raw[:parents], raw[parents:]
    mu_eff = float(better.sum() ** 2 / np.square(better).sum())
    faster = (dim + 2) / 3 if diagonal else 1.0
    c_1 = min(0.5, faster * 2 / ((dim + 1.3) ** 2 + mu_eff))
    c_mu = min(1 - c_1, faster * 2 * (mu_eff - 2 + 1 / mu_eff) / ((dim + 2) ** 2 + mu_eff))
    weights = raw / better.sum()
    weights[parents:] = 0
    if not diagonal and c_mu > 0 and worse.sum() < 0:
        worse_eff = worse.sum() ** 2 / np.square(worse).sum()
        most = min(1 + c_1 / c_mu, 1 + 2 * worse_eff / (mu_eff + 2), (1 - c_1 - c_mu) / (dim * c_mu))
        weights[parents:] = np.minimum(worse, 0) * most / np.abs(np.minimum(worse, 0)).sum()
    c_sigma = (mu_eff + 2) / (dim + mu_eff + 5)
    weights.setflags(write=False)
    return Rates(
        weights=weights,
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (dim + 1)) - 1) + c_sigma,
        c_c=(4 + mu_eff / dim) / (dim + 4 + 2 * mu_eff / dim),
        c_1=c_1,
        c_mu=c_mu,
        chi=math.sqrt(dim) * (1 - 1 / (4 * dim) + 1 / (21 * dim**2)),
        lazy=max(1, int(1 / (10 * dim * (c_1 + c_mu)))),
    )
