"""Quantizers: a scale for each row, and a few bits for each entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.compressors.base import SHORT, Compressor, from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import pack, packed, unpack
from dfedsam.options import option, whole_number
from dfedsam.rows import loops as compiled_loops, squares

if TYPE_CHECKING:
    from dfedsam.random import RandomStream

_MAX_LEVELS = (1 << 15) - 1  # that a message holds in 16 bits an entry
_MAX_BITS = 15
_SHARED = 8  # entries that one random number serves
_BELOW_ONE = 1 - 2.0**-20  # so that an entry that is all of the norm is not rounded to beyond s


@dataclass(frozen=True, kw_only=True)
class QSGD(Compressor):
    """C(x) = ‖x‖ l/(sτ) in d (1 + ⌈log₂(s + 1)⌉) + 32 bits: l_j ∈ {−s, …, s} is s x_j/‖x‖ rounded up or down at random.

    Divided by τ = 1 + ω, ω = min(d/s², √d/s), it contracts with δ = 1/τ, as CHOCO and DeepSqueeze need it. Left
    undivided it is unbiased with variance ω‖x‖², as LEAD needs it. The rounding takes 16 random bits, of which eight
    entries share, four of them mirrored; every entry is unbiased up to 2⁻¹⁷ of a level. Source: Alistarh et al. (2017),
    "QSGD: communication-efficient SGD via gradient quantization and encoding"; the division by τ as in Koloskova, Stich
    and Jaggi (2019).

    Args:
        levels: s, 1 to 32767; 7 takes 4 bits an entry, 1 two and 127 eight.
        unbiased: leave out the division by τ.
    """

    public_name: ClassVar[str] = "qsgd"

    levels: int = option(7, whole_number, 1)
    unbiased: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.levels > _MAX_LEVELS:
            raise OptionError("levels", self.levels, f"must be at most {_MAX_LEVELS}", "choose float16, or none")

    @property
    def bits(self) -> int:
        """Bits of an entry, its sign included."""
        return 1 + self.levels.bit_length()

    def tau(self, dim: int) -> float:
        """τ = 1 + ω: E‖l‖² ‖x‖²/s² ≤ τ ‖x‖², how much longer an undivided row is on average, at most."""
        return 1 + min(dim / self.levels**2, dim**0.5 / self.levels)

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return np.dtype(dtype).itemsize + packed(dim, self.bits)

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        norm, numbers = self._write(x, stream, decoded, np.empty(x.shape, np.uint8))
        assert numbers is not None
        messages[:, : x.itemsize] = to_bytes(norm)
        messages[:, x.itemsize :] = pack(numbers, self.bits)

    def compress(self, x: NDArray, stream: RandomStream, out: NDArray) -> None:
        self._write(x, stream, out, None)

    def follow(self, x: NDArray, estimate: NDArray, stream: RandomStream, out: NDArray) -> NDArray:
        compiled = compiled_loops(x)
        if not compiled or self.levels >= 1 << 7:
            return super().follow(x, estimate, stream, out)
        norms = np.empty(len(x), x.dtype)
        sizes = np.array([self._top, self._share(x.shape[1]), *_square_limits(x.dtype)], x.dtype)
        draws = stream.uint16(_draws(x.shape[1]))
        rest = slice(compiled.follow_levels(x, estimate, out, norms, draws, sizes), len(x))
        if rest.start < rest.stop:
            norms[rest] = super().follow(x[rest], estimate[rest], stream.part(rest), out[rest])
        return norms

    def _write(
        self, x: NDArray, stream: RandomStream, decoded: NDArray, numbers: NDArray[np.uint8] | None
    ) -> tuple[NDArray, NDArray | None]:
        """The norms (p, 1), and s + l as whole numbers (p, dim), of rows x (p, dim); C(x) in `decoded`."""
        dim = x.shape[1]
        compiled, draws = compiled_loops(x), stream.uint16(_draws(dim))
        if compiled and self.levels < 1 << 7:
            norm = _norms(x)
            factor, unit = self._factor(norm), self.unit(norm, dim)
            compiled.quantize(x, factor, draws, unit, self.levels, numbers, decoded)
            return norm, numbers
        norm, numbers = self.rounded(x, draws, decoded)
        decoded *= self.unit(norm, dim)
        return norm, numbers

    def rounded(self, x: NDArray, draws: NDArray[np.uint16], out: NDArray) -> tuple[NDArray, NDArray]:
        """The norms (p, 1), and s + l as whole numbers (p, dim), of rows x (p, dim).

        Args:
            x: the rows.
            draws: as for `_round_at_random`.
            out: (p, dim), receives l.
        """
        norm = _norms(x)
        np.multiply(x, self._factor(norm), out=out)
        return norm, _round_at_random(out, draws, self.levels)

    def _factor(self, norm: NDArray) -> NDArray:
        """s/‖x‖, (p, 1)."""
        return norm.dtype.type(self._top) / np.where(norm > 0, norm, 1)

    def unit(self, norm: NDArray, dim: int) -> NDArray:
        """The factors of l, (p, 1)."""
        return norm * norm.dtype.type(self._share(dim))

    @property
    def _top(self) -> float:
        """What an entry that is all of the norm is scaled to."""
        return self.levels * _BELOW_ONE

    def _share(self, dim: int) -> float:
        """Of the norm that one level counts."""
        return 1 / (self._top * (1 if self.unbiased else self.tau(dim)))

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        norm = from_bytes(messages, 0, 1, dtype)
        numbers = unpack(messages[:, norm.itemsize :], self.bits, dim)
        x = numbers.astype(dtype)
        x -= x.dtype.type(self.levels)
        x *= self.unit(norm, dim)
        return x

    def delta(self, dim: int) -> float | None:
        if not self.unbiased:
            return 1 / self.tau(dim)
        return 2 - self.tau(dim) if self.tau(dim) < 2 else None

    def variance(self, dim: int) -> float | None:
        return self.tau(dim) - 1 if self.unbiased else None


@dataclass(frozen=True, kw_only=True)
class BlockQuantizer(Compressor):
    """C(x) = ‖x‖_∞ l/s for each block of a row, s = 2^{b−1}: l_j is s x_j/‖x‖_∞ rounded up or down at random.

    Unbiased with variance ω‖x‖², ω = min(m/(4s²), (1 + √m)/(2s)) for blocks of m entries; much less for rows without
    single large entries. It takes d (b + 1) + 32 ⌈d/m⌉ bits: l has the 2s + 1 values from −s to s. The rounding is that
    of QSGD. Source: the ∞-norm b-bit quantization of Liu et al. (2021), "Linear convergent decentralized optimization
    with compression", with b = 2 and blocks of 512.

    Args:
        bits: b, 1 to 15.
        block: m, entries that share a scale, at least 1.
    """

    bits: int = option(2, whole_number, 1)
    block: int = option(512, whole_number, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits > _MAX_BITS:
            raise OptionError("bits", self.bits, f"must be at most {_MAX_BITS}", "choose float16, or none")

    @property
    def levels(self) -> int:
        """s."""
        return 1 << (self.bits - 1)

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return -(-dim // self.block) * np.dtype(dtype).itemsize + packed(dim, self.bits + 1)

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        dim, s = x.shape[1], x.dtype.type(self.levels)
        starts = np.arange(0, dim, self.block)
        scale = np.maximum.reduceat(np.abs(x), starts, axis=1)
        least = np.finfo(x.dtype).tiny * self.levels  # of which the inverse does not overflow
        scale[scale < least] = 0
        inverse = np.where(scale > 0, s / np.where(scale > 0, scale, 1), 0)
        np.multiply(x, self._spread(inverse, dim), out=decoded)
        numbers = _round_at_random(decoded, stream.uint16(_draws(dim)), self.levels)
        decoded *= self._spread(scale / s, dim)
        messages[:, : scale.shape[1] * x.itemsize] = to_bytes(scale)
        messages[:, scale.shape[1] * x.itemsize :] = pack(numbers, self.bits + 1)

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        scale = from_bytes(messages, 0, -(-dim // self.block), dtype)
        x = unpack(messages[:, scale.shape[1] * scale.itemsize :], self.bits + 1, dim).astype(dtype)
        s = x.dtype.type(self.levels)
        x -= s
        x *= self._spread(scale / s, dim)
        return x

    def _spread(self, scale: NDArray, dim: int) -> NDArray:
        """A number for each block (p, blocks) to one for each entry (p, dim), or one for all of them (p, 1)."""
        return scale if scale.shape[1] == 1 else np.repeat(scale, self.block, axis=1)[:, :dim]

    def scaled_down(self, dim: int) -> tuple[Compressor, int]:
        return self, min(dim, max(SHORT, self.block))

    def delta(self, dim: int) -> float | None:
        variance = self.variance(dim)
        return 1 - variance if variance < 1 else None

    def variance(self, dim: int) -> float:
        m, s = min(dim, self.block), self.levels
        return min(m / (4 * s * s), (1 + m**0.5) / (2 * s))


def _draws(dim: int) -> int:
    """16-bit random numbers that a row takes."""
    return -(-dim // _SHARED)


def _norms(x: NDArray) -> NDArray:
    """‖x‖ of rows (p, dim), shape (p, 1); also of rows whose squares overflow or vanish. Far below that: 0."""
    sums, (low, high) = squares(x)[:, None], _square_limits(x.dtype)
    norm, odd = np.sqrt(sums), ~((sums > low) & (sums < high))[:, 0]
    if odd.any():
        limits = np.finfo(x.dtype)
        rows = x[odd]
        largest = np.abs(rows).max(axis=1, keepdims=True)
        unit = rows / np.where(largest > 0, largest, 1)
        norm[odd] = np.sqrt(squares(unit)[:, None]) * largest
        norm[norm < limits.tiny * _MAX_LEVELS] = 0
    return norm


def _square_limits(dtype: np.dtype) -> tuple[np.floating, np.floating]:
    """Between which squares of norms are in full precision."""
    limits = np.finfo(dtype)
    return limits.tiny / limits.eps, limits.max


def _offsets(draws: NDArray[np.uint16], dtype: np.dtype) -> NDArray:
    """u = (draw + ½)/2¹⁶ of each draw, then 1 − u: (p, w) → (p, 2 w)."""
    u = draws.astype(dtype)
    u += dtype.type(0.5)
    u *= dtype.type(2.0**-16)
    return np.concatenate([u, 1 - u], axis=1)


def _round_at_random(y: NDArray, draws: NDArray[np.uint16], levels: int) -> NDArray:
    """Round y (p, dim), |y| ≤ levels, in place to ⌊y + u⌋, which is y on average; returns levels + ⌊y + u⌋, unsigned.

    Args:
        y: (p, dim).
        draws: uniform on 0 … 2¹⁶ − 1, shape (p, ⌈dim/8⌉): u = (draw + ½)/2¹⁶, where entries so many places from each
            other have the same draw, every other time mirrored, 1 − u.
        levels: at most 2¹⁵ − 1.
    """
    both, width = _offsets(draws, y.dtype), draws.shape[1]
    whole = y.shape[1] // (2 * width) * 2 * width
    pairs = y[:, :whole].reshape(len(y), -1, 2 * width)
    pairs += both[:, None]
    y[:, whole:] += both[:, : y.shape[1] - whole]
    np.floor(y, out=y)
    signed = y.astype(np.int8 if levels < 1 << 7 else np.int16)
    numbers = signed.view(f"u{signed.itemsize}")
    numbers += numbers.dtype.type(levels)
    return numbers
