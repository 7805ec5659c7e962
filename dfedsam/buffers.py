"""Short numpy buffers, which are faster for rows shorter than numpy's default buffers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_NUMBERS = 2048


@contextmanager
def short_buffers() -> Iterator[None]:
    """Make numpy's buffers in this thread shorter than most peers' rows; also usable as a decorator.

    numpy first copies one factor per row into a buffer that is longer than a row, as its default of 8,192 numbers often
    is, which takes as long as the arithmetic.
    """
    before = np.setbufsize(_NUMBERS)
    try:
        yield
    finally:
        np.setbufsize(before)
