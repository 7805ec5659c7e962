"""Half precision: 16 bits an entry, as IEEE's float16 or as bfloat16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import ALIKE, Compressor, from_bytes, to_bytes

if TYPE_CHECKING:
    from dfedsam.random import RandomStream

_BIAS = 112  # by which the exponents of float32 begin lower than those of float16
_TOP = 15  # a row's largest entry is scaled to below 2^15, half of what float16 holds
_LOWEST = -100  # exponents of rows below it are scaled as if they were it


@dataclass(frozen=True, kw_only=True)
class Float16(Compressor):
    """IEEE's half precision, in 16 d + 16 bits: 11 bits of precision down to 2⁻²⁸ of a row's largest entry.

    A row is first scaled by a power of two, whose exponent travels in 16 bits: entries neither overflow nor vanish
    because a row as a whole is large or small. Between equals it rounds away from zero. δ = 1 − 2⁻²¹.
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        return 2 + 2 * dim

    def encode(self, x: NDArray, key: RandomStream) -> NDArray[np.uint8]:
        """See Compressor."""
        return self.written(x, key)

    def write(self, x: NDArray, key: RandomStream, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        _, exponent = np.frexp(np.maximum(x.max(axis=1), -x.min(axis=1)))
        power = _TOP - _BIAS - np.maximum(exponent, _LOWEST)[:, None]
        scaled = own if own.dtype == np.float32 else np.empty(x.shape, np.float32)
        _times(x, power, scaled)
        bits = scaled.view(np.uint32)
        bits += 1 << 12  # half of the last bit that stays
        halves = (bits >> 13).astype(np.uint16)
        sign = np.less(bits.view(np.int32), 0).astype(np.uint16)
        sign <<= 15
        halves |= sign
        messages[:, :2] = to_bytes(power.astype(np.int16))
        messages[:, 2:] = to_bytes(halves)
        bits &= ~np.uint32((1 << 13) - 1)
        _times(scaled, -power, own)

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> NDArray:
        """See Compressor."""
        power = from_bytes(messages, 0, 1, np.int16).astype(np.int32)
        bits = from_bytes(messages, 2, dim, np.int16).astype(np.int32)  # the sign fills the bits above
        bits <<= 13
        bits &= ~(7 << 28)  # and stays in the first one only
        scaled = bits.view(np.float32)
        x = scaled if scaled.dtype == dtype else np.empty(scaled.shape, dtype)
        _times(scaled, -power, x)
        return x

    def alike(self, dim: int) -> tuple[Compressor, int]:
        """See Compressor."""
        return self, min(dim, ALIKE)

    def delta(self, dim: int) -> float:
        """1 − 2⁻²¹."""
        return 1 - 2.0**-21


def _times(x: NDArray, power: NDArray, out: NDArray) -> None:
    """out = x · 2^power, a power a row; no power is too high or too low for the type in which this is done."""
    wide = np.result_type(x, out)
    limits = np.finfo(wide)
    if not limits.minexp <= power.min(initial=0) <= power.max(initial=0) < limits.maxexp:
        half = power // 2
        x, power = x * np.ldexp(wide.type(1), half), power - half
    np.multiply(x, np.ldexp(wide.type(1), power), out=out, casting="same_kind")


@dataclass(frozen=True, kw_only=True)
class BFloat16(Compressor):
    """The upper half of float32, rounded, in 16 d bits: the range of float32 with 8 bits of precision.

    Between equals it rounds away from zero. δ = 1 − 2⁻¹⁶.
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        return 2 * dim

    def encode(self, x: NDArray, key: RandomStream) -> NDArray[np.uint8]:
        """See Compressor."""
        bits = x.astype(np.float32, copy=False).view(np.uint32) + np.uint32(1 << 15)
        bits >>= 16
        return to_bytes(bits.astype(np.uint16))

    def write(self, x: NDArray, key: RandomStream, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        if x.dtype != np.float32:
            super().write(x, key, messages, own)
            return
        bits = own.view(np.uint32)
        np.add(x.view(np.uint32), np.uint32(1 << 15), out=bits)
        bits &= np.uint32(0xFFFF << 16)
        messages[:] = to_bytes((bits >> 16).astype(np.uint16))

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> NDArray:
        """See Compressor."""
        bits = from_bytes(messages, 0, dim, np.uint16).astype(np.uint32)
        bits <<= 16
        return bits.view(np.float32).astype(dtype, copy=False)

    def alike(self, dim: int) -> tuple[Compressor, int]:
        """See Compressor."""
        return self, min(dim, ALIKE)

    def delta(self, dim: int) -> float:
        """1 − 2⁻¹⁶."""
        return 1 - 2.0**-16
