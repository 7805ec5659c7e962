"""Half precision: 16 bits an entry, as IEEE's float16 or as bfloat16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import ALIKE, Compressor, from_bytes, to_bytes

if TYPE_CHECKING:
    from dfedsam.randomness import Draws

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

    def encode(self, x: NDArray, key: Draws) -> NDArray[np.uint8]:
        """See Compressor."""
        exponent, bits = self._rounded(x)
        return np.concatenate([to_bytes(exponent), self._halves(bits)], axis=1)

    def write(self, x: NDArray, key: Draws, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        exponent, bits = self._rounded(x)
        kept = bits & ~np.uint32((1 << 13) - 1)
        np.multiply(kept.view(np.float32), np.float32(2.0**_BIAS), out=own)
        own *= np.ldexp(x.dtype.type(1), exponent.astype(np.int32) - _TOP)
        messages[:, :2] = to_bytes(exponent)
        messages[:, 2:] = self._halves(bits)

    def _rounded(self, x: NDArray) -> tuple[NDArray[np.int16], NDArray[np.uint32]]:
        """The rows' exponents, (p, 1), and scaled entries, whose upper bits are right after rounding, (p, dim)."""
        _, exponent = np.frexp(np.maximum(x.max(axis=1), -x.min(axis=1)))
        exponent = np.maximum(exponent, _LOWEST)[:, None]
        scaled = np.multiply(x, np.ldexp(x.dtype.type(1), _TOP - exponent)).astype(np.float32, copy=False)
        scaled *= np.float32(2.0**-_BIAS)
        bits = scaled.view(np.uint32)
        bits += 1 << 12  # half of the last bit that stays
        return exponent.astype(np.int16), bits

    @staticmethod
    def _halves(bits: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The bytes of what stays of them, (p, 2 · dim); overwrites them."""
        sign = bits >> 16
        sign &= 1 << 15
        bits >>= 13
        bits &= (1 << 15) - 1
        bits |= sign
        return to_bytes(bits.astype(np.uint16))

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: Draws) -> NDArray:
        """See Compressor."""
        exponent = from_bytes(messages, 0, 1, np.int16)
        bits = from_bytes(messages, 2, dim, np.int16).astype(np.int32)  # the sign fills the bits above
        bits <<= 13
        bits &= ~(7 << 28)  # and stays in the first one only
        scaled = bits.view(np.float32)
        scaled *= np.float32(2.0**_BIAS)
        x = scaled.astype(dtype, copy=False)
        x *= np.ldexp(x.dtype.type(1), exponent.astype(np.int32) - _TOP)
        return x

    def alike(self, dim: int) -> tuple[Compressor, int]:
        """See Compressor."""
        return self, min(dim, ALIKE)

    def delta(self, dim: int) -> float:
        """1 − 2⁻²¹."""
        return 1 - 2.0**-21


@dataclass(frozen=True, kw_only=True)
class BFloat16(Compressor):
    """The upper half of float32, rounded, in 16 d bits: the range of float32 with 8 bits of precision.

    Between equals it rounds away from zero. δ = 1 − 2⁻¹⁶.
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        return 2 * dim

    def encode(self, x: NDArray, key: Draws) -> NDArray[np.uint8]:
        """See Compressor."""
        bits = x.astype(np.float32, copy=False).view(np.uint32) + np.uint32(1 << 15)
        bits >>= 16
        return to_bytes(bits.astype(np.uint16))

    def write(self, x: NDArray, key: Draws, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        if x.dtype != np.float32:
            super().write(x, key, messages, own)
            return
        bits = own.view(np.uint32)
        np.add(x.view(np.uint32), np.uint32(1 << 15), out=bits)
        bits &= np.uint32(0xFFFF << 16)
        messages[:] = to_bytes((bits >> 16).astype(np.uint16))

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: Draws) -> NDArray:
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
