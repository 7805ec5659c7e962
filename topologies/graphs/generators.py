"""Edges of random graphs as arrays, from the same numbers as networkx's generators and in their order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import chain, repeat
from math import log

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 20  # numbers drawn at once
_WORDS = 1 << 12  # words drawn at once


def uniform(seed: int) -> np.random.RandomState:
    """The numbers of Python's `random.Random(seed).random()`, as arrays."""
    return np.random.RandomState(_twister(seed))


def gnp(n: int, p: float, seed: int) -> NDArray[np.int32]:
    """The edges of networkx's `fast_gnp_random_graph` in its order (Batagelj and Brandes 2005), shape (m, 2)."""
    if p == 1:
        return np.column_stack(np.triu_indices(n, 1)).astype(np.int32)
    numbers, lp, pairs, last, chunks = uniform(seed), log(1 - p), n * (n - 1) // 2, -1, []
    while last < pairs:  # pairs (v, w) with w < v are numbered v (v - 1)/2 + w, and skipped ones are drawn
        drawn = (1.0 - numbers.random_sample(min(_CHUNK, int(1.1 * p * pairs) + 100))).tolist()
        skipped = np.fromiter(map(log, drawn), np.float64) / lp  # not numpy's logarithm: its last digit may differ
        place = last + np.cumsum(1 + np.minimum(skipped, pairs).astype(np.int64))
        last = int(place[-1])
        place = place[place < pairs]
        v = ((1 + np.sqrt(1 + 8 * place.astype(np.float64))) / 2).astype(np.int64)
        v -= v * (v - 1) // 2 > place
        v += v * (v + 1) // 2 <= place
        chunks.append(np.column_stack([v, place - v * (v - 1) // 2]).astype(np.int32))
    return np.concatenate(chunks)


def regular(n: int, degree: int, seed: int) -> NDArray[np.int64]:
    """The edges of networkx's `random_regular_graph`, rising, shape (m, 2): stubs are paired until all fit."""
    words = _words(seed)
    while (edges := _paired(n, degree, words)) is None:
        pass
    return edges


def _twister(seed: int) -> np.random.MT19937:
    """The generator behind Python's `random.Random(seed)`."""
    _, state, _ = random.Random(seed).getstate()
    bits = np.random.MT19937()
    bits.state = {"bit_generator": "MT19937", "state": {"key": np.array(state[:-1], np.uint32), "pos": state[-1]}}
    return bits


def _words(seed: int) -> Iterator[int]:
    """The 32-bit words of Python's `random.Random(seed)`."""
    bits = _twister(seed)
    return chain.from_iterable(bits.random_raw(_WORDS).tolist() for _ in repeat(None))


def _shuffle(items: list[int], words: Iterator[int]) -> None:
    """`random.Random.shuffle`, in a fifth of its time."""
    for i in range(len(items) - 1, 0, -1):
        shift = 32 - (i + 1).bit_length()
        j = next(words) >> shift
        while j > i:
            j = next(words) >> shift
        items[i], items[j] = items[j], items[i]


def _paired(n: int, degree: int, words: Iterator[int]) -> NDArray[np.int64] | None:
    stubs, kept = list(range(n)) * degree, np.empty(0, dtype=np.int64)  # an edge u < v is kept as u n + v
    while stubs:
        _shuffle(stubs, words)
        pairs = np.sort(np.array(stubs).reshape(-1, 2), axis=1)
        keys = pairs[:, 0] * n + pairs[:, 1]
        fits = np.zeros(len(keys), dtype=bool)
        fits[np.unique(keys, return_index=True)[1]] = True
        fits &= (pairs[:, 0] != pairs[:, 1]) & ~_among(keys, kept)
        kept = np.sort(np.concatenate([kept, keys[fits]]))
        left = Counter(pairs[~fits].ravel().tolist())
        if left and not _can_go_on(n, list(left), kept):
            return None
        stubs = list(left.elements())
    return np.column_stack(np.divmod(kept, n))


def _among(keys: NDArray[np.int64], kept: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which keys are among the kept ones, which rise."""
    if not len(kept):
        return np.zeros(len(keys), dtype=bool)
    place = np.searchsorted(kept, keys)
    return kept[np.minimum(place, len(kept) - 1)] == keys


def _can_go_on(n: int, peers: list[int], kept: NDArray[np.int64]) -> bool:
    """Whether two of these peers are not joined yet, in networkx's way of looking."""
    for one in peers:
        u = one
        for other in peers:
            if u == other:
                break
            u, v = min(u, other), max(u, other)
            place = int(np.searchsorted(kept, u * n + v))
            if place == len(kept) or kept[place] != u * n + v:
                return True
    return False
