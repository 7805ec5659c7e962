"""Loops compiled by numba, the extra `fast`: the operations of numpy and scipy in their order, in fewer passes.

So the results are theirs, bit for bit: no product is fused with a sum, and no sum is reordered. The machine code is
kept in numba's cache, beside this file or in the user's cache folder.
"""

from numba import njit
from numpy.typing import NDArray

_compiled = njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def multiply(indptr: NDArray, columns: NDArray, weights: NDArray, x: NDArray, out: NDArray, add: bool) -> None:
    """out (r, d) = rows @ x (m, d), or += where `add`, for r sparse rows in CSR form; two products a pass, in turn."""
    for i in range(len(out)):
        total, s, end = out[i], indptr[i], indptr[i + 1]
        if not add:
            total[:] = 0
        if (end - s) % 2:
            v, a = weights[s], x[columns[s]]
            for j in range(len(total)):
                total[j] += v * a[j]
            s += 1
        while s < end:
            v, a, w, b = weights[s], x[columns[s]], weights[s + 1], x[columns[s + 1]]
            for j in range(len(total)):
                total[j] = (total[j] + v * a[j]) + w * b[j]
            s += 2
