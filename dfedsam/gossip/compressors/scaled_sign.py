"""Scaled sign: one bit an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import ALIKE, Compressor, from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import packed

if TYPE_CHECKING:
    from dfedsam.random import RandomStream


@dataclass(frozen=True, kw_only=True)
class ScaledSign(Compressor):
    """C(x) = (‖x‖₁/d) sign x, in d + 32 bits.

    ‖C(x) − x‖² = (1 − δ(x))‖x‖² with δ(x) = ‖x‖₁²/(d‖x‖²): 2/π for Gaussian rows, 1/d at worst, when a single entry is
    not zero. Source: Karimireddy et al. (2019), "Error feedback fixes SignSGD and other gradient compression schemes".
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        return np.dtype(dtype).itemsize + packed(dim, 1)

    def encode(self, x: NDArray, key: RandomStream) -> NDArray[np.uint8]:
        """See Compressor."""
        return self.written(x, key)

    def write(self, x: NDArray, key: RandomStream, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        ones = np.ones((x.shape[1], 1), x.dtype)
        scale = np.matmul(np.abs(x, out=own)[:, None], ones)[:, 0] / x.dtype.type(x.shape[1])  # a product a row
        bits = np.dtype(f"u{x.itemsize}")
        sign = bits.type(1) << bits.type(8 * x.itemsize - 1)
        whole = np.bitwise_and(x.view(bits), sign, out=own.view(bits))
        whole |= scale.view(bits)
        negative = x.view(f"i{x.itemsize}") < 0  # what np.signbit says, sooner
        messages[:, : x.itemsize] = to_bytes(scale)
        messages[:, x.itemsize :] = np.packbits(negative, axis=1, bitorder="little")

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> NDArray:
        """See Compressor."""
        scale = from_bytes(messages, 0, 1, dtype)
        bits = np.unpackbits(messages[:, scale.itemsize :], axis=1, count=dim, bitorder="little")
        x = np.multiply(bits, -2 * scale, dtype=dtype)
        x += scale
        return x

    def alike(self, dim: int) -> tuple[Compressor, int]:
        """See Compressor."""
        return self, min(dim, ALIKE)

    def delta(self, dim: int) -> float:
        """1/d, the worst."""
        return 1 / dim
