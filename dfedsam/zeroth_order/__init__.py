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

__all__ = [
    "CoordinateWise",
    "Estimator",
    "Exact",
    "OneSided",
    "RandomDirections",
    "TwoPoint",
    "ascend",
    "cosines",
    "directions",
]
