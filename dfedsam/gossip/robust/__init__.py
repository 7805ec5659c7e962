"""Robust gossip: rules that withstand neighbours that lie."""

from dfedsam.gossip.robust.base import RobustGossip
from dfedsam.gossip.robust.distances import GTS, NNA, Balance, Clipped, CSPlus
from dfedsam.gossip.robust.queries import UBAR
from dfedsam.gossip.robust.sets import IOS, GeometricMedian, Krum, Median, TrimmedMean

__all__ = [
    "GTS",
    "IOS",
    "NNA",
    "UBAR",
    "Balance",
    "CSPlus",
    "Clipped",
    "GeometricMedian",
    "Krum",
    "Median",
    "RobustGossip",
    "TrimmedMean",
]
