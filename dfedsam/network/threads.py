"""How many threads a process should use, so that the processes of one machine share its cores."""

import os
from collections.abc import Iterable


def cores() -> frozenset[int]:
    """The cores this process may run on (all of the machine's where the system does not say)."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def threads_per_rank(allowed: Iterable[frozenset[int]], mine: frozenset[int]) -> int:
    """Threads for one process of a machine: an even share of the cores, at most its own, at least 1.

    Args:
        allowed: the cores that each process of this machine may run on. Launchers that bind processes give each its
            own, others give all of them the same.
        mine: those of the process that asks.
    """
    sets = list(allowed)
    share = len(frozenset().union(*sets)) // len(sets)
    return max(1, min(share, len(mine)))
