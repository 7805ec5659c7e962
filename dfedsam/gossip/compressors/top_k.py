"""Top-k: the k entries of largest modulus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import pack, packed, unpack
from dfedsam.gossip.compressors.sparse import Sparse
from dfedsam.sparse_rows import SparseRows

if TYPE_CHECKING:
    from dfedsam.random import RandomStream


_GROUPS = 256  # of a row's entries, at least: numpy's loops over fewer take longer


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

    def pick(self, x: NDArray, key: RandomStream) -> SparseRows:
        """See Sparse."""
        p, dim = x.shape
        flat = _largest(x, self.count(dim)).reshape(p, -1)
        return SparseRows(flat - np.arange(p)[:, None] * dim, x.reshape(-1)[flat])

    def join(self, entries: SparseRows, dim: int) -> NDArray[np.uint8]:
        """See Sparse."""
        places = pack(entries.places.astype(np.uint32), _index_bits(dim))
        return np.concatenate([to_bytes(entries.values), places], axis=1)

    def split(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> SparseRows:
        """See Sparse."""
        k = self.count(dim)
        places = unpack(messages[:, k * np.dtype(dtype).itemsize :], _index_bits(dim), k)
        return SparseRows(places.astype(np.intp), from_bytes(messages, 0, k, dtype))


def _index_bits(dim: int) -> int:
    return (dim - 1).bit_length()


def _largest(x: NDArray, k: int) -> NDArray[np.intp]:
    """Where the k entries of largest modulus of each row of x (p, dim) lie in x.ravel(), rising, shape (p · k,)."""
    p, dim = x.shape
    bits = np.dtype(f"u{x.itemsize}")
    modulus = x.view(bits) & (np.iinfo(bits).max >> 1)  # ordered as |x| is, and numpy selects whole numbers faster
    low = _low(modulus, k)
    if low is None:
        return np.flatnonzero(_chosen(modulus, k))
    flat = np.flatnonzero(modulus >= low)  # hardly more than k in a row, and far sooner selected among
    counts = np.diff(np.searchsorted(flat, np.arange(p + 1) * dim))
    return flat[_first_of(modulus.reshape(-1)[flat], counts, k)]


def _chosen(modulus: NDArray, k: int) -> NDArray[np.bool_]:
    """The k largest entries of each row, the first of equal ones, as a mask (p, m)."""
    place = modulus.shape[1] - k
    least = np.partition(modulus, place, axis=1)[:, place, None]
    chosen = modulus >= least
    if np.count_nonzero(chosen) > len(modulus) * k:  # the k-th has equals in some row
        above = modulus > least
        equal = chosen & ~above
        wanted = k - np.count_nonzero(above, axis=1, keepdims=True)
        chosen = above | (equal & (np.cumsum(equal, axis=1) <= wanted))
    return chosen


def _low(modulus: NDArray, k: int) -> NDArray | None:
    """What at least k entries of each row reach, (p, 1), and some 1.1 k at random: the k-th of the largest in groups of
    entries, 6 k of them or more. None where groups would hold a single entry."""
    p, dim = modulus.shape
    size = dim // max(6 * k, _GROUPS)
    if size < 2:
        return None
    groups = dim // size
    largest = modulus[:, : size * groups].reshape(p, size, groups).max(axis=1)
    return np.partition(largest, groups - k, axis=1)[:, groups - k, None]


def _first_of(values: NDArray, counts: NDArray[np.intp], k: int) -> NDArray[np.bool_]:
    """Which of the values, `counts[i]` of row i one after another, are the k largest of their row."""
    filled = np.zeros((len(counts), counts.max()), values.dtype)  # after the others, which are k or more
    there = np.arange(filled.shape[1]) < counts[:, None]
    filled[there] = values
    return _chosen(filled, k)[there]
