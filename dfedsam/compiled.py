"""Where compiled loops are worth their start-up time."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from numpy.typing import NDArray

WORTH_LOADING = 1 << 22
"""Bytes of an array below which loading numba takes longer than it saves in most runs."""

_WIDE = 64  # numbers of a row below which compiled loops gain nothing


def loops(x: NDArray) -> ModuleType | None:
    """`dfedsam.loops`, for rows x (b, d) that are wide and many; for a few wide ones only if it is loaded already.

    None for other rows, or if numba is not installed.
    """
    if x.shape[1] < _WIDE or x.dtype.char not in "fd":
        return None
    return load() if x.nbytes >= WORTH_LOADING else loaded()


def loaded() -> ModuleType | None:
    """`dfedsam.loops` if they are loaded already."""
    return load() if load.cache_info().currsize else None


@cache
def load() -> ModuleType | None:
    """`dfedsam.loops`; None if numba is not installed, or cannot keep what it compiles."""
    try:
        from dfedsam import loops
    except (ImportError, RuntimeError):  # numba's own, where it finds no folder for its cache
        return None
    return loops
