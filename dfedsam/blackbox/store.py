"""Vectors of texts, kept on disk, so that a text goes through a frozen encoder once."""

import hashlib
import io
import os
import random
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dfedsam import cache

CHUNK = 256  # texts a file


def stored(identity: str, ids: Sequence[Sequence[int]], embed: Callable[[NDArray], NDArray]) -> NDArray:
    """The vectors of all texts, from the cache where they are there; what is missing is made and kept.

    Texts are taken in order of their length, CHUNK at a time, and each chunk is a file. The chunks are visited in a
    random order: processes that start at once make different ones and find each other's.

    Args:
        identity: names all that the vectors depend on beside the texts: weights, precision, versions.
        ids: the texts' token numbers.
        embed: gives the vectors (len(numbers), width) of the texts with these numbers.

    Returns:
        Shape (texts, width).
    """
    order = np.array(sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i])))
    chunks = [order[i : i + CHUNK] for i in range(0, len(order), CHUNK)]
    found: dict[int, NDArray] = {}
    for place in random.Random(os.getpid()).sample(range(len(chunks)), len(chunks)):
        found[place] = _chunk(identity, chunks[place], ids, embed)
    vectors = np.concatenate([found[place] for place in range(len(chunks))])
    return vectors[np.argsort(order)]


def _chunk(
    identity: str, numbers: NDArray, ids: Sequence[Sequence[int]], embed: Callable[[NDArray], NDArray]
) -> NDArray:
    name = hashlib.sha256(repr((identity, [list(ids[i]) for i in numbers])).encode()).hexdigest()[:32]
    path = cache.cache_folder() / "vectors" / f"{name}.npy"
    try:
        vectors = np.load(path)
        if len(vectors) == len(numbers):
            return vectors
    except (OSError, ValueError, EOFError):
        pass
    vectors = embed(numbers)
    file = io.BytesIO()
    np.save(file, vectors)
    cache.store(path, file.getvalue())
    return vectors
