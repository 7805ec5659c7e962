"""Products of a large sparse matrix with vectors, in float32, some columns after others.

Where neighbours are anywhere, fetching their values takes most of the time of a product: so their part of x should stay
in a core's cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_CACHED = 1 << 19  # columns whose part of x, in float32, fits in a core's cache


def blocked_product(L: sp.csr_array) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """x ↦ Lx, (n,) → (n,), for a Laplacian (n, n) in float32 without empty rows.

    What its rows sum to for rounding is taken off: so the small eigenvalues are as exact, relatively, as its entries.
    """
    n = len(L.indptr) - 1
    excess = np.add.reduceat(L.data, L.indptr[:-1], dtype=np.float64)
    cuts = [slice(start, min(n, start + _CACHED)) for start in range(0, n, _CACHED)]
    parts = [_columns(L, columns) for columns in cuts]

    def product(x: NDArray[np.float64]) -> NDArray[np.float64]:
        short, y = x.astype(np.float32), np.zeros(n, np.float32)
        for part, columns in zip(parts, cuts, strict=True):
            y += part @ short[columns]
        return y - excess * x

    return product


def _columns(L: sp.csr_array, columns: slice) -> sp.csr_array:
    """Some columns of L, with less memory than slicing takes."""
    there = (L.indices >= columns.start) & (L.indices < columns.stop)
    counts = np.add.reduceat(there, L.indptr[:-1], dtype=np.int32)
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    indices = L.indices[there]
    indices -= columns.start
    return sp.csr_array((L.data[there], indices, ends), shape=(len(ends) - 1, columns.stop - columns.start))
