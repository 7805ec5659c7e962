"""Gossip: the communication phase of a round."""

from dfedsam.gossip.base import Gossip, GossipState
from dfedsam.gossip.ceca import Ceca
from dfedsam.gossip.channel import Channel, LocalUpdate
from dfedsam.gossip.choco import Choco
from dfedsam.gossip.deep_squeeze import DeepSqueeze
from dfedsam.gossip.flood import Flood
from dfedsam.gossip.noisy import Noisy
from dfedsam.gossip.plain import Plain
from dfedsam.gossip.polynomial import Chebyshev, FiniteTime, SecondOrder
from dfedsam.gossip.push_sum import PushSum
from dfedsam.gossip.robust import (
    GTS,
    IOS,
    NNA,
    UBAR,
    Balance,
    Clipped,
    CSPlus,
    GeometricMedian,
    Krum,
    Median,
    RobustGossip,
    TrimmedMean,
)

__all__ = [
    "GTS",
    "IOS",
    "NNA",
    "UBAR",
    "Balance",
    "CSPlus",
    "Ceca",
    "Channel",
    "Chebyshev",
    "Choco",
    "Clipped",
    "DeepSqueeze",
    "FiniteTime",
    "Flood",
    "GeometricMedian",
    "Gossip",
    "GossipState",
    "Krum",
    "LocalUpdate",
    "Median",
    "Noisy",
    "Plain",
    "PushSum",
    "RobustGossip",
    "SecondOrder",
    "TrimmedMean",
]
