# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .base import RobustGossip as RobustGossip
from .distances import GTS as GTS, NNA as NNA, UBAR as UBAR, Balance as Balance, Clipped as Clipped, CSPlus as CSPlus
from .sets import (
    IOS as IOS,
    GeometricMedian as GeometricMedian,
    Krum as Krum,
    Median as Median,
    TrimmedMean as TrimmedMean,
)
