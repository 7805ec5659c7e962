"""Zeroth-order optimisation: random directions, gradient estimators, SAM's perturbation, CMA-ES."""

from dfedsam.zeroth_order.base import Estimator, Exact, cosines, perturb
from dfedsam.zeroth_order.directions import directions
from dfedsam.zeroth_order.finite_differences import CoordinateWise, OneSided, RandomDirections, TwoPoint
from dfedsam.zeroth_order.low_rank import LOZO, SubZero
from dfedsam.zeroth_order.policy_gradient import PolicyGradient
from dfedsam.zeroth_order.scaled import Adam, HiSo, Sign
from dfedsam.zeroth_order.score_sketch import ScoreSketch
from dfedsam.zeroth_order.seed_pool import FedKSeed
from dfedsam.zeroth_order.spsa import SPSA
from dfedsam.zeroth_order.tilted import Tilted
from dfedsam.zeroth_order.variance_reduced import SAGA, SARAH, SVRG

__all__ = [
    "LOZO",
    "SAGA",
    "SARAH",
    "SPSA",
    "SVRG",
    "Adam",
    "CoordinateWise",
    "Estimator",
    "Exact",
    "FedKSeed",
    "HiSo",
    "OneSided",
    "PolicyGradient",
    "RandomDirections",
    "ScoreSketch",
    "Sign",
    "SubZero",
    "Tilted",
    "TwoPoint",
    "cosines",
    "directions",
    "perturb",
]
