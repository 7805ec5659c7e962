"""Threads that share work on the rows of an array."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dfedsam.buffers import short_buffers

_CHUNK_BYTES = 1 << 21  # of one array: in smaller chunks calls of numpy take as long as their arithmetic
WORTH_A_THREAD = 1 << 20
"""Bytes of an array below which waking another thread takes longer than the work."""


class ThreadPool:
    """Threads for work on rows.

    Args:
        size: number of threads, at least 1; they are started only when there is work for two.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._executor: ThreadPoolExecutor | None = None

    def map_ranges(self, work: Callable[[int, int], None], count: int, most: int) -> None:
        """Call work(start, stop) on ranges that cover range(count), in at most `most` threads at once."""
        threads = max(1, min(self.size, count, most))
        if threads == 1:
            work(0, count)
            return
        self._executor = self._executor or ThreadPoolExecutor(self.size)
        ends = [count * i // threads for i in range(threads + 1)]
        list(self._executor.map(work, ends[:-1], ends[1:]))  # the list raises what a thread raised

    def map_chunks(self, work: Callable[[slice], None], count: int, row_bytes: int) -> None:
        """Call work(rows) on chunks of neighbouring rows, small enough for the cache, that cover range(count).

        Args:
            work: processes some rows independently of the others, so it may be called in any thread and order.
            count: rows in all.
            row_bytes: of one row of the widest array that `work` reads or writes.
        """
        height = max(1, _CHUNK_BYTES // max(1, row_bytes))

        def chunks(start: int, stop: int) -> None:
            with short_buffers():
                for low in range(start, stop, height):
                    work(slice(low, min(low + height, stop)))

        self.map_ranges(chunks, count, 1 + count * row_bytes // WORTH_A_THREAD)
