"""Random-k: k entries whose places everyone draws from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import from_bytes, to_bytes
from dfedsam.gossip.compressors.sparse import Sparse

if TYPE_CHECKING:
    from dfedsam.randomness import Draws


@dataclass(frozen=True, kw_only=True)
class RandomK(Sparse):
    """k entries in 32 k bits: all peers send the same ones, drawn anew from the seed for every round and step.

    So no places travel. The entries are not scaled up: δ = k/d, an equality on average. Source: Stich, Cordonnier and
    Jaggi (2018), "Sparsified SGD with memory".
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        return self.count(dim) * np.dtype(dtype).itemsize

    def encode(self, x: NDArray, key: Draws) -> NDArray[np.uint8]:
        """See Compressor."""
        return to_bytes(np.take(x, self._places(x.shape[1], key), axis=1))

    def write(self, x: NDArray, key: Draws, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        places = self._places(x.shape[1], key)
        values = np.take(x, places, axis=1)
        messages[:] = to_bytes(values)
        own.fill(0)
        own[:, places] = values

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: Draws) -> NDArray:
        """See Compressor."""
        x = np.zeros((len(messages), dim), dtype)
        x[:, self._places(dim, key)] = from_bytes(messages, 0, self.count(dim), dtype)
        return x

    def _places(self, dim: int, key: Draws) -> NDArray[np.intp]:
        return _drawn(self.count(dim), dim, replace(key, purpose=f"{key.purpose} places", peers=range(1)))


@lru_cache(maxsize=4)
def _drawn(k: int, dim: int, key: Draws) -> NDArray[np.intp]:
    """k of dim places, rising."""
    return np.sort(np.argpartition(key.uniform((dim,))[0], k - 1)[:k])
