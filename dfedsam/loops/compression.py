"""Compressors of CHOCO's differences into whole rows."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dfedsam.loops.rows import LANES, distance, minus, modulus, plus, square

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
        norms[i] = distance(x[i], estimate[i], lanes)
        if not sizes[2] < norms[i] < sizes[3]:
            return i
        norm = np.sqrt(norms[i])
        factor, unit = sizes[0] / norm, norm * sizes[1]
        _offsets(draws[i], u)
        for first in range(0, x.shape[1], width):
            some = slice(first, first + width)
            a, b, decoded = x[i, some], estimate[i, some], out[i, some]
            for j in range(len(a)):  # a − b once more, which is quicker than to keep it
                decoded[j] = np.floor((a[j] - b[j]) * factor + u[j]) * unit
            plus(decoded, b)
    return len(x)
