"""Random numbers of schedules, derived from (seed, purpose, round): the same on every rank and after a resume."""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def generator(seed: int, purpose: str, t: int = 0) -> np.random.Generator:
    """A Philox generator (Salmon et al. 2011) for one purpose in one round.

    Args:
        seed: Seed, 0 ≤ seed < 2⁶⁴.
        purpose: name of the use; different purposes get independent numbers.
        t: Round, at least 0.
    """
    return np.random.Generator(_philox(seed, purpose, t))


class Events:
    """Independent events in every round, the same as `generator(...).random(count) < p` would serve, but quicker.

    Args:
        seed: Seed, 0 ≤ seed < 2⁶⁴.
        purpose: name of the use; different purposes are independent.
    """

    def __init__(self, seed: int, purpose: str) -> None:
        self._bits = _philox(seed, purpose, 0)  # a new one takes longer than to set the old one's counter
        self._state: Any = self._bits.state

    def happen(self, t: int, count: int, p: float) -> NDArray[np.bool_]:
        """Which of `count` events happen in round t, each with probability p to 32 bits; shape (count,)."""
        self._state["state"]["counter"][2] = t
        self._bits.state = self._state
        words = np.asarray(self._bits.random_raw(-(-count // 2))).astype("<u8", copy=False)
        return words.view("<u4")[:count] < round(p * 2**32)


def of_pairs(seed: int, purpose: str, i: NDArray[np.integer], j: NDArray[np.integer]) -> NDArray[np.float64]:
    """A number for each pair of peers (i, j), uniform on [0, 1), that depends on no other pair and on no round.

    A counter-based hash: the finaliser of SplitMix64 (Steele, Lea and Flood 2014) over key, i and j in turn.

    Args:
        seed: Seed, 0 ≤ seed < 2⁶⁴.
        purpose: name of the use.
        i: One peer of each pair, shape (m,).
        j: The other, shape (m,); (j, i) is another pair.
    """
    bits = _mixed(np.full(len(i), seed, np.uint64) + np.uint64(zlib.crc32(purpose.encode()) << 32))
    for part in (i, j):
        bits = _mixed(bits + part.astype(np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _philox(seed: int, purpose: str, t: int) -> np.random.Philox:
    key = np.array([seed, zlib.crc32(b"topology " + purpose.encode())], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, t, 0], dtype=np.uint64))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's next state, and its output."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
