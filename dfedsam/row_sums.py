"""Sums along the rows of an array in an order of their own, so that no library's or machine's order matters."""

import numpy as np
from numpy.typing import NDArray

from dfedsam.compiled import loops

LANES = 64
"""Number j of a row is added to sum j mod 64, one after another; then halves of these sums are added, six times."""


def squares(x: NDArray) -> NDArray:
    """‖x‖² of rows (p, d), in their type: (p,)."""
    if compiled := loops(x):
        return compiled.squares(x)
    with np.errstate(over="ignore"):
        return _sums(x * x)


def moduli(x: NDArray) -> NDArray:
    """‖x‖₁ of rows (p, d), in their type: (p,)."""
    if compiled := loops(x):
        return compiled.moduli(x)
    return _sums(np.abs(x))


def _sums(terms: NDArray) -> NDArray:
    whole = terms.shape[1] // LANES * LANES
    sums = terms[:, :whole].reshape(len(terms), -1, LANES).sum(axis=1)
    sums[:, : terms.shape[1] - whole] += terms[:, whole:]
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    return sums[:, 0]
