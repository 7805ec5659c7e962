"""Where compiled loops are worth their start-up time."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from numpy.typing import NDArray

WORTH_LOADING = 1 << 22
"""Bytes of an array below which loading numba takes longer than it saves in most runs."""

_WIDE = 64  # numbers of a row below which compiled loops gain nothing


def loops(x: NDArray) -> ModuleType | None:
    """`dfedsam.loops`, for rows x (b, d) that are many and wide; None for others, or if numba is not installed."""
    wide = x.nbytes >= WORTH_LOADING and x.shape[1] >= _WIDE and x.dtype.char in "fd"
    return _loops() if wide else None


@cache
def _loops() -> ModuleType | None:
    try:
        from dfedsam import loops
    except ImportError:
        return None
    return loops
