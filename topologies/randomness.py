"""Random numbers of schedules, derived from (seed, purpose, round): the same on every rank and after a resume."""

import zlib

import numpy as np


def generator(seed: int, purpose: str, t: int = 0) -> np.random.Generator:
    """A Philox generator (Salmon et al. 2011) for one purpose in one round.

    Args:
        seed: Seed, 0 ≤ seed < 2⁶⁴.
        purpose: What the numbers are for; other purposes get independent numbers.
        t: Round, at least 0.
    """
    key = np.array([seed, zlib.crc32(b"topology " + purpose.encode())], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, t, 0], dtype=np.uint64)))
