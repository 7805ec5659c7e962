"""Entries as floating-point numbers: as they are, or in 16 bits as IEEE's float16 or as bfloat16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import SHORT, Compressor, from_bytes, to_bytes
from dfedsam.rows import loops as compiled_loops

if TYPE_CHECKING:
    from dfedsam.random import RandomStream

_BIAS = 112  # by which the exponents of float32 begin lower than those of float16
_TOP = 15  # a row's largest entry is scaled to below 2^15, half of what float16 holds
_MAX_POWER = 126  # of two: float32 holds it and its inverse in full precision
_LOWEST = -100  # exponents of rows below it are scaled as if they were it


@dataclass(frozen=True, kw_only=True)
class NoCompression(Compressor):
    """C(x) = x, in 32 d bits: with it a compressed gossip equals the uncompressed one, up to rounding."""

    public_name: ClassVar[str] = "none"

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return dim * np.dtype(dtype).itemsize

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        messages[:] = to_bytes(x)
        self.compress(x, stream, decoded)

    def compress(self, x: NDArray, stream: RandomStream, out: NDArray) -> None:
        if out is not x:
            out[:] = x

    def follow(self, x: NDArray, estimate: NDArray, stream: RandomStream, out: NDArray) -> NDArray:
        if not (compiled := compiled_loops(x)):
            return super().follow(x, estimate, stream, out)
        norms = np.empty(len(x), x.dtype)
        compiled.follow(x, estimate, out, norms)
        return norms

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        return from_bytes(messages, 0, dim, dtype).copy()

    def scaled_down(self, dim: int) -> tuple[Compressor, int]:
        return self, min(dim, SHORT)

    def delta(self, dim: int) -> float:
        return 1.0

    def variance(self, dim: int) -> float:
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Float16(Compressor):
    """IEEE's half precision, in 16 d + 16 bits: 11 bits of precision down to 2⁻²⁸ of a row's largest entry.

    A row is first scaled by a power of two, whose exponent is sent in 16 bits: large or small rows neither overflow nor
    vanish. Ties round away from zero. δ = 1 − 2⁻²¹.
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return 2 + 2 * dim

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        self._write(x, messages, decoded)

    def compress(self, x: NDArray, stream: RandomStream, out: NDArray) -> None:
        self._write(x, None, out)

    def follow(self, x: NDArray, estimate: NDArray, stream: RandomStream, out: NDArray) -> NDArray:
        compiled = compiled_loops(x) if x.dtype == np.float32 else None
        if not compiled:
            return super().follow(x, estimate, stream, out)
        norms = np.empty(len(x), x.dtype)
        rest = slice(compiled.follow_halves(x, estimate, out, norms), len(x))
        if rest.start < rest.stop:
            norms[rest] = super().follow(x[rest], estimate[rest], stream.part(rest), out[rest])
        return norms

    def _write(self, x: NDArray, messages: NDArray[np.uint8] | None, decoded: NDArray) -> None:
        compiled = compiled_loops(x) if x.dtype == np.float32 else None
        largest = compiled.largest(x) if compiled else np.maximum(x.max(axis=1), -x.min(axis=1))
        power = _TOP - _BIAS - np.maximum(np.frexp(largest)[1], _LOWEST)[:, None]
        if messages is not None:
            messages[:, :2] = to_bytes(power.astype(np.int16))
        if compiled and -power.min() <= _MAX_POWER and (messages is None or messages.flags.c_contiguous):
            up, down = (np.ldexp(np.float32(1), exponent[:, 0]) for exponent in (power, -power))
            compiled.round_to_halves(x, up, down, messages, decoded)
            return
        scaled = decoded if decoded.dtype == np.float32 else np.empty(x.shape, np.float32)
        _times_power(x, power, scaled)
        bits = scaled.view(np.uint32)
        bits += 1 << 12  # half of the last bit that stays
        if messages is not None:
            halves = (bits >> 13).astype(np.uint16)
            sign = np.less(bits.view(np.int32), 0).astype(np.uint16)
            sign <<= 15
            halves |= sign
            messages[:, 2:] = to_bytes(halves)
        bits &= ~np.uint32((1 << 13) - 1)
        _times_power(scaled, -power, decoded)

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        power = from_bytes(messages, 0, 1, np.int16).astype(np.int32)
        bits = from_bytes(messages, 2, dim, np.int16).astype(np.int32)  # the sign fills the bits above
        bits <<= 13
        bits &= ~(7 << 28)  # and stays in the first one only
        scaled = bits.view(np.float32)
        x = scaled if scaled.dtype == dtype else np.empty(scaled.shape, dtype)
        _times_power(scaled, -power, x)
        return x

    def scaled_down(self, dim: int) -> tuple[Compressor, int]:
        return self, min(dim, SHORT)

    def delta(self, dim: int) -> float:
        return 1 - 2.0**-21


def _times_power(x: NDArray, power: NDArray, out: NDArray) -> None:
    """out = x · 2^power, a power for each row; no power is too high or too low for the type of the product."""
    wide = np.result_type(x, out)
    limits = np.finfo(wide)
    if not limits.minexp <= power.min(initial=0) <= power.max(initial=0) < limits.maxexp:
        half = power // 2
        x, power = x * np.ldexp(wide.type(1), half), power - half
    np.multiply(x, np.ldexp(wide.type(1), power), out=out, casting="same_kind")


@dataclass(frozen=True, kw_only=True)
class BFloat16(Compressor):
    """The upper half of float32, rounded, in 16 d bits: the range of float32 with 8 bits of precision.

    Ties round away from zero. δ = 1 − 2⁻¹⁶.
    """

    public_name: ClassVar[str] = "bfloat16"

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return 2 * dim

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        rounded = decoded if decoded.dtype == np.float32 else np.empty(x.shape, np.float32)
        bits = rounded.view(np.uint32)
        np.add(x.astype(np.float32, copy=False).view(np.uint32), np.uint32(1 << 15), out=bits)
        bits &= np.uint32(0xFFFF << 16)
        messages[:] = to_bytes((bits >> 16).astype(np.uint16))
        if rounded is not decoded:
            decoded[:] = rounded

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        bits = from_bytes(messages, 0, dim, np.uint16).astype(np.uint32)
        bits <<= 16
        return bits.view(np.float32).astype(dtype, copy=False)

    def scaled_down(self, dim: int) -> tuple[Compressor, int]:
        return self, min(dim, SHORT)

    def delta(self, dim: int) -> float:
        return 1 - 2.0**-16
