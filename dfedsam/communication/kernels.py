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

from dfedsam.communication.partition import Partition
from dfedsam.communication.threads import WORTH_A_THREAD, ThreadPool
from dfedsam.compiled import loops
from dfedsam.peers import Peers
from dfedsam.sparse_rows import SparseRows

try:
    # scipy's public `W @ X` calls this very function on a fresh array of zeros. Called directly it adds in place: the
    # pieces of a row can be summed one after another without a stacked copy of the rows, and the output can be reused.
    from scipy.sparse._sparsetools import csr_matvecs as _csr_matvecs  # pyright: ignore[reportMissingImports]
except ImportError:  # a scipy that has moved it: same sums in the same order, slower
    _csr_matvecs = None

Decoded = NDArray | SparseRows
"""Rows of x, or what a compressor makes of them."""
Finish = Callable[[slice], None]
"""Called with rows of the result as soon as they are complete, while they are in cache."""

_CACHED_BYTES = 1 << 19  # of output that is set to zero and added to while in cache
_AT_ONCE = 1 << 16  # scattered entries that are gathered and added at once
_CAST_NUMBERS = 1 << 18  # numbers cast at once, so that they stay in cache


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
) -> None:
    """out = Σ rows @ x over the pieces, in their order; every thread computes some of the output's rows.

    Args:
        pieces: rows (b sparse rows each) with the x they apply to, as in `accumulate`.
        out: (b, d), C-contiguous, with any content.
        pool: the threads; scipy's inner loop runs without the interpreter's lock.
        add: add to the content of `out` instead of replacing it.
        finish: called in these threads with some rows of `out` once they are complete, while they are in cache.
    """
    row_bytes = out.shape[1] * out.itemsize
    if any(isinstance(x, SparseRows) for _, x in pieces):
        if not add:
            out.fill(0)
        for rows, x in pieces:  # by one thread: numpy adds scattered entries with the interpreter locked
            accumulate(rows, x, out)
        if finish is not None:
            pool.map_chunks(finish, len(out), row_bytes)
        return
    compiled = loops(out)
    height = max(1, _CACHED_BYTES // row_bytes)

    def work(start: int, stop: int) -> None:
        for low in range(start, stop, height):
            high = min(low + height, stop)
            for i, (rows, x) in enumerate(pieces):
                some = rows._replace(indptr=rows.indptr[low : high + 1])
                _add_or_set(some, x, out[low:high], add or i > 0, compiled)
            if finish is not None:
                finish(slice(low, high))

    pool.map_ranges(work, len(out), 1 + out.nbytes // WORTH_A_THREAD)


def _add_or_set(rows: WeightRows, x: Decoded, out: NDArray, add: bool, compiled: ModuleType | None) -> None:
    if compiled is not None:
        compiled.multiply(*rows, x, out, add)
        return
    if not add:
        out.fill(0)
    accumulate(rows, x, out)


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


class RankSums:
    """How a rank sums W's products with its own and with received rows, in the order of the peers' numbers.

    A single process adds in the same order, so the sums are the same, bit for bit. In most rows the order has three
    pieces: peers of other ranks, then own peers, then again peers of other ranks. These are added one after another,
    without copying the rows. If own and other peers alternate more often, which happens only in blocks that are not
    contiguous, the rows are first copied into one array.

    Args:
        rows: the block's rows of W, with the numbers of the peers as columns, rising.
        partition: which rank owns which peers.
        rank: whose block it is.
        received: the peers whose rows are received, in the order in which they are.
    """

    def __init__(self, rows: WeightRows, partition: Partition, rank: int, received: NDArray[np.intp]) -> None:
        owners = partition.owner[rows.indices]
        index = partition.position - partition.positions(rank).start  # of a peer's row, among own or received ones
        index[received] = np.arange(len(received))
        columns = index[rows.indices]
        row = np.repeat(np.arange(len(rows.indptr) - 1), np.diff(rows.indptr))
        self._from_own = self._from_remote = np.empty(0, np.intp)
        if partition.contiguous:
            piece = (owners >= rank).astype(np.intp) + (owners > rank)
        else:
            piece = _alternations(rows.indptr, row, owners == rank)
            often = np.zeros(len(rows.indptr) - 1, bool)
            often[row[piece > 2]] = True
            piece[often[row]] = 3
            own, remote = (np.flatnonzero((piece == 3) & which) for which in (owners == rank, owners != rank))
            self._from_own, columns[own] = _renumber(columns[own], len(often))
            self._from_remote, columns[remote] = _renumber(columns[remote], len(received))
            columns[remote] += len(self._from_own)
        self._below, self._own, self._above, self._mixed = rows.split(columns, row, piece, 4)

    def add(
        self,
        own: Decoded,
        remote: Decoded,
        out: NDArray,
        pool: ThreadPool,
        *,
        add: bool = False,
        finish: Finish | None = None,
    ) -> None:
        """out = the block's rows of W @ X, from its own rows (b, d) and those received (m, d); see `multiply`."""
        pieces = [(self._below, remote), (self._own, own), (self._above, remote)]
        if len(self._from_own):
            pieces.append((self._mixed, self._side_by_side(own, remote)))
        multiply(pieces, out, pool, add=add, finish=finish)

    def _side_by_side(self, own: Decoded, remote: Decoded) -> Decoded:
        if isinstance(own, SparseRows) and isinstance(remote, SparseRows):
            return SparseRows.concatenate(own.rows(self._from_own), remote.rows(self._from_remote))
        assert isinstance(own, np.ndarray)
        assert isinstance(remote, np.ndarray)
        first = len(self._from_own)
        rows = np.empty((first + len(self._from_remote), own.shape[1]), own.dtype)
        np.take(own, self._from_own, axis=0, out=rows[:first], mode="clip")  # the other modes copy once more
        np.take(remote, self._from_remote, axis=0, out=rows[first:], mode="clip")
        return rows


def _alternations(indptr: NDArray, row: NDArray[np.intp], own: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For each entry, how often other ranks' and own peers alternate up to it in its row, which begins with others'.

    Args:
        indptr: where rows begin and end, as in CSR.
        row: of each entry.
        own: whether each entry is of an own peer.
    """
    before = np.concatenate([[False], own[:-1]])
    before[indptr[:-1][np.diff(indptr) > 0]] = False
    alternated = np.concatenate([[0], np.cumsum(own != before)])
    return alternated[1:] - alternated[indptr[row]]


def _renumber(columns: NDArray[np.intp], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of `count` columns occur, rising, and the columns renumbered among these."""
    occurs = np.zeros(count, bool)
    occurs[columns] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[columns]
