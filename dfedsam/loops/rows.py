"""What loops over a single row do, for the other files."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES = 64  # those of `dfedsam.row_sums`
_BLOCK = 4 * LANES  # numbers of a row between two passes over the lanes
_compiled = njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def minus(a: NDArray, b: NDArray, out: NDArray) -> None:
    """out = a − b."""
    for j in range(len(out)):
        out[j] = a[j] - b[j]


@_compiled
def plus(a: NDArray, out: NDArray) -> None:
    """out += a."""
    for j in range(len(out)):
        out[j] += a[j]


@_compiled
def _fold(lanes: NDArray) -> float:
    """The sum of 64 numbers, changed, by halves."""
    half = len(lanes) // 2
    while half:
        for j in range(half):
            lanes[j] += lanes[half + j]
        half //= 2
    return lanes[0]


@_compiled
def square(row: NDArray, lanes: NDArray) -> float:
    """‖row‖² in the order of `dfedsam.row_sums`, four numbers of a lane in a pass; `lanes` is memory."""
    lanes[:] = 0
    whole = len(row) // _BLOCK * _BLOCK
    for first in range(0, whole, _BLOCK):
        a = row[first : first + _BLOCK]
        for j in range(LANES):
            both = (lanes[j] + a[j] * a[j]) + a[j + LANES] * a[j + LANES]
            lanes[j] = (both + a[j + 2 * LANES] * a[j + 2 * LANES]) + a[j + 3 * LANES] * a[j + 3 * LANES]
    for first in range(whole, len(row), LANES):
        a = row[first : first + LANES]
        for j in range(len(a)):
            lanes[j] += a[j] * a[j]
    return _fold(lanes)


@_compiled
def distance(a: NDArray, b: NDArray, lanes: NDArray) -> float:
    """‖a − b‖², as `square` of the difference, which is not stored."""
    lanes[:] = 0
    whole = len(a) // _BLOCK * _BLOCK
    for first in range(0, whole, _BLOCK):
        c, d = a[first : first + _BLOCK], b[first : first + _BLOCK]
        for j in range(LANES):
            e, f = c[j] - d[j], c[j + LANES] - d[j + LANES]
            g, h = c[j + 2 * LANES] - d[j + 2 * LANES], c[j + 3 * LANES] - d[j + 3 * LANES]
            both = (lanes[j] + e * e) + f * f
            lanes[j] = (both + g * g) + h * h
    for first in range(whole, len(a), LANES):
        c, d = a[first : first + LANES], b[first : first + LANES]
        for j in range(len(c)):
            e = c[j] - d[j]
            lanes[j] += e * e
    return _fold(lanes)


@_compiled
def modulus(row: NDArray, lanes: NDArray) -> float:
    """‖row‖₁, likewise."""
    lanes[:] = 0
    whole = len(row) // _BLOCK * _BLOCK
    for first in range(0, whole, _BLOCK):
        a = row[first : first + _BLOCK]
        for j in range(LANES):
            both = (lanes[j] + abs(a[j])) + abs(a[j + LANES])
            lanes[j] = (both + abs(a[j + 2 * LANES])) + abs(a[j + 3 * LANES])
    for first in range(whole, len(row), LANES):
        a = row[first : first + LANES]
        for j in range(len(a)):
            lanes[j] += abs(a[j])
    return _fold(lanes)


@_compiled
def squares(x: NDArray) -> NDArray:
    """See `dfedsam.row_sums`."""
    sums, lanes = np.empty(len(x), x.dtype), np.empty(LANES, x.dtype)
    for i in range(len(x)):
        sums[i] = square(x[i], lanes)
    return sums


@_compiled
def moduli(x: NDArray) -> NDArray:
    """See `dfedsam.row_sums`."""
    sums, lanes = np.empty(len(x), x.dtype), np.empty(LANES, x.dtype)
    for i in range(len(x)):
        sums[i] = modulus(x[i], lanes)
    return sums
