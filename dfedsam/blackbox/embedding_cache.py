"""Vectors of texts, stored on disk, so that each text is encoded only once."""

from __future__ import annotations

import hashlib
import io
import os
import random
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dfedsam.phases import track
from dfedsam.whole_files import cache_folder, store

CHUNK = 256  # texts per file


def cached_vectors(identity: str, ids: Sequence[Sequence[int]], embed: Callable[[NDArray], NDArray]) -> NDArray:
    """The vectors of all texts, from the cache if stored; missing ones are computed and stored.

    Texts are taken in order of their length, CHUNK at a time, and each chunk is a file. The chunks are visited in a
    random order: processes that start together compute different ones and read each other's.

    Args:
        identity: everything that the vectors depend on except the texts: weights, precision, versions.
        ids: the texts' token ids.
        embed: function that returns the vectors (k, width) of the texts with these indices (k,).

    Returns:
        Shape (texts, width).
    """
    order = np.array(sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i])))
    chunks = [order[i : i + CHUNK] for i in range(0, len(order), CHUNK)]
    vectors: dict[int, NDArray] = {}
    for number in track("embedding texts", random.Random(os.getpid()).sample(range(len(chunks)), len(chunks))):
        vectors[number] = _chunk(identity, chunks[number], ids, embed)
    return np.concatenate([vectors[number] for number in range(len(chunks))])[np.argsort(order)]


def _chunk(identity: str, texts: NDArray, ids: Sequence[Sequence[int]], embed: Callable[[NDArray], NDArray]) -> NDArray:
    name = hashlib.sha256(repr((identity, [list(ids[i]) for i in texts])).encode()).hexdigest()[:32]
    path = cache_folder() / "vectors" / f"{name}.npy"
    try:
        vectors = np.load(path)
        if len(vectors) == len(texts):
            return vectors
    except (OSError, ValueError, EOFError):
        pass
    vectors = embed(texts)
    file = io.BytesIO()
    np.save(file, vectors)
    store(path, file.getvalue())
    return vectors
