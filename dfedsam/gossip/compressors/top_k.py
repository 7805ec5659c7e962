"""Top-k: the k entries of largest modulus."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.gossip.compressors.base import from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import pack, packed, unpack
from dfedsam.gossip.compressors.sparse import Sparse

if TYPE_CHECKING:
    from dfedsam.randomness import Draws

_LOOKED_AT = 256  # entries of a long row from which a bound for its largest ones is guessed


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
        return self.written(x, key)

    def write(self, x: NDArray, key: Draws, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        p, dim = x.shape
        k = self.count(dim)
        flat = _largest(x, k, own)
        values = x.reshape(-1)[flat]
        own.fill(0)
        own.reshape(-1)[flat] = values
        places = (flat.reshape(p, k) - np.arange(p)[:, None] * dim).astype(np.uint32)
        messages[:, : k * x.itemsize] = to_bytes(values.reshape(p, k))
        messages[:, k * x.itemsize :] = pack(places, _index_bits(dim))

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


def _largest(x: NDArray, k: int, spare: NDArray) -> NDArray[np.intp]:
    """Where the k entries of largest modulus of each row of x (p, dim) lie in x.ravel(), rising, shape (p · k,).

    `spare` is an array of the shape and type of x that may be overwritten.
    """
    p, dim = x.shape
    bits = np.dtype(f"i{x.itemsize}")
    modulus = np.bitwise_and(
        x.view(bits), np.iinfo(bits).max, out=spare.view(bits)
    )  # ordered as |x| is, and numpy selects whole numbers faster
    low = _low(modulus, k)
    if low is not None:  # few entries reach it: what is selected among them is found far sooner
        flat = np.flatnonzero(modulus >= low)
        counts = np.diff(np.searchsorted(flat, np.arange(p + 1) * dim))
        if counts.min() >= k:
            return flat[_first_of(modulus.reshape(-1)[flat], counts, k)]
    return np.flatnonzero(_chosen(modulus, k))


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
    """A bound for each row, (p, 1), that at least k of its entries reach most likely and not many more, from every so
    many of its entries; None where looking at all of them costs as little."""
    dim = modulus.shape[1]
    every = dim // _LOOKED_AT
    if every < 4 or 4 * k > dim:
        return None
    expected = k / every
    rank = ceil(expected + 3 * expected**0.5 + 3)  # of a Poisson number of the k largest, hardly ever as many are met
    looked = np.ascontiguousarray(modulus[:, : every * _LOOKED_AT : every])
    return np.partition(looked, _LOOKED_AT - rank, axis=1)[:, _LOOKED_AT - rank, None]


def _first_of(values: NDArray, counts: NDArray[np.intp], k: int) -> NDArray[np.bool_]:
    """Which of the values, `counts[i]` of row i one after another, are the k largest of their row."""
    filled = np.full((len(counts), counts.max()), -1, values.dtype)
    there = np.arange(filled.shape[1]) < counts[:, None]
    filled[there] = values
    return _chosen(filled, k)[there]
