"""Signs alone, with one scale for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import SHORT, Compressor, from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import packed
from dfedsam.rows import loops as compiled_loops, moduli

if TYPE_CHECKING:
    from dfedsam.random import RandomStream


@dataclass(frozen=True, kw_only=True)
class ScaledSign(Compressor):
    """C(x) = (‖x‖₁/d) sign x, in d + 32 bits.

    ‖C(x) − x‖² = (1 − δ(x))‖x‖² with δ(x) = ‖x‖₁²/(d‖x‖²): 2/π for Gaussian rows, 1/d at worst, when a single entry is
    not zero. Source: Karimireddy et al. (2019), "Error feedback fixes SignSGD and other gradient compression schemes".
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return np.dtype(dtype).itemsize + packed(dim, 1)

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        negative = x.view(f"i{x.itemsize}") < 0  # as np.signbit, but faster
        messages[:, x.itemsize :] = np.packbits(negative, axis=1, bitorder="little")
        self.compress(x, stream, decoded)
        messages[:, : x.itemsize] = to_bytes(np.abs(decoded[:, :1]))

    def compress(self, x: NDArray, stream: RandomStream, out: NDArray) -> None:
        bits = np.dtype(f"u{x.itemsize}")
        scale = (moduli(x) / x.dtype.type(x.shape[1]))[:, None]
        signed = np.bitwise_and(x.view(bits), bits.type(1 << (8 * x.itemsize - 1)), out=out.view(bits))
        signed |= scale.view(bits)

    def follow(self, x: NDArray, estimate: NDArray, stream: RandomStream, out: NDArray) -> NDArray:
        compiled = compiled_loops(x) if x.dtype == np.float32 else None
        if not compiled:
            return super().follow(x, estimate, stream, out)
        norms = np.empty(len(x), x.dtype)
        compiled.follow_signs(x, estimate, out, norms)
        return norms

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
