"""Simulated time: how long peers compute, how long messages travel, and whom a peer waits for.

Everything is a function of profiles, topology, message size and seed, never of losses or of ranks, so the clock of a
run changes none of its numbers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
