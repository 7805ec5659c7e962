"""Robust means of scalars: all peers apply the same rule to the same numbers, and so stay identical."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

ScalarRule = Literal["mean", "trimmed_mean", "median", "krum", "geometric_median"]
_NU = 1e-3  # smoothing, relative to the median distance from the median
_ITERATIONS = 32  # of Weiszfeld's method


def center(rule: ScalarRule, scalars: NDArray, f: int) -> NDArray:
    """A robust mean of the scalars of n peers, of which at most f attack.

    Args:
        rule: "trimmed_mean" (without the f largest and f smallest of each number: within the honest numbers' range) or
            "median", each number by itself; "krum" or "geometric_median", of rows, which are sketches of gradients.
        scalars: shape (n, c).
        f: at least 0; only "trimmed_mean" and "krum" use it.

    Returns:
        Shape (c,), in the type of the scalars.
    """
    n, values = len(scalars), scalars.astype(np.float64)
    if rule == "mean":
        result = values.mean(axis=0)
    elif rule == "trimmed_mean":
        result = np.sort(values, axis=0)[f : n - f].mean(axis=0)
    elif rule == "median":
        result = np.median(values, axis=0)
    elif rule == "krum":
        from scipy.spatial.distance import cdist  # which takes a while to load

        nearest = np.partition(cdist(values, values, "sqeuclidean"), n - f - 2, axis=1)[:, : n - f - 1]
        result = values[nearest.sum(axis=1).argmin()]
    else:
        result = np.median(values, axis=0)
        least = _NU * np.median(np.linalg.norm(values - result, axis=1)) + np.finfo(np.float64).tiny
        for _ in range(_ITERATIONS):
            weights = 1 / np.maximum(least, np.linalg.norm(values - result, axis=1))
            result = weights @ values / weights.sum()
    return result.astype(scalars.dtype)
