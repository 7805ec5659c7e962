"""QSGD: each entry rounded at random to one of s levels of the row's norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.compressors.base import Compressor, from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import pack, packed, unpack
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from dfedsam.random import RandomStream

_MOST = (1 << 15) - 1  # levels that a message holds in 16 bits an entry
_SHARE = 8  # entries that one random number serves
_WITHIN = 1 - 2.0**-20  # so that an entry that is all of the norm is not rounded to beyond s


@dataclass(frozen=True, kw_only=True)
class QSGD(Compressor):
    """C(x) = ‖x‖ l/(sτ) in d (1 + ⌈log₂(s + 1)⌉) + 32 bits: l_j ∈ {−s, …, s} is s x_j/‖x‖ rounded up or down, right on
    average.

    Divided by τ = 1 + min(d/s², √d/s) it contracts with δ = 1/τ. The rounding takes 16 random bits, of which eight
    entries share one draw, four of them its mirror image: every entry by itself is rounded as it should be, and
    the bound asks for no more. Source: Alistarh et al. (2017), "QSGD: communication-efficient SGD via gradient
    quantization and encoding"; the scaling as in Koloskova, Stich and Jaggi (2019).

    Args:
        levels: s, 1 to 32767; 7 takes 4 bits an entry, 1 two and 127 eight.
    """

    levels: int = 7

    def __post_init__(self) -> None:
        whole_number("levels", self.levels, 1)
        if self.levels > _MOST:
            raise OptionError("levels", self.levels, f"must be at most {_MOST}", "choose float16, or none")

    @property
    def bits(self) -> int:
        """Bits an entry, its sign included."""
        return 1 + self.levels.bit_length()

    def tau(self, dim: int) -> float:
        """τ, by which a rounded row's square is longer on average, at most."""
        return 1 + min(dim / self.levels**2, dim**0.5 / self.levels)

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        return np.dtype(dtype).itemsize + packed(dim, self.bits)

    def encode(self, x: NDArray, key: RandomStream) -> NDArray[np.uint8]:
        """See Compressor."""
        return self.written(x, key)

    def write(self, x: NDArray, key: RandomStream, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        dim = x.shape[1]
        drawn = key.uint16(-(-dim // _SHARE))
        norm, numbers = self.rounded(x, drawn, own)
        own *= self.unit(norm, dim)
        messages[:, : x.itemsize] = to_bytes(norm)
        messages[:, x.itemsize :] = pack(numbers, self.bits)

    def rounded(self, x: NDArray, drawn: NDArray[np.uint16], own: NDArray) -> tuple[NDArray, NDArray]:
        """The norms (p, 1), and s + l as whole numbers (p, dim), of rows of x (p, dim).

        Args:
            x: the rows.
            drawn: uniform on 0 … 2¹⁶ − 1, shape (p, ⌈dim/_SHARE⌉): l = ⌊s x/‖x‖ + draw/2¹⁶⌋, where entries so many
                places apart have the same draw, every other time mirrored.
            own: (p, dim), where l goes.
        """
        s, kind, width = self.levels, x.dtype.type, drawn.shape[1]
        norm = np.sqrt(np.matmul(x[:, None], x[:, :, None]))[:, 0]
        np.multiply(x, kind(s * _WITHIN) / np.where(norm > 0, norm, 1), out=own)
        unit = drawn.astype(x.dtype)
        unit *= kind(2.0**-16)
        mirrored = kind(1 - 2.0**-16) - unit
        both = np.concatenate([unit, mirrored], axis=1)
        whole = x.shape[1] // (2 * width) * 2 * width
        pairs = own[:, :whole].reshape(len(own), -1, 2 * width)
        pairs += both[:, None]
        own[:, whole:] += both[:, : x.shape[1] - whole]
        np.floor(own, out=own)
        signed = own.astype(np.int8 if s < 1 << 7 else np.int16)
        numbers = signed.view(f"u{signed.itemsize}")
        numbers += numbers.dtype.type(s)
        return norm, numbers

    def unit(self, norm: NDArray, dim: int) -> NDArray:
        """What l is multiplied with, (p, 1)."""
        return norm * norm.dtype.type(1 / (self.levels * _WITHIN * self.tau(dim)))

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> NDArray:
        """See Compressor."""
        norm = from_bytes(messages, 0, 1, dtype)
        numbers = unpack(messages[:, norm.itemsize :], self.bits, dim)
        x = numbers.astype(dtype)
        x -= x.dtype.type(self.levels)
        x *= self.unit(norm, dim)
        return x

    def delta(self, dim: int) -> float:
        """1/τ."""
        return 1 / self.tau(dim)
