"""Zeroth-order optimisation: random directions, gradient estimators, SAM's perturbation, CMA-ES."""

from dfedsam.zeroth_order.base import Estimator, Exact, cosines, perturb
from dfedsam.zeroth_order.directions import directions
from dfedsam.zeroth_order.finite_differences import CoordinateWise, OneSided, RandomDirections, TwoPoint
from dfedsam.zeroth_order.policy_gradient import PolicyGradient
from dfedsam.zeroth_order.scaled import Adam, HiSo, Sign
from dfedsam.zeroth_order.score_sketch import ScoreSketch
from dfedsam.zeroth_order.spsa import SPSA
from dfedsam.zeroth_order.tilted import Tilted

__all__ = [
    "SPSA",
    "Adam",
    "CoordinateWise",
    "Estimator",
    "Exact",
    "HiSo",
    "OneSided",
    "PolicyGradient",
    "RandomDirections",
    "ScoreSketch",
    "Sign",
    "Tilted",
    "TwoPoint",
    "cosines",
    "directions",
    "perturb",
]
