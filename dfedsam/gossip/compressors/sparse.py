"""Sparse compressors: k of a row's d entries."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.compressors.base import SHORT, Compressor, from_bytes, to_bytes
from dfedsam.gossip.compressors.packing import pack, packed, unpack
from dfedsam.options import option, share, whole_number
from dfedsam.rows import SparseRows, loops as compiled_loops

if TYPE_CHECKING:
    from dfedsam.random import RandomStream

_FEW = 8  # below d/8 entries are added faster one by one than as rows that are mostly zero
_GROUPS = 256  # of a row's entries, at least: numpy's loops over fewer take longer


@dataclass(frozen=True, kw_only=True)
class Sparse(Compressor):
    """Sends k of a row's d entries as they are; the others count as zero.

    Args:
        fraction: share of the entries that are sent, in (0, 1]; k = fraction · d, rounded, at least 1.
        k: number of entries, 1 to d, instead of the fraction.
    """

    fraction: float = option(0.1, share, "0.01 sends one entry in a hundred")
    k: int | None = option(None, whole_number, 1)

    def check(self, dim: int) -> None:
        if self.k is not None and self.k > dim:
            hint = "choose a smaller one, or a fraction"
            raise OptionError("k", self.k, f"must be at most the length of x, {dim} here", hint)

    def count(self, dim: int) -> int:
        """k for rows of length dim."""
        return self.k if self.k is not None else max(1, round(self.fraction * dim))

    def entries(self, dim: int) -> int | None:
        k = self.count(dim)
        return k if _FEW * k <= dim else None

    @abstractmethod
    def join(self, entries: SparseRows, dim: int) -> NDArray[np.uint8]:
        """The messages (p, width) of p rows' entries, C-contiguous."""

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        entries = self.write_entries(x, stream, messages)
        decoded.fill(0)
        entries.add_to(decoded, 1)

    @abstractmethod
    def compress_entries(self, x: NDArray, stream: RandomStream) -> SparseRows: ...

    def write_entries(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8]) -> SparseRows:
        entries = self.compress_entries(x, stream)
        messages[:] = self.join(entries, x.shape[1])
        return entries

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        return self.decode_entries(messages, dim, dtype, stream).dense(dim)

    def scaled_down(self, dim: int) -> tuple[Compressor, int]:
        share = self.count(dim) / dim  # of the entries: the same
        k = ceil(share * SHORT)
        return (self, dim) if dim <= SHORT else (replace(self, k=k), round(k / share))

    def delta(self, dim: int) -> float:
        return self.count(dim) / dim


@dataclass(frozen=True, kw_only=True)
class TopK(Sparse):
    """The k entries of largest modulus and their positions, in k (32 + ⌈log₂ d⌉) bits; of equal ones the first.

    δ = k/d, reached where all entries are equally large. Source: Alistarh et al. (2018), "The convergence of sparsified
    gradient methods".
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        k = self.count(dim)
        return k * np.dtype(dtype).itemsize + packed(k, _index_bits(dim))

    def compress_entries(self, x: NDArray, stream: RandomStream) -> SparseRows:
        p, dim = x.shape
        k = self.count(dim)
        if x.dtype == np.float32 and (compiled := compiled_loops(x)):
            entries = SparseRows(np.empty((p, k), np.intp), np.empty((p, k), x.dtype))
            compiled.largest_entries(x, *entries)
            return entries
        flat = _largest(x, k).reshape(p, k)
        return SparseRows(flat - np.arange(p)[:, None] * dim, x.reshape(-1)[flat])

    def follow_entries(self, x: NDArray, estimate: NDArray, stream: RandomStream, out: SparseRows) -> NDArray:
        compiled = compiled_loops(x) if x.dtype == np.float32 else None
        if not compiled:
            return super().follow_entries(x, estimate, stream, out)
        norms = np.empty(len(x), x.dtype)
        compiled.follow_largest(x, estimate, *out, norms)
        return norms

    def join(self, entries: SparseRows, dim: int) -> NDArray[np.uint8]:
        places = pack(entries.columns.astype(np.uint32), _index_bits(dim))
        return np.concatenate([to_bytes(entries.values), places], axis=1)

    def decode_entries(
        self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream
    ) -> SparseRows:
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
    flat = np.flatnonzero(modulus >= low)  # hardly more than k in a row, and much faster to select from
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
    """A bound (p, 1) that at least k entries of each row reach, and about 1.1 k of random ones.

    It is the k-th largest of the maxima of at least 6 k groups of entries. None where a group would hold one entry.
    """
    p, dim = modulus.shape
    size = dim // max(6 * k, _GROUPS)
    if size < 2:
        return None
    groups = dim // size
    largest = modulus[:, : size * groups].reshape(p, size, groups).max(axis=1)
    return np.partition(largest, groups - k, axis=1)[:, groups - k, None]


def _first_of(values: NDArray, counts: NDArray[np.intp], k: int) -> NDArray[np.bool_]:
    """Mask of the k largest values of each row; `counts[i]` consecutive values belong to row i."""
    filled = np.zeros((len(counts), counts.max()), values.dtype)  # after the others, which are k or more
    there = np.arange(filled.shape[1]) < counts[:, None]
    filled[there] = values
    return _chosen(filled, k)[there]


@dataclass(frozen=True, kw_only=True)
class RandomK(Sparse):
    """k entries in 32 k bits: all peers send the same ones, redrawn from the seed for every round and step.

    So no positions are sent. The entries are not scaled up: δ = k/d, an equality on average. Source: Stich, Cordonnier
    and Jaggi (2018), "Sparsified SGD with memory".
    """

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return self.count(dim) * np.dtype(dtype).itemsize

    def compress_entries(self, x: NDArray, stream: RandomStream) -> SparseRows:
        places = self._places(len(x), x.shape[1], stream)
        return SparseRows(places, np.take(x, places[0], axis=1))

    def join(self, entries: SparseRows, dim: int) -> NDArray[np.uint8]:
        return to_bytes(entries.values)

    def decode_entries(
        self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream
    ) -> SparseRows:
        return SparseRows(self._places(len(messages), dim, stream), from_bytes(messages, 0, self.count(dim), dtype))

    def _places(self, rows: int, dim: int, stream: RandomStream) -> NDArray[np.intp]:
        shared = replace(stream, purpose=f"{stream.purpose} places", peers=range(1))
        return np.broadcast_to(_drawn(self.count(dim), dim, shared), (rows, self.count(dim)))


@lru_cache(maxsize=4)
def _drawn(k: int, dim: int, stream: RandomStream) -> NDArray[np.intp]:
    """k of dim positions, rising."""
    return np.sort(np.argpartition(stream.uniform((dim,))[0], k - 1)[:k])
