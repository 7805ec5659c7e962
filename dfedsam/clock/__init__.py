"""Simulated time: how long peers compute, how long messages travel, and whom a peer waits for.

Everything is a function of profiles, topology, message size and seed, never of losses or of ranks, so the clock of a
run changes none of its numbers.
"""

from dfedsam.clock.asynchronous import AsynchronousTime
from dfedsam.clock.availability import Availability, Daily, Trace
from dfedsam.clock.base import Clock, RunTime, TimeModel
from dfedsam.clock.compute import (
    Compute,
    Constant,
    Exponential,
    LogNormal,
    Pareto,
    PerPeer,
    PerQuery,
    RateLimits,
    TwoSpeeds,
)
from dfedsam.clock.links import Links, MatrixLinks, UnderlayLinks, UniformLinks
from dfedsam.clock.synchronous import SynchronousTime

__all__ = [
    "AsynchronousTime",
    "Availability",
    "Clock",
    "Compute",
    "Constant",
    "Daily",
    "Exponential",
    "Links",
    "LogNormal",
    "MatrixLinks",
    "Pareto",
    "PerPeer",
    "PerQuery",
    "RateLimits",
    "RunTime",
    "SynchronousTime",
    "TimeModel",
    "Trace",
    "TwoSpeeds",
    "UnderlayLinks",
    "UniformLinks",
]
