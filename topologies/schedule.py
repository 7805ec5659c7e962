"""Topologies whose W_t changes from round to round, and their random numbers, derived from (seed, purpose, round)."""

from __future__ import annotations

import math
import zlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.topologies.matrices import union
from dfedsam.topologies.topology import Sums, Topology

LONGEST = 1000  # rounds of a period that is treated as one: all of them are checked before a run


class Periodic(Topology):
    """Some matrices in turn, and again from the first.

    Args:
        matrices: W_0, W_1, …, each (n, n), float64.
        directed: whether they need not be symmetric.
        sums: which of their lines sum to one.
    """

    def __init__(self, matrices: Sequence[sp.csr_array], *, directed: bool = False, sums: Sums = "both") -> None:
        self._matrices = list(matrices)
        self.n, self.period = len(self._matrices[0].indptr) - 1, len(self._matrices)
        self.directed, self.sums = directed, sums

    def weights(self, t: int) -> sp.csr_array:
        return self._matrices[t % len(self._matrices)]

    def support(self) -> sp.csr_array:
        return union(self._matrices)


class Drawn(Topology):
    """A random W_t in every round, a function of the seed and the round only.

    A subclass implements `draw`; its name separates its random numbers from those of others.

    Args:
        n: number of peers.
        seed: at least 0.
        support: where any W_t may differ from zero off the diagonal, shape (n, n); None: any pair of peers may meet.
    """

    period = None

    def __init__(self, n: int, seed: int, support: sp.csr_array | None = None) -> None:
        self.n, self.seed = n, seed
        self._support = support
        self._last: tuple[int, sp.csr_array] | None = None

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        """W_t of shape (n, n), float64, from the random numbers of its round."""

    def weights(self, t: int) -> sp.csr_array:
        """W_t; asking again for the last one gives the same object."""
        last = self._last
        if last is None or last[0] != t:
            self._last = last = t, self.draw(generator(self.seed, type(self).__name__, t))
        return last[1]

    def support(self) -> sp.csr_array | None:
        return self._support


def generator(seed: int, purpose: str, t: int = 0) -> np.random.Generator:
    """A Philox generator (Salmon et al. 2011) for one purpose in one round; 0 ≤ seed < 2⁶⁴."""
    return np.random.Generator(_philox(seed, purpose, t))


class Events:
    """Events in every round, independent or in bursts, quicker than by `generator(...)`.

    Args:
        seed: the seed.
        purpose: what they are; another purpose draws other events.
        memory: probability that an event happens as in the round before, in [0, 1); otherwise it is drawn anew.
    """

    def __init__(self, seed: int, purpose: str, memory: float = 0.0) -> None:
        self.memory = memory
        self._renewals = Events(seed, f"{purpose} renewal") if memory else None
        self._bits = _philox(seed, purpose, 0)  # a new one takes longer than to set the old one's counter
        self._state: Any = self._bits.state

    def happen(self, t: int, count: int, p: float) -> NDArray[np.bool_]:
        """Which of `count` events happen in round t, each with probability p to 32 bits; shape (count,).

        With memory each is a Markov chain of two states, whose value is that of its last renewal.
        """
        if self._renewals is None or t == 0:
            return self._drawn(t, count, p)
        happen, waiting = np.empty(count, bool), np.ones(count, bool)
        while waiting.any():
            renewed = waiting & ~self._renewals.happen(t, count, self.memory) if t else waiting
            happen[renewed] = self._drawn(t, count, p)[renewed]
            waiting = waiting & ~renewed
            t -= 1
        return happen

    def _drawn(self, t: int, count: int, p: float) -> NDArray[np.bool_]:
        self._state["state"]["counter"][2] = t
        self._bits.state = self._state
        words = np.asarray(self._bits.random_raw(-(-count // 2))).astype("<u8", copy=False)
        return words.view("<u4")[:count] < round(p * 2**32)


def of_pairs(seed: int, purpose: str, i: NDArray[np.integer], j: NDArray[np.integer]) -> NDArray[np.float64]:
    """A number for each pair of peers (i, j), uniform on [0, 1), that depends on no other pair and on no round.

    A counter-based hash: the finaliser of SplitMix64 (Steele, Lea and Flood 2014) over key, i and j in turn; i and j
    have shape (m,), and (j, i) is another pair.
    """
    bits = _mixed(np.full(len(i), seed, np.uint64) + np.uint64(zlib.crc32(purpose.encode()) << 32))
    for part in (i, j):
        bits = _mixed(bits + part.astype(np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def levels(*inner: Topology) -> int:
    """One more than the deepest nesting among these topologies.

    It makes the random numbers of a topology differ from those of its own kind within it, which has the same seed.
    """
    return 1 + max(getattr(topology, "levels", 0) for topology in inner)


def common_period(periods: Iterable[int | None]) -> int | None:
    """Rounds after which all of them repeat; None if one never does, or only after more than LONGEST rounds."""
    multiple = math.lcm(*(period or 0 for period in periods))
    return multiple if 0 < multiple <= LONGEST else None


def _philox(seed: int, purpose: str, t: int) -> np.random.Philox:
    key = np.array([seed, zlib.crc32(b"topology " + purpose.encode())], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, t, 0], dtype=np.uint64))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's next state, and its output."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
