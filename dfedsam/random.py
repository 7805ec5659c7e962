"""Random numbers that are derived, never stored: every draw is a pure function of (seed, purpose, round, step, peer).

Philox (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a 128-bit key and a 256-bit counter
into random words. Here the key holds the seed and the purpose, and the counter holds the round, the step and the
position of the word, where each peer owns a fixed range of positions. A block of neighbouring peers is therefore one
contiguous range, drawn in one call, and a peer gets the same numbers on any rank and with any other peers in the block.
In a block of scattered peers the counter goes on through the others' ranges, or leaps over many of them.
"""

from __future__ import annotations

import math
import threading
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.peers import Peers, segments
from dfedsam.rows import loaded
from dfedsam.state import changed

_WORDS = 4  # 64-bit words that one Philox counter yields
_LEAP = 128  # words drawn in the time of a leap
_FRESH = {"bit_generator": "Philox", "buffer": (0,) * _WORDS, "buffer_pos": _WORDS, "has_uint32": 0, "uinteger": 0}


class _ThreadGenerator(threading.local):
    """One generator per thread, whose state is set before each draw: creating one takes twenty times as long."""

    def __init__(self) -> None:
        self.philox = np.random.Philox(key=0)


_generator = _ThreadGenerator()


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A numpy Generator for the whole network (a data split, a projection): the same on every rank."""
    key = np.array([seed, zlib.crc32(purpose.encode())], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


@dataclass(frozen=True)
class RandomStream:
    """The random numbers of one purpose, round and local step, for a block of peers.

    A second call gives the same numbers again, so one purpose serves one draw.

    Args:
        seed: the run's seed, 0 ≤ seed < 2⁶⁴.
        purpose: name of the use; different purposes get independent numbers.
        round: 0-based round.
        step: 0-based local step within the round.
        peers: peers of the block, rising; row i of a draw belongs to peer `peers[i]` and depends on no other.
    """

    seed: int
    purpose: str
    round: int
    step: int
    peers: Peers

    def part(self, rows: slice) -> RandomStream:
        """The same draws for some neighbouring rows of the block."""
        return changed(self, peers=self.peers[rows])

    def _words(self, count: int) -> NDArray[np.uint64]:
        """`count` random 64-bit words per peer, shape (peers, count)."""
        counters = -(-count // _WORDS)
        width = counters * _WORDS
        key = self.seed, zlib.crc32(self.purpose.encode())

        def draw(some: range) -> NDArray[np.uint64]:
            counter = some.start * counters, self.step, self.round, 0
            if compiled := loaded():
                words = np.empty((len(some), width), np.uint64)
                compiled.philox(np.array(key, np.uint64), np.array(counter, np.uint64), words.reshape(-1))
                return words
            state: Any = {**_FRESH, "state": {"counter": counter, "key": key}}
            _generator.philox.state = state
            return _generator.philox.random_raw(len(some) * width).reshape(len(some), width)

        if isinstance(self.peers, range):
            return draw(self.peers)[:, :count]
        words = np.empty((len(self.peers), width), np.uint64)
        for some, rows, places in segments(self.peers, _LEAP / max(1, width)):
            words[rows] = draw(some) if places is None else draw(some)[places]
        return words[:, :count]

    def uniform(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Uniform on [0, 1), shape (peers, *shape)."""
        words = self._words(math.prod(shape))
        words >>= np.uint64(11)
        return np.multiply(words, 2.0**-53, dtype=np.float64).reshape(len(self.peers), *shape)

    def integers(self, below: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """`count` integers per peer, uniform on 0 … below[i] − 1 for row i; `below` has shape (peers,)."""
        words = self._words(count)
        words >>= np.uint64(11)
        return np.multiply(words, (below * 2.0**-53)[:, None], dtype=np.float64).astype(np.int64)

    def uint16(self, count: int) -> NDArray[np.uint16]:
        """`count` whole numbers per peer, uniform on 0 … 2¹⁶ − 1, shape (peers, count)."""
        words = np.ascontiguousarray(self._words(-(-count // 4)), dtype="<u8")
        return words.view("<u2")[:, :count]

    def rademacher(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray:
        """±1 with equal chances (Rademacher), straight from the random bits, shape (peers, *shape)."""
        count = math.prod(shape)
        words = np.ascontiguousarray(self._words(-(-count // 64)), dtype="<u8")
        bits = np.unpackbits(words.view(np.uint8), axis=1, count=count, bitorder="little")
        signs = bits.astype(dtype)
        signs *= 2
        signs -= 1
        return signs.reshape(len(self.peers), *shape)

    def normal(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray:
        """Standard normal numbers, shape (peers, *shape), by Box and Muller (1958) in the precision of `dtype`."""
        count = math.prod(shape)
        half = -(-count // 2)
        dtype = np.dtype(dtype)
        if dtype == np.float32:  # one word holds both uniforms of a pair
            words = np.ascontiguousarray(self._words(half), dtype="<u8").view("<u4").reshape(len(self.peers), 2, half)
            unit = (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        else:
            unit = self.uniform((2, half)).astype(dtype)
        radius = np.sqrt(-2 * np.log1p(-unit[:, 0]))
        angle = unit[:, 1] * dtype.type(2 * np.pi)
        pairs = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return pairs[:, :count].reshape(len(self.peers), *shape)
