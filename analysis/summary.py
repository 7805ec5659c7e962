"""Summary of a study: each run's results and costs, means over seeds, and paired comparisons."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dfedsam.analysis.read import metrics
from dfedsam.analysis.read.metrics import numbers
from dfedsam.analysis.read.runs import RUN_COLUMNS, SPECTRUM, THEORY, Study
from dfedsam.analysis.statistics import FEW_SEEDS, holm, mean_and_interval, paired_difference

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
    last_values = pd.DataFrame({
        "final": by_run["value"].last(),
        "first": by_run["value"].first(),
        "steady": late["value"].mean(),
        "consensus": late["consensus"].mean(),
        "bytes_end": by_run["bytes"].last(),
        "queries_end": by_run["queries"].last(),
        "best": by_run["value"].max() if sign < 0 else by_run["value"].min(),
    })  # fmt: skip
    rows = runs.merge(last_values, left_on="run", right_index=True)
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
        # rounded to the side that is reached earlier, to 0.69 and not 0.6900000000000001, which a run at 0.69 misses
        goal = float(f"{np.ceil(value / digits - 1e-9) * digits:.12g}")
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
    for name in {*SPECTRUM, *THEORY} - {"biased", "period"}:
        if name in first and (groups[name].nunique() > 1).any():
            first[name] = groups[name].agg(lambda each: each.astype(float).mean())
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
        (its 95 % interval; NaN for the best itself and for single runs), `p` (of the t-test of this difference,
        adjusted for the number of comparisons by Holm's method), `pairs` (0: no shared seeds), `best` (whether it has
        the best mean), `compared_with` (the best label), and `is_clear` (whether it is better than all others beyond
        the noise).
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
        first, others = part.iloc[0], [name for name in gaps if name != best]
        p = dict(zip(others, holm([gaps[name].p for name in others]), strict=True))
        for name, gap in gaps.items():
            low, high = (np.nan, np.nan) if name == best else (gap.low, gap.high)
            rows.append({"label": name, **{key: first[key] for key in keys}, "difference": gap.mean, "low": low,
                         "high": high, "p": p.get(name, np.nan), "pairs": gap.pairs, "best": name == best,
                         "compared_with": best, "is_clear": name == best and clear})  # fmt: skip
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
