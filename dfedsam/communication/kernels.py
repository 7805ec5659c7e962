"""The arithmetic of mixing: sparse rows of W times rows of x, accumulated in a fixed order.

Everything that must not depend on the split of the peers over ranks goes through `accumulate`, which adds one product
after another in the order of the stored columns. So a row of W may be cut into pieces and its sum is still the same
sum, bit for bit, as scipy's `W @ X` of the whole.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.peers import Peers
from dfedsam.rows import WORTH_A_THREAD, SparseRows, ThreadPool, loops, short_buffers

try:
    # scipy's public `W @ X` calls this very function on a fresh array of zeros. Called directly it adds in place: the
    # pieces of a row can be summed one after another without a stacked copy of the rows, and the output can be reused.
    from scipy.sparse._sparsetools import csr_matvecs as _csr_matvecs  # pyright: ignore[reportMissingImports]
except ImportError:  # a scipy that has moved it: same sums in the same order, slower
    _csr_matvecs = None

Decoded = NDArray | SparseRows
"""Rows of x, or what a compressor makes of them."""
Finish = Callable[[slice], None] | NDArray
"""Called with rows of the result as soon as they are complete, while they are in cache; or an array that they are then
added to."""
Prepare = Callable[[slice], None]
"""Called with rows before they are read."""

_CACHED_BYTES = 1 << 19  # of output that is set to zero and added to, or of input that is prepared, while in cache
_A_THREAD = 4  # chunks of output for each thread, at least
_AT_ONCE = 1 << 16  # scattered entries that are gathered and added at once
_CAST_NUMBERS = 1 << 18  # numbers cast at once, so that they stay in cache


def encode_rows(encode: Callable[[slice, bool], None], sent: NDArray[np.bool_] | None, rows: slice) -> None:
    """Encode some rows, with messages from the first of them that other ranks need to the last, elsewhere without.

    `encode(rows, written)` encodes neighbouring rows; `sent` masks those that others need, shape (b,); None: no row.
    """
    needed = [] if sent is None else rows.start + np.flatnonzero(sent[rows])
    first, last = (needed[0], needed[-1] + 1) if len(needed) else (rows.stop, rows.stop)
    for start, stop, written in (rows.start, first, False), (first, last, True), (last, rows.stop, False):
        if start < stop:
            encode(slice(start, stop), written)


class WeightRows(NamedTuple):
    """Sparse rows in CSR form: row i is `data[s]` at the columns `indices[s]`, s = indptr[i] … indptr[i + 1] − 1."""

    indptr: NDArray
    indices: NDArray
    data: NDArray

    @classmethod
    def of(cls, W: csr_array, peers: Peers) -> "WeightRows":
        """The rows of some peers; without a copy of the entries where they are a range."""
        if isinstance(peers, range):
            first, last = W.indptr[peers.start], W.indptr[peers.stop]
            return cls(W.indptr[peers.start : peers.stop + 1] - first, W.indices[first:last], W.data[first:last])
        rows = W[peers]
        return cls(rows.indptr, rows.indices, rows.data)

    def split(self, columns: NDArray, row: NDArray, piece: NDArray, pieces: int) -> list["WeightRows"]:
        """Cut every row into pieces, whose entries keep the order that they had in the row.

        Args:
            columns: the entries' new column numbers.
            row: the row of each entry.
            piece: the piece that each entry goes to, from 0.
            pieces: number of pieces.
        """
        height = len(self.indptr) - 1
        order = np.argsort(piece.astype(np.int8), kind="stable")  # few bits: sorted by counting
        columns, data = columns[order].astype(self.indices.dtype), self.data[order]
        lengths = np.bincount(piece * height + row, minlength=pieces * height)
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(self.indptr.dtype)
        split = []
        for first in range(0, pieces * height, height):
            indptr = ends[first : first + height + 1]
            low, high = indptr[0], indptr[-1]
            split.append(WeightRows(indptr - low, columns[low:high], data[low:high]))
        return split


def accumulate(rows: WeightRows, x: Decoded, out: NDArray) -> None:
    """out += rows @ x, one product after another in the order of the columns.

    Args:
        rows: r sparse rows of the type of `x`.
        x: (m, d), C-contiguous, m above every column; or SparseRows of as many rows.
        out: (r, d), C-contiguous, of the same type, changed in place.
    """
    if not len(rows.indices):
        return
    if isinstance(x, SparseRows):
        _accumulate_entries(rows, x, out)
        return
    if _csr_matvecs is not None:
        _csr_matvecs(len(out), len(x), x.shape[1], *rows, x.ravel(), out.reshape(-1))
        return
    for i, row in enumerate(out):
        for s in range(rows.indptr[i], rows.indptr[i + 1]):
            row += rows.data[s] * x[rows.indices[s]]


def _accumulate_entries(rows: WeightRows, x: SparseRows, out: NDArray) -> None:
    """`accumulate` for rows of few entries: products with zeros are skipped, which changes no sum."""
    row = np.repeat(np.arange(len(out)) * out.shape[1], np.diff(rows.indptr))
    first, last = int(rows.indptr[0]), int(rows.indptr[-1])
    count = max(1, _AT_ONCE // x.values.shape[1])
    for low in range(first, last, count):
        some = slice(low, min(low + count, last))
        columns, values = x.rows(rows.indices[some])
        columns += row[low - first : some.stop - first, None]
        values *= rows.data[some, None]
        np.add.at(out.reshape(-1), columns.reshape(-1), values.reshape(-1))


def multiply(
    pieces: Sequence[tuple[WeightRows, Decoded]],
    out: NDArray,
    pool: ThreadPool,
    *,
    add: bool = False,
    finish: Finish | None = None,
    prepare: Prepare | None = None,
) -> None:
    """out = Σ rows @ x over the pieces, in their order; every thread computes some of the output's rows.

    Args:
        pieces: rows (b sparse rows each) with the x they apply to, as in `accumulate`.
        out: (b, d), C-contiguous, with any content.
        pool: the threads; scipy's inner loop runs without the interpreter's lock.
        add: add to the content of `out` instead of replacing it.
        finish: called in these threads with some rows of `out` once they are complete, while they are in cache; or
            (b, d), to which they are then added.
        prepare: called in these threads with some rows of `out`, before these rows of x are read; x has as many rows.
    """
    compiled = loops(out)
    if compiled is None and isinstance(pieces[0][1], SparseRows):  # all are, or none
        _add_sparse(pieces, out, pool, add, finish, prepare)
        return

    def sum_up(chunk: slice) -> None:
        for i, (rows, x) in enumerate(pieces):
            some = WeightRows(rows.indptr[chunk.start : chunk.stop + 1], rows.indices, rows.data)
            onto = finish[chunk] if i == len(pieces) - 1 and isinstance(finish, np.ndarray) else None
            _add_or_set(some, x, out[chunk], add or i > 0, onto, compiled)
        if callable(finish):
            finish(chunk)

    if prepare is None and out.nbytes <= _CACHED_BYTES:
        sum_up(slice(0, len(out)))
        return
    threads = min(pool.size, 1 + out.nbytes // WORTH_A_THREAD)
    height = max(1, min(_CACHED_BYTES // out[0].nbytes, len(out) // (_A_THREAD * threads) if threads > 1 else len(out)))
    chunks = [slice(low, min(low + height, len(out))) for low in range(0, len(out), height)]
    if prepare is not None:
        chunks = _sum_while_preparing(chunks, pieces[0][0], prepare, sum_up, pool, threads)

    def work(start: int, stop: int) -> None:
        for chunk in chunks[start:stop]:
            sum_up(chunk)

    pool.map_ranges(work, len(chunks), threads)


def _add_sparse(
    pieces: Sequence[tuple[WeightRows, Decoded]],
    out: NDArray,
    pool: ThreadPool,
    add: bool,
    finish: Finish | None,
    prepare: Prepare | None,
) -> None:
    """`multiply` for rows of few entries, by one thread: numpy adds scattered entries with the interpreter locked."""
    if prepare is not None:
        pool.map_chunks(prepare, len(out), 2 * out[0].nbytes)
    if not add:
        out.fill(0)
    for rows, x in pieces:
        accumulate(rows, x, out)
    if isinstance(finish, np.ndarray):
        pool.map_chunks(lambda rows: _add(out[rows], finish[rows]), len(out), out[0].nbytes)
    elif finish is not None:
        pool.map_chunks(finish, len(out), out[0].nbytes)


def _sum_while_preparing(
    chunks: list[slice],
    rows: WeightRows,
    prepare: Callable[[slice], None],
    sum_up: Callable[[slice], None],
    pool: ThreadPool,
    threads: int,
) -> list[slice]:
    """Prepare all chunks, and sum those up at once whose terms the same thread has prepared; the others are returned.

    What was just prepared is still in cache: on a ring only the first and the last chunk of each thread wait.
    """
    numbers, height = np.arange(len(chunks)), chunks[0].stop
    starts = np.minimum(rows.indptr[:-1:height], len(rows.indices) - 1)  # a chunk without terms may wait for any
    first = np.minimum(np.minimum.reduceat(rows.indices, starts) // height, numbers)
    last = np.maximum(np.maximum.reduceat(rows.indices, starts) // height, numbers)
    wait = np.ones(len(chunks), np.bool_)

    def work(start: int, stop: int) -> None:
        window = slice(start, stop)
        ready = np.where(first[window] >= start, last[window], stop)
        wait[window] = ready >= stop
        after: list[list[int]] = [[] for _ in range(start, stop + 1)]
        for chunk, at in enumerate(np.minimum(ready, stop).tolist(), start):
            after[at - start].append(chunk)
        with short_buffers():
            for chunk in range(start, stop):
                prepare(chunks[chunk])
                for complete in after[chunk - start]:
                    sum_up(chunks[complete])

    pool.map_ranges(work, len(chunks), threads)
    return [chunk for chunk, waits in zip(chunks, wait.tolist(), strict=True) if waits]


def _add_or_set(
    rows: WeightRows, x: Decoded, out: NDArray, add: bool, onto: NDArray | None, compiled: ModuleType | None
) -> None:
    if compiled is None:
        if not add:
            out.fill(0)
        accumulate(rows, x, out)
        if onto is not None:
            _add(out, onto)
    elif isinstance(x, SparseRows):
        compiled.multiply_entries(*rows, *x, out, add, onto)
    else:
        compiled.multiply(*rows, x, out, add, onto)


def _add(rows: NDArray, onto: NDArray) -> None:
    onto += rows


def add_rows(x: NDArray, out: NDArray, order: NDArray[np.intp] | None = None) -> None:
    """out += x[0], then x[1], …: a sum over rows whose order is fixed, in the type of `out`.

    Args:
        x: (b, d), any strides and numeric type.
        out: (d,), C-contiguous, changed in place.
        order: the rows' numbers in the order in which they are added, in place of 0 … b − 1.
    """
    height = max(1, min(len(x), _CAST_NUMBERS // max(1, x.shape[1])))
    ones, columns = np.ones(height, out.dtype), np.arange(height, dtype=np.int32)
    for start in range(0, len(x), height):
        some = slice(start, start + height) if order is None else order[start : start + height]
        rows = np.ascontiguousarray(x[some], dtype=out.dtype)
        count = len(rows)
        accumulate(WeightRows(np.array([0, count], np.int32), columns[:count], ones[:count]), rows, out[None])
