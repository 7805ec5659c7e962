# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .asynchronous import AsynchronousTime as AsynchronousTime
from .availability import Availability as Availability, Daily as Daily, Trace as Trace
from .base import Clock as Clock, RunTime as RunTime, TimeModel as TimeModel
from .compute import (
    Compute as Compute,
    Constant as Constant,
    Exponential as Exponential,
    LogNormal as LogNormal,
    Pareto as Pareto,
    PerPeer as PerPeer,
    PerQuery as PerQuery,
    RateLimits as RateLimits,
    TwoSpeeds as TwoSpeeds,
)
from .links import (
    Links as Links,
    MatrixLinks as MatrixLinks,
    UnderlayLinks as UnderlayLinks,
    UniformLinks as UniformLinks,
)
from .synchronous import SynchronousTime as SynchronousTime
