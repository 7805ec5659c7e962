"""No compression: the row itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import ALIKE, Compressor, from_bytes, to_bytes

if TYPE_CHECKING:
    from dfedsam.random import RandomStream


@dataclass(frozen=True, kw_only=True)
class NoCompression(Compressor):
    """C(x) = x, in 32 d bits: with it a compressed gossip does what it would do without, up to rounding."""

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        return dim * np.dtype(dtype).itemsize

    def encode(self, x: NDArray, key: RandomStream) -> NDArray[np.uint8]:
        """See Compressor."""
        return to_bytes(x)

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> NDArray:
        """See Compressor."""
        return from_bytes(messages, 0, dim, dtype).copy()

    def write(self, x: NDArray, key: RandomStream, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        messages[:] = to_bytes(x)
        own[:] = x

    def alike(self, dim: int) -> tuple[Compressor, int]:
        """See Compressor."""
        return self, min(dim, ALIKE)

    def delta(self, dim: int) -> float:
        """1."""
        return 1.0
