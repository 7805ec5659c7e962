"""Short numpy buffers, which suit rows that are shorter than numpy's own buffers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_NUMBERS = 2048


@contextmanager
def short_buffers() -> Iterator[None]:
    """In this thread numpy's buffers are shorter than the peers' rows mostly are; also as a decorator.

    Into a buffer that is longer than a row, as numpy's own of 8,192 numbers often is, a factor a row is first written
    again and again, which takes as long as the arithmetic.
    """
    before = np.setbufsize(_NUMBERS)
    try:
        yield
    finally:
        np.setbufsize(before)
