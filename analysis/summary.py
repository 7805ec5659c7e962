"""Statistics of a study: results and costs of runs, means over seeds, paired comparisons, lines through logarithms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from dfedsam.analysis.read import metrics
from dfedsam.analysis.read.metrics import numbers
from dfedsam.analysis.read.runs import RUN_COLUMNS, Study

FEW_SEEDS = 5  # with fewer, a t interval says little: figures show each seed instead
FEW_POINTS = 5  # a fitted line needs at least so many
STEADY = 0.8  # share of a run's rounds after which evaluations are averaged for the steady state
REACHED = 0.8  # share of the runs that reach the chosen target
COSTS = {"round": "rounds_to", "queries": "queries_to", "bytes": "bytes_to", "time": "seconds_to"}
FACET = ("objective", "data", "heterogeneity")  # runs that share a target
LATENCY = 0.01  # α, seconds per message: machines in one country
BANDWIDTH = 12.5e6  # 1/β, bytes per second: 100 Mbit/s


def summarise(study: Study, metric: str | None = None, target: float | None = None) -> pd.DataFrame:
    """The runs that have an evaluation, with their results.

    Args:
        study: the study.
        metric: the metric that compares runs; None: the first of `metrics.PREFERRED` that the study has.
        target: value of the metric; None: for each objective, data set and heterogeneity a value, to two digits, that a
            share REACHED of the runs reaches, and NaN if runs start at it.

    Returns:
        `Study.runs` with further columns: metric; `final`, the last value; `steady`, the mean over the last fifth of a
        run's rounds; `best`; `consensus`, the steady consensus distance; `bytes_end` and `queries_end`; `target`, and
        `rounds_to`, `queries_to` and `bytes_to` (per peer) and `seconds_to` (of the run's clock) at the first
        evaluation that has reached it, NaN if none has; `predicted`, theory's prediction of `steady`, NaN without one.

    Raises:
        OptionError: if no run has the metric.
    """
    evaluations, runs = study.evaluations, study.runs
    metric = metrics.choose(metrics.available(evaluations, RUN_COLUMNS), metric)
    sign = -1 if metrics.rises(metric) else 1
    table = evaluations.reindex(columns=["run", *COSTS, metric])
    table["consensus"] = numbers(evaluations, "consensus_distance")
    table["value"] = numbers(table, metric)
    table = table[np.isfinite(table["value"])]
    by_run = table.groupby("run", sort=False)
    late = table[table["round"] >= STEADY * by_run["round"].transform("max")].groupby("run", sort=False)
    found = pd.DataFrame({
        "final": by_run["value"].last(),
        "first": by_run["value"].first(),
        "steady": late["value"].mean(),
        "consensus": late["consensus"].mean(),
        "bytes_end": by_run["bytes"].last(),
        "queries_end": by_run["queries"].last(),
        "best": by_run["value"].max() if sign < 0 else by_run["value"].min(),
    })  # fmt: skip
    rows = runs.merge(found, left_on="run", right_index=True)
    rows["metric"] = metric
    rows["target"] = _targets(rows, sign) if target is None else target
    goal = table["run"].map(rows.set_index("run")["target"])
    reached = table[sign * table["value"] <= sign * goal].groupby("run", sort=False).first()
    for column, name in COSTS.items():
        rows[name] = rows["run"].map(reached[column])
    rows["predicted"] = _predicted(rows, metric)
    return rows.reset_index(drop=True)


def _predicted(rows: pd.DataFrame, metric: str) -> np.ndarray:
    consensus, error = numbers(rows, "predicted_consensus"), numbers(rows, "predicted_error")
    known = {"consensus_distance": consensus, "error_local": consensus + error, "error": error}
    return known.get(metric, np.full(len(rows), np.nan))


def _targets(rows: pd.DataFrame, sign: int) -> pd.Series:
    def choose(part: pd.DataFrame) -> float:
        done = part[part["state"] == "done"] if (part["state"] == "done").any() else part
        value = float(np.quantile(sign * done["best"], REACHED))
        digits = 10.0 ** (np.floor(np.log10(abs(value))) - 1) if value else 1.0
        goal = float(np.ceil(value / digits) * digits)  # rounded to the side that is reached earlier
        start_there = (sign * done["first"] <= goal).mean()  # as the consensus distance, which starts at 0
        return np.nan if start_there > 1 - REACHED else sign * goal

    parts = [pd.Series(choose(part), part.index) for _, part in rows.groupby(list(FACET), dropna=False)]
    return pd.concat(parts).reindex(rows.index)


def aggregate(
    summary: pd.DataFrame, columns: Iterable[str] = ("steady", "rounds_to"), *, log: bool = True
) -> pd.DataFrame:
    """Aggregate seeds: one row per label, with the mean of these columns, `…_low` and `…_high`, `…_sd` and `…_seeds`.

    A column is missing (NaN) for a label if it is missing for one of its runs. `seeds` counts the runs. Below FEW_SEEDS
    runs there is no interval. `…_seeds` has the values of the runs. With `log` means are geometric, if all values are
    above 0.
    """
    groups = summary.groupby("label", sort=False)
    first = groups.first()
    first["seeds"] = groups.size()
    order = groups.cumcount()
    for column in columns:
        table = summary.assign(number=order).pivot(index="number", columns="label", values=column)
        values = table[first.index].to_numpy(dtype=np.float64)
        geometric = log and not (values <= 0).any()
        mean, low, high = mean_and_interval(values, geometric=geometric)
        bounds = metrics.bounds(str(summary["metric"].iloc[0]) if column in ("steady", "final") else "")
        whole = np.isfinite(values).sum(axis=0) == first["seeds"].to_numpy()
        enough = whole & (first["seeds"].to_numpy() >= FEW_SEEDS)
        first[column] = np.where(whole, mean, np.nan)
        for side, ends in (("low", low), ("high", high)):
            first[f"{column}_{side}"] = np.where(enough, np.clip(ends, *bounds), np.nan)
        first[f"{column}_sd"] = np.where(whole, groups[column].std().to_numpy(), np.nan)
        first[f"{column}_seeds"] = [each[np.isfinite(each)] for each in values.T]
    return first.reset_index()


def best_rates(summary: pd.DataFrame) -> pd.DataFrame:
    """Keep, of runs that differ only in their learning rate, those of the rate with the best mean steady value.

    The best rate depends on the graph, so that a fixed one misleads. If rates do not vary, all rows are kept.
    """
    if summary["lr"].nunique() < 2:
        return summary
    mean = summary.groupby(["cell", "lr"])["steady"].transform("mean")
    mean = -mean if metrics.rises(str(summary["metric"].iloc[0])) else mean
    return summary[mean == mean.groupby(summary["cell"]).transform("min")].reset_index(drop=True)


def differences(summary: pd.DataFrame, column: str = "steady") -> pd.DataFrame:
    """Compare each label with the best one of the same data, peers and heterogeneity, paired by seed.

    Args:
        summary: result of `summarise`.
        column: "steady", where larger is better if it is for the metric, or a cost.

    Returns:
        One row per label: `label`, data, peers and heterogeneity if known, `difference` from the best, `low` and `high`
        (its 95 % interval; NaN for the best itself and for single runs), `pairs` (0: no shared seeds), `best` (whether
        it has the best mean), and `is_clear` (whether it is also better than all others beyond the noise).
    """
    sign = -1 if column == "steady" and metrics.rises(str(summary["metric"].iloc[0])) else 1
    keys = [name for name in ("data", "peers", "heterogeneity") if summary[name].notna().any()]
    parts = [part for _, part in summary.groupby(keys, dropna=False, sort=False)] if keys else [summary]
    rows = []
    for part in parts:
        values = {str(name): dict(zip(run["seed"], run[column], strict=True)) for name, run in part.groupby("label")}
        values = {name: seeds for name, seeds in values.items() if np.isfinite(list(seeds.values())).all()}
        if not values:
            continue
        best = min(values, key=lambda name: sign * float(np.mean(list(values[name].values()))))
        gaps = {name: paired_difference(seeds, values[best]) for name, seeds in values.items()}
        clear = len(gaps) > 1 and all(gap.is_clear for name, gap in gaps.items() if name != best)
        first = part.iloc[0]
        for name, gap in gaps.items():
            low, high = (np.nan, np.nan) if name == best else (gap.low, gap.high)
            rows.append({"label": name, **{key: first[key] for key in keys}, "difference": gap.mean, "low": low,
                         "high": high, "pairs": gap.pairs, "best": name == best,
                         "is_clear": name == best and clear})  # fmt: skip
    return pd.DataFrame(rows, columns=None if rows else ["label", "best", "is_clear"])


def with_time(evaluations: pd.DataFrame, latency: float = LATENCY, bandwidth: float = BANDWIDTH) -> pd.DataFrame:
    """The table with a column `message_time`: cumulative seconds of messages, for runs without a clock.

    A peer sends its messages one after another, so that a gossip step takes deg · (α + β m), where deg is the largest
    degree in the round, m the bytes per message, α the latency in seconds and 1/β the bandwidth in bytes per second; Q
    steps take Q times as long. Queries and local steps take no time here. The column is NaN for runs without degrees.
    """
    most, mean = numbers(evaluations, "degree_round_max"), numbers(evaluations, "degree_round_mean")
    steps = numbers(evaluations, "steps")
    steps = np.where(np.isfinite(steps), steps, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        carried = numbers(evaluations, "bytes") * most / mean / bandwidth
    return evaluations.assign(message_time=numbers(evaluations, "round") * steps * most * latency + carried)


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
    """A difference of means with its 95 % interval; NaN where there is no interval."""

    mean: float
    low: float
    high: float
    pairs: int

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
        return Difference(float(mean), float(low), float(high), len(shared))
    x, y = (np.array([value for value in side.values() if np.isfinite(value)]) for side in (a, b))
    if min(len(x), len(y)) < 2:
        missing = not len(x) or not len(y)
        return Difference(np.nan if missing else float(x.mean() - y.mean()), np.nan, np.nan, 0)
    interval = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    return Difference(float(x.mean() - y.mean()), float(interval.low), float(interval.high), 0)


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
