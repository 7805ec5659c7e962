"""Gossip: what one exchange phase does."""

from dfedsam.gossip.base import Gossip
from dfedsam.gossip.chebyshev import Chebyshev
from dfedsam.gossip.choco import Choco
from dfedsam.gossip.deep_squeeze import DeepSqueeze
from dfedsam.gossip.finite_time import FiniteTime
from dfedsam.gossip.flood import Flood
from dfedsam.gossip.plain import Plain
from dfedsam.gossip.push_sum import PushSum
from dfedsam.gossip.second_order import SecondOrder

__all__ = ["Chebyshev", "Choco", "DeepSqueeze", "FiniteTime", "Flood", "Gossip", "Plain", "PushSum", "SecondOrder"]
