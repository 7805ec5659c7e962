"""The arithmetic of mixing: sparse rows times dense rows, added onto what is there already, in a fixed order.

Everything that must not depend on the split of the peers over ranks goes through `accumulate`, which adds one product
after another in the order of the stored columns. So a row of W may be cut into pieces and its sum is still the same
sum, bit for bit, as scipy's `W @ X` of the whole.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

try:
    # scipy's public `W @ X` calls this very function on a fresh array of zeros. Called directly it adds in place: the
    # pieces of a row can be summed one after another without a stacked copy of the rows, and the output can be reused.
    from scipy.sparse._sparsetools import csr_matvecs as _csr_matvecs  # pyright: ignore[reportMissingImports]
except ImportError:  # a scipy that has moved it: same sums in the same order, slower
    _csr_matvecs = None


class Rows(NamedTuple):
    """Sparse rows in CSR form: row i is `data[s]` at the columns `indices[s]`, s = indptr[i] … indptr[i + 1] − 1."""

    indptr: NDArray
    indices: NDArray
    data: NDArray

    def part(self, low: int, high: int, number: NDArray | None = None) -> "Rows":
        """The columns low ≤ j < high of every row, renumbered from 0, or by their place in the sorted `number`."""
        inside = (self.indices >= low) & (self.indices < high)
        before = np.concatenate([[0], np.cumsum(inside)]).astype(self.indptr.dtype)
        columns = self.indices[inside]
        columns = columns - low if number is None else np.searchsorted(number, columns)
        return Rows(before[self.indptr], columns.astype(self.indices.dtype), self.data[inside])


def accumulate(rows: Rows, x: NDArray, out: NDArray) -> None:
    """out += rows @ x, one product after another in the order of the columns.

    Args:
        rows: r sparse rows of the type of `x`.
        x: (m, d), C-contiguous, m above every column.
        out: (r, d), C-contiguous, of the same type, changed in place.
    """
    if not len(rows.indices):
        return
    if _csr_matvecs is not None:
        _csr_matvecs(len(out), len(x), x.shape[1], *rows, x.ravel(), out.reshape(-1))
        return
    for i, row in enumerate(out):
        for s in range(rows.indptr[i], rows.indptr[i + 1]):
            row += rows.data[s] * x[rows.indices[s]]


def add_rows(x: NDArray, out: NDArray) -> None:
    """out += x[0], then x[1], …: a sum over rows whose order is fixed, in the type of `out`.

    Args:
        x: (b, d), any strides and numeric type.
        out: (d,), C-contiguous, changed in place.
    """
    height = max(1, min(len(x), (1 << 18) // max(1, x.shape[1])))  # casts stay in cache
    ones, columns = np.ones(height, out.dtype), np.arange(height, dtype=np.int32)
    for start in range(0, len(x), height):
        part = np.ascontiguousarray(x[start : start + height], dtype=out.dtype)
        count = len(part)
        accumulate(Rows(np.array([0, count], np.int32), columns[:count], ones[:count]), part, out[None])
