"""Zeroth-order optimisation: random directions, gradient estimators, the SAM ascent."""

from dfedsam.zeroth_order.ascent import ascend
from dfedsam.zeroth_order.directions import directions
from dfedsam.zeroth_order.estimators import (
    CoordinateWise,
    Estimator,
    Exact,
    OneSided,
    RandomDirections,
    TwoPoint,
    cosines,
)
from dfedsam.zeroth_order.policy_gradient import PolicyGradient
from dfedsam.zeroth_order.score_sketch import ScoreSketch
from dfedsam.zeroth_order.spsa import SPSA

__all__ = [
    "SPSA",
    "CoordinateWise",
    "Estimator",
    "Exact",
    "OneSided",
    "PolicyGradient",
    "RandomDirections",
    "ScoreSketch",
    "TwoPoint",
    "ascend",
    "cosines",
    "directions",
]
