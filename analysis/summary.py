"""A study's runs, one row each: what they ended at, and what they took to a target."""

import numpy as np
import pandas as pd

from dfedsam.analysis import metrics
from dfedsam.analysis.intervals import mean_and_interval

STEADY = 0.8  # of a run's rounds: what comes after is averaged for its steady value
REACH = 0.8  # of the runs reach the target that is chosen for them
SPENT = {"round": "rounds_to", "queries": "queries_to", "bytes": "bytes_to"}
FACET = ["objective", "data", "heterogeneity"]  # what a target belongs to


def summarise(
    evaluations: pd.DataFrame, runs: pd.DataFrame, metric: str | None = None, target: float | None = None
) -> pd.DataFrame:
    """The rows of `runs` that have an evaluation, with what they came to.

    Args:
        evaluations: as in `analysis.studies.Study`.
        runs: likewise.
        metric: what is looked at; None takes the first of `analysis.metrics.PREFERRED` that there is.
        target: a value of it; None takes, for each objective, data set and heterogeneity, one that REACH of the runs
            reach, to two digits, and none (NaN) where runs begin at it.

    Returns:
        Further columns: metric; `final`, the last value; `steady`, the mean over the last fifth of a run's rounds;
        `best`; `consensus`, the steady consensus distance; `target`, and `rounds_to`, `queries_to` and `bytes_to` (a
        peer) at the first evaluation that has reached it, NaN if none has; `predicted`, what theory says of `steady`,
        NaN where it says nothing.

    Raises:
        ValueError: if no run has the metric.
    """
    metric = metrics.choose(evaluations, metric)
    sign = -1 if metrics.rises(metric) else 1
    table = evaluations.reindex(columns=["run", *SPENT, metric])  # an older version may have counted less
    table["consensus"] = evaluations.get("consensus_distance", pd.Series(np.nan, evaluations.index))
    table["value"] = pd.to_numeric(table[metric], errors="coerce")
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
    for column, name in SPENT.items():
        rows[name] = rows["run"].map(reached[column])
    rows["predicted"] = _predicted(rows, metric)
    return rows.reset_index(drop=True)


def _predicted(rows: pd.DataFrame, metric: str) -> pd.Series:
    consensus = rows.get("predicted_consensus", pd.Series(np.nan, rows.index))
    if metric == "consensus_distance":
        return consensus
    error = rows.get("predicted_error", pd.Series(np.nan, rows.index))
    return {"error_local": consensus + error, "error": error}.get(metric, pd.Series(np.nan, rows.index))


def _targets(rows: pd.DataFrame, sign: int) -> pd.Series:
    def choose(part: pd.DataFrame) -> float:
        done = part[part["state"] == "done"] if (part["state"] == "done").any() else part
        value = float(np.quantile(sign * done["best"], REACH))
        digits = 10.0 ** (np.floor(np.log10(abs(value))) - 1) if value else 1.0
        goal = float(np.ceil(value / digits) * digits)  # rounded to the side that is reached sooner
        begun_there = (sign * done["first"] <= goal).mean() > 1 - REACH  # as consensus, which begins at 0
        return np.nan if begun_there else sign * goal

    keys = [rows[name] if name in rows else pd.Series("", rows.index) for name in FACET]
    return pd.concat([pd.Series(choose(part), part.index) for _, part in rows.groupby(keys, dropna=False)]).reindex(
        rows.index
    )


def cells(
    summary: pd.DataFrame, columns: tuple[str, ...] = ("steady", "rounds_to"), *, log: bool = True
) -> pd.DataFrame:
    """Seeds joined: one row a label, with the mean of these columns and its interval, `steady_low`, `steady_high`, ….

    A column is missing (NaN) for a label where it is missing for one of its runs. `seeds` counts the runs.

    Args:
        summary: of `summarise`.
        columns: numbers to average.
        log: take geometric means, where all values are above 0.
    """
    groups = summary.groupby("label", sort=False)
    first = groups.first()
    first["seeds"] = groups.size()
    order = groups.cumcount()
    for column in columns:
        table = summary.assign(seed_number=order).pivot(index="seed_number", columns="label", values=column)
        values = table[first.index].to_numpy(dtype=np.float64)
        geometric = log and not (values <= 0).any()
        mean, low, high = mean_and_interval(values, geometric=geometric)
        whole = np.isfinite(values).sum(axis=0) == first["seeds"].to_numpy()
        first[column], first[f"{column}_low"], first[f"{column}_high"] = (
            np.where(whole, each, np.nan) for each in (mean, low, high)
        )
        first[f"{column}_sd"] = np.where(whole, summary.groupby("label", sort=False)[column].std().to_numpy(), np.nan)
    return first.reset_index()


def best_rates(summary: pd.DataFrame) -> pd.DataFrame:
    """Of runs that differ only in their learning rate, those of the rate whose mean steady value is best.

    A fixed rate misleads: what is best differs from graph to graph. Where rates do not vary, all rows are kept.
    """
    if "lr" not in summary or summary["lr"].nunique() < 2:
        return summary
    rate = summary["label"].str.replace(r", lr=[^,]+", "", regex=True)
    mean = summary.groupby([rate, "lr"])["steady"].transform("mean")
    mean = -mean if metrics.rises(str(summary["metric"].iloc[0])) else mean
    return summary[mean == mean.groupby(rate).transform("min")].reset_index(drop=True)
