"""Mean and interval over seeds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def mean_and_interval(
    values: ArrayLike, confidence: float = 0.95, *, geometric: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean over the first axis, with Student's t interval of that mean: m ± t_{n−1} s / √n.

    Args:
        values: shape (seeds, …), one row a seed; figures that are not finite count as missing.
        confidence: the interval's level, in (0, 1).
        geometric: work on logarithms, for a logarithmic axis; figures that are not above 0 count as missing.

    Returns:
        mean, low and high, each of shape (…). With one figure there is no interval: low and high are NaN; with none all
        three are.

    Raises:
        ValueError: if confidence is not strictly between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: it must be above 0 and below 1; 0.95 is usual")
    table = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        table = np.log(table) if geometric else table
        there = np.isfinite(table)
        n = there.sum(axis=0)
        mean = np.where(there, table, 0).sum(axis=0) / n  # 0/0 is NaN where there is nothing
        spread = np.where(there, table - mean, 0)
        deviation = np.sqrt((spread**2).sum(axis=0) / (n - 1))
        # t has no quantile at 0 degrees of freedom: those places are NaN through `deviation`, whatever t stands there
        half = stats.t.ppf((1 + confidence) / 2, np.maximum(n - 1, 1)) * deviation / np.sqrt(n)
    half = np.where(n > 1, half, np.nan)
    low, high = mean - half, mean + half
    return (np.exp(mean), np.exp(low), np.exp(high)) if geometric else (mean, low, high)
