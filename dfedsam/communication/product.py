"""The arithmetic of mixing: sparse rows of W times rows of x, added onto what is there already, in a fixed order.

Everything that must not depend on the split of the peers over ranks goes through `accumulate`, which adds one product
after another in the order of the stored columns. So a row of W may be cut into pieces and its sum is still the same
sum, bit for bit, as scipy's `W @ X` of the whole.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.communication.threads import Team
from dfedsam.peers import Peers
from dfedsam.sparse_rows import SparseRows

try:
    # scipy's public `W @ X` calls this very function on a fresh array of zeros. Called directly it adds in place: the
    # pieces of a row can be summed one after another without a stacked copy of the rows, and the output can be reused.
    from scipy.sparse._sparsetools import csr_matvecs as _csr_matvecs  # pyright: ignore[reportMissingImports]
except ImportError:  # a scipy that has moved it: same sums in the same order, slower
    _csr_matvecs = None

_CACHED_BYTES = 1 << 19  # of output that is set to zero and added to while in cache
_AT_ONCE = 1 << 16  # scattered entries that are gathered and added at once
_WORTH_A_THREAD = 1 << 20  # bytes of output below which waking another thread takes longer than the work


class Rows(NamedTuple):
    """Sparse rows in CSR form: row i is `data[s]` at the columns `indices[s]`, s = indptr[i] … indptr[i + 1] − 1."""

    indptr: NDArray
    indices: NDArray
    data: NDArray

    def deal(self, columns: NDArray, row: NDArray, piece: NDArray, pieces: int) -> list["Rows"]:
        """Cut every row into pieces, with their entries in the order that they had in the row.

        Args:
            columns: the entries' new column numbers.
            row: the row of each entry.
            piece: the piece that each entry goes to, counted from 0.
            pieces: how many there are.
        """
        height = len(self.indptr) - 1
        order = np.argsort(piece.astype(np.int8), kind="stable")  # few bits: sorted by counting
        columns, data = columns[order].astype(self.indices.dtype), self.data[order]
        lengths = np.bincount(piece * height + row, minlength=pieces * height)
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(self.indptr.dtype)
        dealt = []
        for first in range(0, pieces * height, height):
            indptr = ends[first : first + height + 1]
            low, high = indptr[0], indptr[-1]
            dealt.append(Rows(indptr - low, columns[low:high], data[low:high]))
        return dealt


def stored(W: csr_array, peers: Peers) -> Rows:
    """The rows of some peers; without a copy of the entries where they are a range."""
    if isinstance(peers, range):
        first, last = W.indptr[peers.start], W.indptr[peers.stop]
        return Rows(W.indptr[peers.start : peers.stop + 1] - first, W.indices[first:last], W.data[first:last])
    rows = W[peers]
    return Rows(rows.indptr, rows.indices, rows.data)


def accumulate(rows: Rows, x: NDArray | SparseRows, out: NDArray) -> None:
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


def _accumulate_entries(rows: Rows, x: SparseRows, out: NDArray) -> None:
    """`accumulate` for rows of few entries: products with zeros are left out, which changes no sum."""
    row = np.repeat(np.arange(len(out)) * out.shape[1], np.diff(rows.indptr))
    first, last = int(rows.indptr[0]), int(rows.indptr[-1])
    count = max(1, _AT_ONCE // x.values.shape[1])
    for low in range(first, last, count):
        some = slice(low, min(low + count, last))
        places, values = x.rows(rows.indices[some])
        places += row[low - first : some.stop - first, None]
        values *= rows.data[some, None]
        np.add.at(out.reshape(-1), places.reshape(-1), values.reshape(-1))


def multiply(
    pieces: Sequence[tuple[Rows, NDArray | SparseRows]],
    out: NDArray,
    team: Team,
    *,
    onto: bool = False,
    then: Callable[[slice], None] | None = None,
) -> None:
    """out = Σ rows @ x over the pieces, in their order; every thread of the team takes a stretch of the output's rows.

    Args:
        pieces: rows (b sparse rows each) with the x they apply to, as in `accumulate`.
        out: (b, d), C-contiguous, whatever it holds.
        team: the threads; scipy's inner loop runs without the interpreter's lock.
        onto: add to what `out` holds.
        then: called in these threads with some rows of `out` once they are there, while the cache has them.
    """
    row = out.shape[1] * out.itemsize
    if any(isinstance(x, SparseRows) for _, x in pieces):
        if not onto:
            out.fill(0)
        for rows, x in pieces:  # by one thread: numpy adds scattered entries with the interpreter locked
            accumulate(rows, x, out)
        if then is not None:
            team.in_stretches(then, len(out), row)
        return
    height = max(1, _CACHED_BYTES // row)

    def work(start: int, stop: int) -> None:
        for low in range(start, stop, height):
            high = min(low + height, stop)
            part = out[low:high]
            if not onto:
                part.fill(0)
            for rows, x in pieces:
                accumulate(rows._replace(indptr=rows.indptr[low : high + 1]), x, part)
            if then is not None:
                then(slice(low, high))

    team.share(work, len(out), 1 + out.nbytes // _WORTH_A_THREAD)


def add_rows(x: NDArray, out: NDArray, order: NDArray[np.intp] | None = None) -> None:
    """out += x[0], then x[1], …: a sum over rows whose order is fixed, in the type of `out`.

    Args:
        x: (b, d), any strides and numeric type.
        out: (d,), C-contiguous, changed in place.
        order: the rows' numbers in the order in which they are added, in place of 0 … b − 1.
    """
    height = max(1, min(len(x), (1 << 18) // max(1, x.shape[1])))  # casts stay in cache
    ones, columns = np.ones(height, out.dtype), np.arange(height, dtype=np.int32)
    for start in range(0, len(x), height):
        some = slice(start, start + height) if order is None else order[start : start + height]
        part = np.ascontiguousarray(x[some], dtype=out.dtype)
        count = len(part)
        accumulate(Rows(np.array([0, count], np.int32), columns[:count], ones[:count]), part, out[None])
