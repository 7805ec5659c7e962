"""Quantizers: a scale for each row, and a few bits for each entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.compressors.base import SHORT, Compressor, from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import pack, packed, unpack
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from dfedsam.random import RandomStream

_MAX_LEVELS = (1 << 15) - 1  # that a message holds in 16 bits an entry
_SHARED = 8  # entries that one random number serves
_BELOW_ONE = 1 - 2.0**-20  # so that an entry that is all of the norm is not rounded to beyond s


@dataclass(frozen=True, kw_only=True)
class ScaledSign(Compressor):
    """C(x) = (‖x‖₁/d) sign x, in d + 32 bits.

    ‖C(x) − x‖² = (1 − δ(x))‖x‖² with δ(x) = ‖x‖₁²/(d‖x‖²): 2/π for Gaussian rows, 1/d at worst, when a single entry is
    not zero. Source: Karimireddy et al. (2019), "Error feedback fixes SignSGD and other gradient compression schemes".
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return np.dtype(dtype).itemsize + packed(dim, 1)

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        ones = np.ones((x.shape[1], 1), x.dtype)
        scale = np.matmul(np.abs(x, out=decoded)[:, None], ones)[:, 0] / x.dtype.type(x.shape[1])  # a product a row
        bits = np.dtype(f"u{x.itemsize}")
        sign = bits.type(1) << bits.type(8 * x.itemsize - 1)
        signed = np.bitwise_and(x.view(bits), sign, out=decoded.view(bits))
        signed |= scale.view(bits)
        negative = x.view(f"i{x.itemsize}") < 0  # as np.signbit, but faster
        messages[:, : x.itemsize] = to_bytes(scale)
        messages[:, x.itemsize :] = np.packbits(negative, axis=1, bitorder="little")

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        scale = from_bytes(messages, 0, 1, dtype)
        bits = np.unpackbits(messages[:, scale.itemsize :], axis=1, count=dim, bitorder="little")
        x = np.multiply(bits, -2 * scale, dtype=dtype)
        x += scale
        return x

    def scaled_down(self, dim: int) -> tuple[Compressor, int]:
        return self, min(dim, SHORT)

    def delta(self, dim: int) -> float:
        return 1 / dim


@dataclass(frozen=True, kw_only=True)
class QSGD(Compressor):
    """C(x) = ‖x‖ l/(sτ) in d (1 + ⌈log₂(s + 1)⌉) + 32 bits: l_j ∈ {−s, …, s} is s x_j/‖x‖ rounded up or down at random.

    Divided by τ = 1 + min(d/s², √d/s) it contracts with δ = 1/τ. The rounding takes 16 random bits, of which eight
    entries share one draw, four of them its mirror image: every entry by itself is rounded as it should be, and
    the bound asks for no more. Source: Alistarh et al. (2017), "QSGD: communication-efficient SGD via gradient
    quantization and encoding"; the scaling as in Koloskova, Stich and Jaggi (2019).

    Args:
        levels: s, 1 to 32767; 7 takes 4 bits an entry, 1 two and 127 eight.
    """

    public_name: ClassVar[str] = "qsgd"

    levels: int = 7

    def __post_init__(self) -> None:
        whole_number("levels", self.levels, 1)
        if self.levels > _MAX_LEVELS:
            raise OptionError("levels", self.levels, f"must be at most {_MAX_LEVELS}", "choose float16, or none")

    @property
    def bits(self) -> int:
        """Bits of an entry, its sign included."""
        return 1 + self.levels.bit_length()

    def tau(self, dim: int) -> float:
        """τ: E‖l‖² ‖x‖²/s² ≤ τ ‖x‖², how much longer a rounded row is on average, at most."""
        return 1 + min(dim / self.levels**2, dim**0.5 / self.levels)

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return np.dtype(dtype).itemsize + packed(dim, self.bits)

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        dim = x.shape[1]
        norm, numbers = self.rounded(x, stream.uint16(-(-dim // _SHARED)), decoded)
        decoded *= self.unit(norm, dim)
        messages[:, : x.itemsize] = to_bytes(norm)
        messages[:, x.itemsize :] = pack(numbers, self.bits)

    def rounded(self, x: NDArray, draws: NDArray[np.uint16], out: NDArray) -> tuple[NDArray, NDArray]:
        """The norms (p, 1), and s + l as whole numbers (p, dim), of rows of x (p, dim).

        Args:
            x: the rows.
            draws: uniform on 0 … 2¹⁶ − 1, shape (p, ⌈dim/8⌉): l = ⌊s x/‖x‖ + draw/2¹⁶⌋, where entries so many places
                from each other have the same draw, every other time mirrored.
            out: (p, dim), where l goes.
        """
        s, kind, width = self.levels, x.dtype.type, draws.shape[1]
        norm = np.sqrt(np.matmul(x[:, None], x[:, :, None]))[:, 0]
        np.multiply(x, kind(s * _BELOW_ONE) / np.where(norm > 0, norm, 1), out=out)
        unit = draws.astype(x.dtype)
        unit *= kind(2.0**-16)
        mirrored = kind(1 - 2.0**-16) - unit
        both = np.concatenate([unit, mirrored], axis=1)
        whole = x.shape[1] // (2 * width) * 2 * width
        pairs = out[:, :whole].reshape(len(out), -1, 2 * width)
        pairs += both[:, None]
        out[:, whole:] += both[:, : x.shape[1] - whole]
        np.floor(out, out=out)
        signed = out.astype(np.int8 if s < 1 << 7 else np.int16)
        numbers = signed.view(f"u{signed.itemsize}")
        numbers += numbers.dtype.type(s)
        return norm, numbers

    def unit(self, norm: NDArray, dim: int) -> NDArray:
        """What l is multiplied with, (p, 1)."""
        return norm * norm.dtype.type(1 / (self.levels * _BELOW_ONE * self.tau(dim)))

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        norm = from_bytes(messages, 0, 1, dtype)
        numbers = unpack(messages[:, norm.itemsize :], self.bits, dim)
        x = numbers.astype(dtype)
        x -= x.dtype.type(self.levels)
        x *= self.unit(norm, dim)
        return x

    def delta(self, dim: int) -> float:
        return 1 / self.tau(dim)
