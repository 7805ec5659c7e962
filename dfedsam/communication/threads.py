"""How many threads a process should use, so that the processes of one machine share its cores, and work for them."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from dfedsam.buffers import short_buffers


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


_STRETCH_BYTES = 1 << 21  # of one array in a stretch: in smaller ones calls of numpy take as long as their arithmetic
_WORTH_A_THREAD = 1 << 20  # bytes of an array below which waking another thread takes longer than the work


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

    def in_stretches(self, work: Callable[[slice], None], count: int, row_bytes: int) -> None:
        """Call work(rows) on stretches of neighbouring rows, small enough for the cache, that cover range(count).

        Args:
            work: what is done with some rows, whatever the others: it may be called in any thread and order.
            count: rows in all.
            row_bytes: of one row of the widest array that `work` reads or writes.
        """
        height = max(1, _STRETCH_BYTES // max(1, row_bytes))

        def some(start: int, stop: int) -> None:
            with short_buffers():
                for low in range(start, stop, height):
                    work(slice(low, min(low + height, stop)))

        self.share(some, count, 1 + count * row_bytes // _WORTH_A_THREAD)
