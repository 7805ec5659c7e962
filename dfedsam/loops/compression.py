"""Compressors of CHOCO's differences into whole rows, or into their largest entries."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dfedsam.loops.rows import LANES, minus, modulus, plus, square

_HALF, _CUT, _KEPT = np.uint32(1 << 12), np.uint32(13), np.uint32(0xFFFFE000)  # of the bits that are rounded off
_MODULUS = np.uint32(0x7FFFFFFF)
_SIGN, _TOP = np.uint32(16), np.uint32(1 << 15)
_compiled = njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def largest(x: NDArray) -> NDArray:
    """The largest modulus in each row of x (p, d), float32, without NaN: (p,)."""
    result = np.empty(len(x), x.dtype)
    for i in range(len(x)):
        bits, top = x[i].view(np.uint32), np.uint32(0)
        for j in range(len(bits)):  # whole numbers are ordered as moduli are, and compared many at a time
            top = max(top, bits[j] & _MODULUS)
        result.view(np.uint32)[i] = top
    return result


@_compiled
def round_to_halves(x: NDArray, up: NDArray, down: NDArray, messages: NDArray | None, out: NDArray) -> None:
    """Rows x (p, d), float32, times `up` (p,), rounded to 19 bits, of which 16 are sent; and these times `down`.

    Args:
        x: the rows.
        up: powers of two.
        down: their inverses.
        messages: (p, 2 + 2 d) bytes, C-contiguous; receives all but the first two. None: they are not needed.
        out: (p, d), receives the rounded rows.
    """
    for i in range(len(x)):
        a, rounded, scale, inverse = x[i], out[i], up[i], down[i]
        if messages is not None:
            half = messages[i][2:].view(np.uint16)
            for j in range(len(a)):
                bits = np.uint32(np.float32(a[j] * scale).view(np.uint32) + _HALF)
                half[j] = np.uint16((bits >> _CUT) | ((bits >> _SIGN) & _TOP))
        for j in range(len(a)):
            bits = np.uint32(np.float32(a[j] * scale).view(np.uint32) + _HALF)
            rounded[j] = np.uint32(bits & _KEPT).view(np.float32) * inverse


@_compiled
def _offsets(draws: NDArray, u: NDArray) -> None:
    """u = (draw + ½)/2¹⁶ of each draw (w,), then 1 − u: (2 w,)."""
    half, share, one = u.dtype.type(0.5), u.dtype.type(2.0**-16), u.dtype.type(1)
    low, high = u[: len(draws)], u[len(draws) :]
    for j in range(len(draws)):
        low[j] = (u.dtype.type(draws[j]) + half) * share
    for j in range(len(draws)):
        high[j] = one - low[j]


@_compiled
def quantize(
    x: NDArray, factor: NDArray, draws: NDArray, unit: NDArray, levels: int, numbers: NDArray | None, out: NDArray
) -> None:
    """l = ⌊factor x + u⌋ of rows x (p, d), as unit l and, where `numbers` are needed, as levels + l in a byte each.

    Args:
        x: the rows.
        factor: of each row, (p, 1).
        draws: u = (draw + ½)/2¹⁶, and then 1 − u, (p, w): these 2 w numbers repeat along a row.
        unit: of each row, (p, 1).
        levels: at most 127.
        numbers: (p, d) bytes.
        out: (p, d).
    """
    width = draws.shape[1]
    u = np.empty(2 * width, x.dtype)
    for i in range(len(x)):
        f, size = factor[i, 0], unit[i, 0]
        _offsets(draws[i], u)
        for first in range(0, x.shape[1], 2 * width):
            a, decoded = x[i, first : first + 2 * width], out[i, first : first + 2 * width]
            if numbers is not None:
                number = numbers[i, first : first + 2 * width]
                for j in range(len(a)):
                    number[j] = np.int8(np.floor(a[j] * f + u[j])) + levels
            for j in range(len(a)):
                decoded[j] = np.floor(a[j] * f + u[j]) * size


@_compiled
def follow(x: NDArray, estimate: NDArray, out: NDArray, norms: NDArray) -> None:
    """`Compressor.follow` for C(z) = z: z and C(z) in `out`, ‖z‖² in `norms`; likewise the three below."""
    lanes = np.empty(LANES, x.dtype)
    for i in range(len(x)):
        minus(x[i], estimate[i], out[i])
        norms[i] = square(out[i], lanes)
        plus(out[i], estimate[i])


@_compiled
def follow_signs(x: NDArray, estimate: NDArray, out: NDArray, norms: NDArray) -> None:
    """C(z) = (‖z‖₁/d) sign z, float32."""
    z, lanes, scale = np.empty(x.shape[1], x.dtype), np.empty(LANES, x.dtype), np.empty(1, x.dtype)
    for i in range(len(x)):
        minus(x[i], estimate[i], z)
        norms[i] = square(z, lanes)
        scale[0] = modulus(z, lanes) / x.dtype.type(len(z))
        bits, signed, size = z.view(np.uint32), out[i].view(np.uint32), scale.view(np.uint32)[0]
        for j in range(len(z)):
            signed[j] = (bits[j] & ~_MODULUS) | size
        plus(out[i], estimate[i])


@_compiled
def follow_halves(x: NDArray, estimate: NDArray, out: NDArray, norms: NDArray) -> int:
    """C(z) of Float16, float32; returns the first row with numbers beyond 2²⁹, which is left out, or how many rows."""
    z, lanes, scale = np.empty((1, x.shape[1]), x.dtype), np.empty(LANES, x.dtype), np.empty((2, 1), x.dtype)
    for i in range(len(x)):
        minus(x[i], estimate[i], z[0])
        norms[i] = square(z[0], lanes)
        top = largest(z).view(np.uint32)[0]
        exponent = max(np.int64(top >> np.uint32(23)) - 126, -100) if top else 0
        if exponent > 29:
            return i
        scale.view(np.uint32)[0, 0] = (30 - exponent) << 23  # 2^(−97 − exponent)
        scale.view(np.uint32)[1, 0] = (224 + exponent) << 23
        round_to_halves(z, scale[0], scale[1], None, out[i : i + 1])
        plus(out[i], estimate[i])
    return len(x)


@_compiled
def follow_levels(x: NDArray, estimate: NDArray, out: NDArray, norms: NDArray, draws: NDArray, sizes: NDArray) -> int:
    """C(z) of QSGD; returns the first row whose squares overflow or vanish, which is left out, or how many rows.

    Args:
        x: the rows.
        estimate: likewise.
        out: likewise.
        norms: likewise.
        draws: as of `quantize`.
        sizes: ‖z‖ factor, unit/‖z‖, and the least and largest ‖z‖².
    """
    width = 2 * draws.shape[1]
    u, lanes = np.empty(width, x.dtype), np.empty(LANES, x.dtype)
    for i in range(len(x)):
        minus(x[i], estimate[i], out[i])
        norms[i] = square(out[i], lanes)
        if not sizes[2] < norms[i] < sizes[3]:
            return i
        norm = np.sqrt(norms[i])
        factor, unit = sizes[0] / norm, norm * sizes[1]
        _offsets(draws[i], u)
        for first in range(0, x.shape[1], width):
            some = slice(first, first + width)
            z, followed = out[i, some], estimate[i, some]
            for j in range(len(z)):
                z[j] = np.floor(z[j] * factor + u[j]) * unit
                followed[j] += z[j]
    return len(x)


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
