"""What compressors that send k of the d entries share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.compressors.base import ALIKE, Compressor
from dfedsam.sparse_rows import SparseRows
from dfedsam.validation import share, whole_number

if TYPE_CHECKING:
    from dfedsam.random import RandomStream

_FEW = 8  # below d/8 entries are added faster one by one than as rows that are mostly zero


@dataclass(frozen=True, kw_only=True)
class Sparse(Compressor):
    """Sends k of a row's d entries as they are; the others count as zero.

    Args:
        fraction: share of the entries that are sent, in (0, 1]; k = fraction · d, rounded, at least 1.
        k: how many, 1 to d, in place of the fraction.
    """

    fraction: float = 0.1
    k: int | None = None

    def __post_init__(self) -> None:
        share("fraction", self.fraction, "0.01 sends one entry in a hundred")
        if self.k is not None:
            whole_number("k", self.k, 1)

    def check(self, dim: int) -> None:
        """See Compressor.

        Raises:
            ValueError: if k is above d.
        """
        if self.k is not None and self.k > dim:
            hint = "choose a smaller one, or a fraction"
            raise OptionError("k", self.k, f"must be at most the length of x, {dim} here", hint)

    def count(self, dim: int) -> int:
        """k for rows of length dim."""
        return self.k if self.k is not None else max(1, round(self.fraction * dim))

    def few(self, dim: int) -> bool:
        """Whether C(x) has so few entries that it is better kept as these."""
        return _FEW * self.count(dim) <= dim

    @abstractmethod
    def pick(self, x: NDArray, key: RandomStream) -> SparseRows:
        """The k entries of C(x) in each row of x (p, dim); `key` as for `encode`."""

    @abstractmethod
    def join(self, entries: SparseRows, dim: int) -> NDArray[np.uint8]:
        """The messages (p, width) of p rows' entries, C-contiguous."""

    @abstractmethod
    def split(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> SparseRows:
        """The entries (m, k) that messages (m, width) hold; `key` as for `decode`."""

    def encode(self, x: NDArray, key: RandomStream) -> NDArray[np.uint8]:
        """See Compressor."""
        return self.join(self.pick(x, key), x.shape[1])

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> NDArray:
        """See Compressor."""
        return self.split(messages, dim, dtype, key).dense(dim)

    def write(self, x: NDArray, key: RandomStream, messages: NDArray[np.uint8], own: NDArray) -> None:
        """See Compressor."""
        entries = self.pick(x, key)
        messages[:] = self.join(entries, x.shape[1])
        own.fill(0)
        entries.add_to(own, 1)

    def alike(self, dim: int) -> tuple[Compressor, int]:
        """See Compressor: the same share of the entries."""
        share = self.count(dim) / dim
        k = ceil(share * ALIKE)
        return (self, dim) if dim <= ALIKE else (replace(self, k=k), round(k / share))

    def delta(self, dim: int) -> float:
        """k/d."""
        return self.count(dim) / dim
