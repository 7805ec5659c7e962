"""How long a round takes on an underlay, for `dfedsam topology --underlay`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dfedsam.errors import OptionError

if TYPE_CHECKING:
    from dfedsam.topologies import Topology

_UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_ROUNDS = 200  # of a schedule whose time a round is measured, over the second half
_UNROLLED = 2000  # peers times rounds of a period up to which it is computed


def size(text: str) -> float:
    """Bytes in text such as 45MB.

    Raises:
        OptionError: if it is no size.
    """
    parts = re.fullmatch(r"(\d+(?:\.\d*)?(?:e\d+)?) ?(B|kB|MB|GB)?", text)
    if parts is None:
        raise OptionError("message", text, "must be a size, such as 45MB", "the units are B, kB, MB and GB")
    return float(parts[1]) * _UNITS[parts[2] or "B"]


def cycle_time(topology: Topology, underlay: str, message: float) -> tuple[float, bool]:
    """Seconds a round in the long run without computation, and whether that is exact.

    Args:
        topology: peers at the first sites of the underlay.
        underlay: its name, or a file.
        message: bytes of a message.
    """
    import numpy as np

    from dfedsam import clock
    from dfedsam.topologies.underlay import cycle_time as largest_mean

    links = clock.UnderlayLinks(file=underlay)
    links.underlay.require_sites(topology.n, "underlay", underlay)
    time = clock.SynchronousTime(clock.Clock(compute=clock.Constant(mean=0), links=links), topology.n, seed=0)
    n, period = topology.n, topology.period
    if period is not None and (period == 1 or n * period <= _UNROLLED):
        senders, receivers, delays = ([], [], [])
        for t in range(period):  # from each peer in round t to those in the next one, and at no cost to itself
            edges = time.edges(topology.weights(t))
            senders += [t * n + edges.senders, t * n + np.arange(n)]
            receivers += [(t + 1) % period * n + edges.receivers, (t + 1) % period * n + np.arange(n)]
            delays += [links.seconds(edges, message), np.zeros(n)]
        return largest_mean(n * period, *map(np.concatenate, (senders, receivers, delays))), True
    starts = 0.0
    for t in range(_ROUNDS):
        time.advance(t, [(topology.weights(t), int(message))], np.zeros(topology.n), topology.participants(t))
        starts = time.metrics["time"] if t + 1 == _ROUNDS // 2 else starts
    return (time.metrics["time"] - starts) / (_ROUNDS - _ROUNDS // 2), False
