"""How many threads a process should use, so that the processes of one machine share its cores, and work for them."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor


def cores() -> frozenset[int]:
    """The cores this process may run on (all of the machine's where the system does not say)."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def threads_per_rank(allowed: Iterable[frozenset[int]], mine: frozenset[int]) -> int:
    """Threads for one process of a machine: an even share of the cores, at most its own, at least 1.

    OMP_NUM_THREADS, where it is set, is an upper bound.

    Args:
        allowed: the cores that each process of this machine may run on. Launchers that bind processes give each its
            own, others give all of them the same.
        mine: those of the process that asks.
    """
    sets = list(allowed)
    share = len(frozenset().union(*sets)) // len(sets)
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    bound = int(asked) if asked.isdecimal() else share
    return max(1, min(share, len(mine), bound))


class Team:
    """Threads that share work on the rows of an array.

    Args:
        size: how many, at least 1; none is started before there is work for two.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool: ThreadPoolExecutor | None = None

    def share(self, work: Callable[[int, int], None], count: int, most: int) -> None:
        """Call work(start, stop) on stretches that cover range(count), in at most `most` threads at once."""
        threads = max(1, min(self.size, count, most))
        if threads == 1:
            work(0, count)
            return
        self._pool = self._pool or ThreadPoolExecutor(self.size)
        ends = [count * i // threads for i in range(threads + 1)]
        list(self._pool.map(work, ends[:-1], ends[1:]))  # the list raises what a thread raised
