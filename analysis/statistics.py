"""Means with intervals over seeds, paired differences, and straight lines through logarithms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FEW_SEEDS = 5  # with fewer, a t interval says little: figures show each seed instead
FEW_POINTS = 5  # a fitted line needs at least so many


def mean_and_interval(
    values: ArrayLike, *, geometric: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean over the first axis, with Student's 95 % interval of that mean: m ± t_{n−1} s / √n.

    Args:
        values: shape (seeds, …), one row per seed; values that are not finite count as missing.
        geometric: work on logarithms, for a logarithmic axis; values of 0 or below count as missing.

    Returns:
        mean, low and high, each of shape (…). With one value low and high are NaN; with none all three are.
    """
    table = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        table = np.log(table) if geometric else table
        finite = np.isfinite(table)
        n = finite.sum(axis=0)
        mean = np.where(finite, table, 0).sum(axis=0) / n  # 0/0 is NaN where there is nothing
        deviation = np.sqrt((np.where(finite, table - mean, 0) ** 2).sum(axis=0) / (n - 1))
        # t has no quantile at 0 degrees of freedom: those entries are NaN through `deviation`, whatever stands there
        half = stats.t.ppf(0.975, np.maximum(n - 1, 1)) * deviation / np.sqrt(n)
    half = np.where(n > 1, half, np.nan)
    low, high = mean - half, mean + half
    return (np.exp(mean), np.exp(low), np.exp(high)) if geometric else (mean, low, high)


class Difference(NamedTuple):
    """A difference of means with its 95 % interval and the t-test's p; NaN where there is no interval."""

    mean: float
    low: float
    high: float
    pairs: int
    p: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return bool(self.low > 0 or self.high < 0)


def paired_difference(a: dict[Any, float], b: dict[Any, float]) -> Difference:
    """The mean difference a − b over shared seeds, with Student's t interval; both have values by seed.

    Runs of one seed share data and topology, whose effects cancel. If no seed is shared, this is the difference of
    means with Welch's interval, and `pairs` is 0.
    """
    shared = [seed for seed in a if seed in b and np.isfinite(a[seed]) and np.isfinite(b[seed])]
    if shared:
        mean, low, high = mean_and_interval([a[seed] - b[seed] for seed in shared])
        freedom = len(shared) - 1
        with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 where all differences are 0
            p = 2 * stats.t.sf(np.abs(mean) / (high - mean) * stats.t.ppf(0.975, freedom), freedom)
        return Difference(float(mean), float(low), float(high), len(shared), float(p))
    x, y = (np.array([value for value in side.values() if np.isfinite(value)]) for side in (a, b))
    if min(len(x), len(y)) < 2:
        missing = not len(x) or not len(y)
        return Difference(np.nan if missing else float(x.mean() - y.mean()), np.nan, np.nan, 0, np.nan)
    test: Any = stats.ttest_ind(x, y, equal_var=False)
    interval = test.confidence_interval(0.95)
    return Difference(float(x.mean() - y.mean()), float(interval.low), float(interval.high), 0, float(test.pvalue))


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """p values of several tests, adjusted so that all hold together (Holm, 1979); NaN is no test and stays NaN."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)  # NaN last
    factors = np.maximum(np.isfinite(p).sum() - np.arange(len(p)), 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return adjusted


@dataclass(frozen=True)
class Fit:
    """y = exp(intercept) · x^slope by least squares of log y on log x; y = intercept + slope · log x if not log_y.

    [low, high] is the slope's 95 % interval, Student's t; r2 is R² on the scale of the fit, spearman the rank
    correlation of x and y.
    """

    slope: float
    intercept: float
    low: float
    high: float
    r2: float
    spearman: float
    points: int
    log_y: bool

    def __call__(self, x: ArrayLike) -> NDArray[np.float64]:
        """The line at x."""
        line = self.intercept + self.slope * np.log(np.asarray(x, dtype=np.float64))
        return np.exp(line) if self.log_y else line


def usable(x: ArrayLike, y: ArrayLike, *, log_y: bool = True) -> NDArray[np.bool_]:
    """Which pairs a fit uses: finite, and above 0 if their logarithm is taken; shape (points,)."""
    x, y = (np.asarray(value, dtype=np.float64) for value in (x, y))
    return np.isfinite(x) & np.isfinite(y) & (x > 0) & ((y > 0) | (not log_y))


def fit(x: ArrayLike, y: ArrayLike, *, log_y: bool = True) -> Fit | None:
    """Fit a line to points, shape (points,) each; None if fewer than FEW_POINTS are usable, or x or y does not vary."""
    use = usable(x, y, log_y=log_y)
    x, y = (np.asarray(value, dtype=np.float64)[use] for value in (x, y))
    if len(x) < FEW_POINTS or np.ptp(np.log(x)) < 1e-9 or np.ptp(y) == 0:
        return None
    line: Any = stats.linregress(np.log(x), np.log(y) if log_y else y)
    rank: Any = stats.spearmanr(x, y)
    half = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    low, high = line.slope - half, line.slope + half
    return Fit(line.slope, line.intercept, low, high, line.rvalue**2, rank.statistic, len(x), log_y)


def agreement(predicted: ArrayLike, measured: ArrayLike) -> float | None:
    """R² of log measured about the line measured = predicted, without a fit; None with too few or equal points."""
    use = usable(predicted, measured)
    p, m = (np.log(np.asarray(value, dtype=np.float64)[use]) for value in (predicted, measured))
    if len(m) < FEW_POINTS or np.ptp(m) == 0:
        return None
    return float(1 - np.sum((m - p) ** 2) / np.sum((m - m.mean()) ** 2))
