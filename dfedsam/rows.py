"""Work on rows of arrays: compiled loops where they are worth loading, threads, sums, and rows with few entries."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WORTH_LOADING = 1 << 22
"""Bytes of an array below which loading numba takes longer than it saves in most runs."""

WORTH_A_THREAD = 1 << 20
"""Bytes of an array below which waking another thread takes longer than the work."""

LANES = 64
"""Number j of a row is added to sum j mod 64, one after another; then halves of these sums are added, six times."""

_WIDE = 64  # numbers of a row below which compiled loops gain nothing
_BUFFER = 2048  # numbers
_CHUNK_BYTES = 1 << 21  # of one array: in smaller chunks calls of numpy take as long as their arithmetic


def loops(x: NDArray) -> ModuleType | None:
    """`dfedsam.loops`, for rows x (b, d) that are wide and many; for a few wide ones only if it is loaded already.

    None for other rows, or if numba is not installed.
    """
    if x.shape[1] < _WIDE or x.dtype.char not in "fd":
        return None
    return load() if x.nbytes >= WORTH_LOADING else loaded()


def loaded() -> ModuleType | None:
    """`dfedsam.loops` if they are loaded already."""
    return load() if load.cache_info().currsize else None


@cache
def load() -> ModuleType | None:
    """`dfedsam.loops`; None if numba is not installed, or cannot keep what it compiles."""
    try:
        from dfedsam import loops
    except (ImportError, RuntimeError):  # numba's own, where it finds no folder for its cache
        return None
    return loops


@contextmanager
def short_buffers() -> Generator[None, None, None]:
    """Make numpy's buffers in this thread shorter than most peers' rows; also usable as a decorator.

    numpy first copies one factor per row into a buffer that is longer than a row, as its default of 8,192 numbers often
    is, which takes as long as the arithmetic.
    """
    before = np.setbufsize(_BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)


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


def squares(x: NDArray) -> NDArray:
    """‖x‖² of rows (p, d), in their type: (p,)."""
    if compiled := loops(x):
        return compiled.squares(x)
    with np.errstate(over="ignore"):
        return _sums(x * x)


def moduli(x: NDArray) -> NDArray:
    """‖x‖₁ of rows (p, d), in their type: (p,)."""
    if compiled := loops(x):
        return compiled.moduli(x)
    return _sums(np.abs(x))


def _sums(terms: NDArray) -> NDArray:
    whole = terms.shape[1] // LANES * LANES
    sums = terms[:, :whole].reshape(len(terms), -1, LANES).sum(axis=1)
    sums[:, : terms.shape[1] - whole] += terms[:, whole:]
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    return sums[:, 0]


class SparseRows(NamedTuple):
    """m rows of k entries each; all others are zero.

    Args:
        columns: of the entries, rising in each row, shape (m, k).
        values: the entries, shape (m, k).
    """

    columns: NDArray[np.intp]
    values: NDArray

    @classmethod
    def concatenate(cls, first: SparseRows, second: SparseRows) -> SparseRows:
        """The rows of both, one after another; each has k entries a row."""
        return cls(*(np.concatenate(arrays) for arrays in zip(first, second, strict=True)))

    def rows(self, which: slice | NDArray[np.intp]) -> SparseRows:
        """Some of the rows, as arrays are indexed: views for a slice, else copies."""
        return SparseRows(self.columns[which], self.values[which])

    def dense(self, dim: int) -> NDArray:
        """The whole rows, a new array (m, dim) of the type of the values."""
        x = np.zeros((len(self.columns), dim), self.values.dtype)
        np.put_along_axis(x, self.columns, self.values, axis=1)
        return x

    def add_to(self, out: NDArray, times: float) -> None:
        """out += times · these rows, in the type of `out` (m, dim), C-contiguous."""
        if compiled := loops(out):
            compiled.add_entries(self.columns, self.values, out.dtype.type(times), out)
            return
        flat = self.columns + np.arange(len(out))[:, None] * out.shape[1]
        np.add.at(out.reshape(-1), flat.reshape(-1), (out.dtype.type(times) * self.values).reshape(-1))
