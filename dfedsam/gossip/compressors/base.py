"""What a compressor is: rows to fixed-width messages of bytes, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    from dfedsam.random import RandomStream


@dataclass(frozen=True, kw_only=True)
class Compressor(ABC):
    """Turns a peer's row into a message of bytes, which is what travels along each of its edges, and back.

    A row's message depends on that row and its peer's random numbers alone. Real numbers inside messages travel in the
    type of x, 32 bits in a float32 run; what is decoded is C(x), and C need not be linear nor right on average.
    """

    def check(self, dim: int) -> None:  # noqa: B027  (most compressors work for all)
        """Raise ValueError unless rows of length dim can be compressed so; called before round 0."""

    @abstractmethod
    def width(self, dim: int, dtype: DTypeLike) -> int:
        """Bytes of one message."""

    @abstractmethod
    def encode(self, x: NDArray, key: RandomStream) -> NDArray[np.uint8]:
        """Messages (p, width) of the rows of x (p, dim), C-contiguous; `key` holds these p peers' random numbers."""

    @abstractmethod
    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, key: RandomStream) -> NDArray:
        """C(x), a new array (m, dim), from messages (m, width); `key` is of the same purpose, round and step as the
        one they were encoded with, and need not be of the same peers."""

    def write(self, x: NDArray, key: RandomStream, messages: NDArray[np.uint8], own: NDArray) -> None:
        """Both at once: the messages of rows x (p, dim), and what they decode to.

        Without an override they are encoded and decoded; most can tell their own C(x) faster.

        Args:
            x: the rows, left as they are.
            key: as for `encode`.
            messages: (p, width), where the messages go.
            own: (p, dim), C-contiguous, of the type of x: where C(x) goes.
        """
        messages[:] = self.encode(x, key)
        own[:] = self.decode(messages, x.shape[1], x.dtype, key)

    def written(self, x: NDArray, key: RandomStream) -> NDArray[np.uint8]:
        """`encode` by `write`, for compressors that override the latter."""
        messages = np.empty((len(x), self.width(x.shape[1], x.dtype)), np.uint8)
        self.write(x, key, messages, np.empty_like(x))
        return messages

    def alike(self, dim: int) -> tuple[Compressor, int]:
        """A compressor that does to shorter rows what this one does to rows of length dim, and their length: trials are
        made with it. Without an override nothing is shortened."""
        return self, dim

    @abstractmethod
    def delta(self, dim: int) -> float:
        """δ in (0, 1] for which E‖C(x) − x‖² ≤ (1 − δ)‖x‖² holds for every x."""


ALIKE = 256  # entries that shortened rows have, or more


def to_bytes(numbers: NDArray) -> NDArray[np.uint8]:
    """The bytes of the numbers in each row, (p, count) → (p, count · itemsize)."""
    return np.ascontiguousarray(numbers).view(np.uint8)


def from_bytes(messages: NDArray[np.uint8], first: int, count: int, dtype: DTypeLike) -> NDArray:
    """`count` numbers a row, which begin at byte `first` of each message: (m, width) → (m, count).

    It may share the messages' memory: leave it as it is."""
    size = np.dtype(dtype).itemsize
    return np.ascontiguousarray(messages[:, first : first + count * size]).view(dtype)
