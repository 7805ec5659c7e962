"""Random-k: k entries whose places everyone draws from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import from_bytes, to_bytes
from dfedsam.gossip.compressors.sparse import Sparse
from dfedsam.sparse_rows import SparseRows

if TYPE_CHECKING:
    from dfedsam.random import RandomStream


@dataclass(frozen=True, kw_only=True)
class RandomK(Sparse):
    """k entries in 32 k bits: all peers send the same ones, drawn anew from the seed for every round and step.

    So no places travel. The entries are not scaled up: δ = k/d, an equality on average. Source: Stich, Cordonnier and
    Jaggi (2018), "Sparsified SGD with memory".
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        return self.count(dim) * np.dtype(dtype).itemsize

    def pick(self, x: NDArray, key: RandomStream) -> SparseRows:
        """See Sparse."""
        places = self._places(len(x), x.shape[1], key)
        return SparseRows(places, np.take(x, places[0], axis=1))

    def join(self, entries: SparseRows, dim: int) -> NDArray[np.uint8]:
        """See Sparse."""
        return to_bytes(entries.values)

    def split(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> SparseRows:
        """See Sparse."""
        return SparseRows(self._places(len(messages), dim, key), from_bytes(messages, 0, self.count(dim), dtype))

    def _places(self, rows: int, dim: int, key: RandomStream) -> NDArray[np.intp]:
        own = replace(key, purpose=f"{key.purpose} places", peers=range(1))
        return np.broadcast_to(_drawn(self.count(dim), dim, own), (rows, self.count(dim)))


@lru_cache(maxsize=4)
def _drawn(k: int, dim: int, key: RandomStream) -> NDArray[np.intp]:
    """k of dim places, rising."""
    return np.sort(np.argpartition(key.uniform((dim,))[0], k - 1)[:k])
