"""Rows with few nonzero entries, as columns and values: sums cost in proportion to these entries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dfedsam.compiled import loops


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
