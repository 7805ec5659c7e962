"""Gossip: what one exchange phase does."""

from dfedsam.gossip.base import Gossip
from dfedsam.gossip.plain import Plain

__all__ = ["Gossip", "Plain"]
