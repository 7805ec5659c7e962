"""Simulated time: how long peers compute, how long messages travel, and whom a peer waits for.

Everything is a function of profiles, topology, message size and seed, never of losses or of ranks, so the clock of a
run changes none of its numbers.
"""

from dfedsam.clock.compute import Compute, Constant, Exponential, FromFile, LogNormal, Pareto, PerQuery, TwoPoint
from dfedsam.clock.links import Links, MatrixLinks, UnderlayLinks, UniformLinks
from dfedsam.clock.synchronous import Clock, SynchronousTime

__all__ = [
    "Clock",
    "Compute",
    "Constant",
    "Exponential",
    "FromFile",
    "Links",
    "LogNormal",
    "MatrixLinks",
    "Pareto",
    "PerQuery",
    "SynchronousTime",
    "TwoPoint",
    "UnderlayLinks",
    "UniformLinks",
]
