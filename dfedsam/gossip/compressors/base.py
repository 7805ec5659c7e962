"""The interface of compressors: rows to fixed-width messages of bytes, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.options import Options
from dfedsam.rows import squares

if TYPE_CHECKING:
    from dfedsam.random import RandomStream
    from dfedsam.rows import SparseRows


@dataclass(frozen=True, kw_only=True)
class Compressor(Options, ABC):
    """Encodes a peer's row as a message of bytes, which is sent along each of its edges, and decodes it.

    A row's message depends only on that row and its peer's random numbers. Real numbers inside messages have the
    type of x, 32 bits in a float32 run. The decoded row is C(x); C need not be linear. Theory distinguishes two kinds,
    of which methods need one or the other: contractive compressors have a `delta`, unbiased ones a `variance`.
    """

    def check(self, dim: int) -> None:
        """Raise OptionError unless rows of length `dim` can be compressed; called before round 0."""

    @abstractmethod
    def width(self, dim: int, dtype: DTypeLike) -> int:
        """Bytes of one message for a row of `dim` numbers of that type."""

    @abstractmethod
    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        """Write the messages of some rows, and their decoded rows.

        Args:
            x: the rows, shape (p, dim), C-contiguous; left as they are, unless they are `decoded`.
            stream: the random numbers of these p peers.
            messages: receives the messages, shape (p, width).
            decoded: receives C(x), shape (p, dim), C-contiguous, of the type of x; may be x itself.
        """

    @abstractmethod
    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        """C(x), a new array (m, dim), from messages (m, width).

        `stream` is of the purpose, round and step that they were written with, and need not be of the same peers.
        """

    def compress(self, x: NDArray, stream: RandomStream, out: NDArray) -> None:
        """As `write`, without messages, for peers whose neighbours are all in this process; `out` receives C(x)."""
        self.write(x, stream, np.empty((len(x), self.width(x.shape[1], x.dtype)), np.uint8), out)

    def follow(self, x: NDArray, estimate: NDArray, stream: RandomStream, out: NDArray) -> NDArray:
        """CHOCO's change of an estimate, in one pass where it can be: estimate += C(z), z = x − estimate.

        Args:
            x: some rows, shape (p, dim).
            estimate: of them, shape (p, dim), changed in place.
            stream: as of `write`.
            out: receives C(z), shape (p, dim).

        Returns:
            ‖z‖², shape (p,).
        """
        z = np.subtract(x, estimate, out=out)
        norms = squares(z)
        self.compress(z, stream, out)
        estimate += out
        return norms

    def encode(self, x: NDArray, stream: RandomStream) -> NDArray[np.uint8]:
        """The messages (p, width) of the rows of x (p, dim)."""
        messages = np.empty((len(x), self.width(x.shape[1], x.dtype)), np.uint8)
        self.write(x, stream, messages, np.empty_like(x))
        return messages

    def entries(self, dim: int) -> int | None:
        """k, if C(x) has so few nonzero entries that it is stored as `SparseRows`; otherwise None.

        A compressor that returns a number has the three methods of entries too.
        """
        return None

    def compress_entries(self, x: NDArray, stream: RandomStream) -> SparseRows:
        """As `compress`; returns C(x)."""
        raise NotImplementedError

    def write_entries(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8]) -> SparseRows:
        """As `write`; returns C(x)."""
        raise NotImplementedError

    def decode_entries(
        self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream
    ) -> SparseRows:
        """As `decode`."""
        raise NotImplementedError

    def follow_entries(self, x: NDArray, estimate: NDArray, stream: RandomStream, out: SparseRows) -> NDArray:
        """As `follow`; `out` receives C(z)."""
        z = x - estimate
        out.columns[:], out.values[:] = self.compress_entries(z, stream)
        out.add_to(estimate, 1)
        return squares(z)

    def scaled_down(self, dim: int) -> tuple[Compressor, int]:
        """A compressor that acts on shorter rows as this one on rows of length `dim`, and their length.

        Step sizes are tuned with it. Without an override nothing is shortened.
        """
        return self, dim

    @abstractmethod
    def delta(self, dim: int) -> float | None:
        """δ in (0, 1] for which E‖C(x) − x‖² ≤ (1 − δ)‖x‖² holds for every x; None if C has no such δ."""

    def variance(self, dim: int) -> float | None:
        """ω for which E C(x) = x and E‖C(x) − x‖² ≤ ω‖x‖² hold for every x; None if C is biased."""
        return None


SHORT = 256
"""Entries that rows are scaled down to, or somewhat more."""


def to_bytes(numbers: NDArray) -> NDArray[np.uint8]:
    """The bytes of the numbers in each row, (p, count) → (p, count · itemsize)."""
    return np.ascontiguousarray(numbers).view(np.uint8)


def from_bytes(messages: NDArray[np.uint8], first: int, count: int, dtype: DTypeLike) -> NDArray:
    """`count` numbers of each row from byte `first` on: (m, width) → (m, count).

    The result may share memory with the messages: leave it as it is.
    """
    size = np.dtype(dtype).itemsize
    return np.ascontiguousarray(messages[:, first : first + count * size]).view(dtype)
