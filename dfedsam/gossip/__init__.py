"""Gossip: what one exchange phase does."""

from dfedsam.gossip.base import Gossip
from dfedsam.gossip.plain import Plain
from dfedsam.gossip.push_sum import PushSum

__all__ = ["Gossip", "Plain", "PushSum"]
