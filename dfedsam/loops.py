"""Loops compiled by numba, the extra `fast`: the operations of numpy and scipy in their order, in fewer passes.

So the results are theirs, bit for bit: no product is fused with a sum, and no sum is reordered. The machine code is
kept in numba's cache, beside this file or in the user's cache folder.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_HALF, _CUT, _KEPT = np.uint32(1 << 12), np.uint32(13), np.uint32(0xFFFFE000)  # of the bits that are rounded off
_SIGN, _TOP = np.uint32(16), np.uint32(1 << 15)
_TILE = 512  # numbers of a row that are sorted while they are in the nearest cache
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


@_compiled
def subtract(rows: NDArray, which: NDArray, x: NDArray, own: NDArray, out: NDArray) -> None:
    """out[i, j] = rows[which[i, j]] − x[own[i]], for which (p, k) and own (p,): (p, k, d)."""
    for i in range(len(out)):
        b = x[own[i]]
        for j in range(out.shape[1]):
            a, difference = rows[which[i, j]], out[i, j]
            for s in range(len(b)):
                difference[s] = a[s] - b[s]


@_compiled
def sort(values: NDArray) -> None:
    """Sort values (k, p, d) along the first axis, in place, by exchanges of neighbours; NaN spreads, as in numpy."""
    k, p, d = values.shape
    for i in range(p):
        for first in range(0, d, _TILE):
            for turn in range(k):
                for j in range(turn % 2, k - 1, 2):
                    low, high = values[j, i, first : first + _TILE], values[j + 1, i, first : first + _TILE]
                    for s in range(len(low)):
                        a, b = low[s], high[s]
                        low[s] = a if a < b or a != a else b
                        high[s] = a if a > b or a != a else b


@_compiled
def largest(x: NDArray) -> NDArray:
    """The largest modulus in each row of x (p, d), float32, without NaN: (p,)."""
    result = np.empty(len(x), x.dtype)
    for i in range(len(x)):
        bits, top = x[i].view(np.uint32), np.uint32(0)
        for j in range(len(bits)):  # whole numbers are ordered as moduli are, and compared many at a time
            top = max(top, bits[j] & np.uint32(0x7FFFFFFF))
        result.view(np.uint32)[i] = top
    return result


@_compiled
def round_to_halves(x: NDArray, up: NDArray, down: NDArray, messages: NDArray, out: NDArray) -> None:
    """Rows x (p, d), float32, times `up` (p,), rounded to 19 bits, of which 16 are sent; and these times `down`.

    Args:
        x: the rows.
        up: powers of two.
        down: their inverses.
        messages: (p, 2 + 2 d) bytes, C-contiguous; receives all but the first two.
        out: (p, d), receives the rounded rows.
    """
    for i in range(len(x)):
        a, half, scaled = x[i], messages[i][2:].view(np.uint16), out[i]
        bits = scaled.view(np.uint32)
        for j in range(len(a)):
            scaled[j] = a[j] * up[i]
        for j in range(len(a)):
            bits[j] = np.uint32(bits[j] + _HALF)
        for j in range(len(a)):
            half[j] = np.uint16((bits[j] >> _CUT) | ((bits[j] >> _SIGN) & _TOP))
            bits[j] &= _KEPT
        for j in range(len(a)):
            scaled[j] *= down[i]


@_compiled
def quantize(
    x: NDArray, factor: NDArray, offsets: NDArray, unit: NDArray, levels: int, numbers: NDArray, out: NDArray
) -> None:
    """l = ⌊factor x + offset⌋ of rows x (p, d): levels + l as bytes, and unit l; offsets (p, w) repeat along a row."""
    width = offsets.shape[1]
    for i in range(len(x)):
        f, size, u = factor[i, 0], unit[i, 0], offsets[i]
        for first in range(0, x.shape[1], width):
            a, number = x[i, first : first + width], numbers[i, first : first + width]
            decoded = out[i, first : first + width]
            for j in range(len(a)):
                level = np.floor(a[j] * f + u[j])
                number[j] = np.int8(level) + levels
                decoded[j] = level * size
