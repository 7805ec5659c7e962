"""The largest entries of rows, and CHOCO's differences of which only these are sent."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dfedsam.loops.rows import LANES, minus, square

_MODULUS = np.uint32(0x7FFFFFFF)
_compiled = njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def _bounds(values: NDArray, k: int, most: int) -> tuple[np.uint32, np.uint32]:
    """Bounds of the k-th largest of some whole numbers, uint32: k or more reach `low`, and fewer `high`.

    No more than `most` reach `low`, if any number is so; otherwise it is the k-th largest itself, with its equals.
    """
    low, high = np.uint32(0), np.uint32(0)
    for j in range(len(values)):
        high = max(high, values[j])
    high = np.uint32(high + np.uint32(1))
    while high - low > 1:
        middle, count = np.uint32(low + (high - low) // np.uint32(2)), np.int32(0)
        for j in range(len(values)):
            count = np.int32(count + (values[j] >= middle))
        if count < k:
            high = middle
        else:
            low = middle
            if count <= most:
                break
    return low, high


@_compiled
def _search(bits: NDArray, k: int, tops: NDArray, places: NDArray, moduli: NDArray) -> int:
    """Find k or more entries that are no less than the k-th largest, in their order; returns how many.

    Entries that lie len(tops) apart form a group. Only groups whose largest is large enough are searched.

    Args:
        bits: the entries of one row (d,), float32, as uint32.
        k: 1 to d.
        tops: memory for the largest modulus of each group, which has one entry at least, uint32.
        places: receives where they are; memory for d numbers, and one for each group.
        moduli: receives their moduli, as uint32; memory for d numbers.
    """
    groups, size = len(tops), len(bits) // len(tops)
    tops[:] = 0
    for s in range(size):
        part = bits[s * groups : (s + 1) * groups]
        for g in range(groups):
            tops[g] = max(tops[g], part[g] & _MODULUS)
    low, searched, count, hits = _bounds(tops, k, k + k // 4)[0], places[len(bits) :], 0, 0
    for g in range(groups):
        searched[count] = g
        count += tops[g] >= low
    for s in range(size):
        part = bits[s * groups : (s + 1) * groups]
        for g in range(count):
            modulus = np.uint32(part[searched[g]] & _MODULUS)
            if modulus >= low:
                places[hits], moduli[hits] = s * groups + searched[g], modulus
                hits += 1
    for j in range(size * groups, len(bits)):
        modulus = np.uint32(bits[j] & _MODULUS)
        if modulus >= low:
            places[hits], moduli[hits] = j, modulus
            hits += 1
    return hits


@_compiled
def _memory(d: int, k: int) -> tuple[NDArray, NDArray, NDArray]:
    """For `_search`, with so many groups that most of those searched hold just one of the k largest."""
    groups = d // max(1, d // max(8 * k, 256))
    return np.empty(groups, np.uint32), np.empty(d + groups, np.uint32), np.empty(d, np.uint32)


@_compiled
def _select(z: NDArray, memory: tuple[NDArray, NDArray, NDArray], columns: NDArray, values: NDArray) -> None:
    """`largest_entries` of one row (d,)."""
    k, places, moduli = len(columns), memory[1], memory[2]
    hits = _search(z.view(np.uint32), k, memory[0], places, moduli)
    low, high = _bounds(moduli[:hits], k, k)
    equal, at = k, 0
    for f in range(hits):
        equal -= moduli[f] >= high
    for f in range(hits):
        if moduli[f] >= high or (moduli[f] >= low and equal > 0):
            equal -= moduli[f] < high
            columns[at], values[at] = places[f], z[places[f]]
            at += 1


@_compiled
def largest_entries(x: NDArray, columns: NDArray, values: NDArray) -> None:
    """The k entries of largest modulus of rows x (p, d), float32, and where they are, rising, each (p, k).

    Of equal ones the first.
    """
    memory = _memory(x.shape[1], columns.shape[1])
    for i in range(len(x)):
        _select(x[i], memory, columns[i], values[i])


@_compiled
def follow_largest(x: NDArray, estimate: NDArray, columns: NDArray, values: NDArray, norms: NDArray) -> None:
    """C(z) of TopK, float32, as its entries."""
    memory = _memory(x.shape[1], columns.shape[1])
    z, lanes = np.empty(x.shape[1], x.dtype), np.empty(LANES, x.dtype)
    for i in range(len(x)):
        minus(x[i], estimate[i], z)
        norms[i] = square(z, lanes)
        _select(z, memory, columns[i], values[i])
        places, terms, followed = columns[i], values[i], estimate[i]
        for j in range(len(places)):
            followed[places[j]] += terms[j]
