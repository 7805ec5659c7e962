"""Threads that share work on the rows of an array."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dfedsam.buffers import short_buffers

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
