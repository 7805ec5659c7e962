"""Straight lines through logarithms: slope with its interval, R² and rank correlation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FEWEST = 3  # points that a line with an interval needs


@dataclass(frozen=True, kw_only=True)
class Fit:
    """y = exp(intercept) · x^slope by least squares of log y on log x; y = intercept + slope · log x if not log_y.

    Attributes:
        slope: with its 95 % interval [low, high], Student's t.
        r2: R² of the line, on the scale it was fitted on.
        spearman: rank correlation of x and y.
        points: how many.
    """

    slope: float
    intercept: float
    low: float
    high: float
    r2: float
    spearman: float
    points: int
    log_y: bool = True

    def __call__(self, x: ArrayLike) -> NDArray[np.float64]:
        """The line at x."""
        line = self.intercept + self.slope * np.log(np.asarray(x, dtype=np.float64))
        return np.exp(line) if self.log_y else line


def usable(x: ArrayLike, y: ArrayLike, *, log_y: bool = True) -> NDArray[np.bool_]:
    """Which pairs a fit takes: finite, and above 0 where a logarithm is taken; shape (points,)."""
    x, y = (np.asarray(value, dtype=np.float64) for value in (x, y))
    return np.isfinite(x) & np.isfinite(y) & (x > 0) & ((y > 0) | (not log_y))


def fit(x: ArrayLike, y: ArrayLike, *, log_y: bool = True) -> Fit | None:
    """Fit a line; None where there are less than FEWEST usable points or x does not vary.

    Args:
        x: shape (points,).
        y: shape (points,).
        log_y: take the logarithm of y, too.
    """
    there = usable(x, y, log_y=log_y)
    x, y = (np.asarray(value, dtype=np.float64)[there] for value in (x, y))
    if len(x) < FEWEST or np.ptp(np.log(x)) < 1e-9 or np.ptp(y) == 0:
        return None
    line: Any = stats.linregress(np.log(x), np.log(y) if log_y else y)
    rank: Any = stats.spearmanr(x, y)
    half = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    return Fit(
        slope=float(line.slope), intercept=float(line.intercept), low=float(line.slope - half),
        high=float(line.slope + half), r2=float(line.rvalue**2), spearman=float(rank.statistic),
        points=len(x), log_y=log_y,
    )  # fmt: skip


def agreement(predicted: ArrayLike, measured: ArrayLike) -> float | None:
    """R² of log measured about the line measured = predicted, without a fit; None with less than FEWEST points."""
    there = usable(predicted, measured)
    p, m = (np.log(np.asarray(value, dtype=np.float64)[there]) for value in (predicted, measured))
    if len(m) < FEWEST or np.ptp(m) == 0:
        return None
    return float(1 - np.sum((m - p) ** 2) / np.sum((m - m.mean()) ** 2))
