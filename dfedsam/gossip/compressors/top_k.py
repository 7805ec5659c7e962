"""Top-k: the k entries of largest modulus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import pack, packed, unpack
from dfedsam.gossip.compressors.sparse import Sparse

if TYPE_CHECKING:
    from dfedsam.randomness import Draws


@dataclass(frozen=True, kw_only=True)
class TopK(Sparse):
    """The k entries of largest modulus and their places, in k (32 + ⌈log₂ d⌉) bits; of equal ones the first.

    δ = k/d, reached where all entries are equally large. Source: Alistarh et al. (2018), "The convergence of sparsified
    gradient methods".
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        """See Compressor."""
        k = self.count(dim)
        return k * np.dtype(dtype).itemsize + packed(k, _index_bits(dim))

    def encode(self, x: NDArray, key: Draws) -> NDArray[np.uint8]:
        """See Compressor."""
        p, dim = x.shape
        k = self.count(dim)
        flat = _largest(x, k)
        places = (flat.reshape(p, k) - np.arange(p)[:, None] * dim).astype(np.uint32)
        values = x.reshape(-1)[flat].reshape(p, k)
        return np.concatenate([to_bytes(values), pack(places, _index_bits(dim))], axis=1)

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: Draws) -> NDArray:
        """See Compressor."""
        m, k = len(messages), self.count(dim)
        places = unpack(messages[:, k * np.dtype(dtype).itemsize :], _index_bits(dim), k).astype(np.intp)
        places += np.arange(m)[:, None] * dim
        x = np.zeros((m, dim), dtype)
        x.reshape(-1)[places.reshape(-1)] = from_bytes(messages, 0, k, dtype).reshape(-1)
        return x


def _index_bits(dim: int) -> int:
    return (dim - 1).bit_length()


def _largest(x: NDArray, k: int) -> NDArray[np.intp]:
    """Where the k entries of largest modulus of each row of x (p, dim) lie in x.ravel(), rising, shape (p · k,)."""
    bits = np.dtype(f"i{x.itemsize}")
    modulus = x.view(bits) & np.iinfo(bits).max  # ordered as |x| is, and numpy selects whole numbers faster
    least = np.partition(modulus, x.shape[1] - k, axis=1)[:, x.shape[1] - k, None]
    chosen = modulus >= least
    flat = np.flatnonzero(chosen)
    if len(flat) > len(x) * k:  # the k-th has equals in some row
        above = modulus > least
        equal = chosen & ~above
        wanted = k - np.count_nonzero(above, axis=1, keepdims=True)
        flat = np.flatnonzero(above | (equal & (np.cumsum(equal, axis=1) <= wanted)))
    return flat
