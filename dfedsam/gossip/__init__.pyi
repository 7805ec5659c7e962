# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .base import Gossip as Gossip, GossipState as GossipState
from .ceca import Ceca as Ceca
from .channel import Channel as Channel, LocalUpdate as LocalUpdate
from .choco import Choco as Choco
from .deep_squeeze import DeepSqueeze as DeepSqueeze
from .flood import Flood as Flood
from .plain import Noisy as Noisy, Plain as Plain
from .polynomial import Chebyshev as Chebyshev, FiniteTime as FiniteTime, SecondOrder as SecondOrder
from .push_sum import PushSum as PushSum
from .robust import (
    GTS as GTS,
    IOS as IOS,
    NNA as NNA,
    UBAR as UBAR,
    Balance as Balance,
    Clipped as Clipped,
    CSPlus as CSPlus,
    GeometricMedian as GeometricMedian,
    Krum as Krum,
    Median as Median,
    RobustGossip as RobustGossip,
    TrimmedMean as TrimmedMean,
)
