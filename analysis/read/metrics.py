"""The metrics of a run: names in figures, ranges, which direction is better, and which one compares runs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.names import did_you_mean

TITLES = {
    "accuracy": "accuracy (%)",
    "accuracy_local": "accuracy\nof a peer (%)",
    "accuracy_worst": "accuracy of\nthe worst peer (%)",
    "error_local": "squared distance\nfrom the optimum",
    "error": "squared distance of\nthe mean from the optimum",
    "loss_local": "loss of a peer",
    "consensus_distance": "consensus distance",
    "consensus_distance_before_gossip": "consensus distance\nbefore gossip",
}
PREFERRED = ("accuracy", "error_local", "loss_local", "loss", "consensus_distance")  # the first recorded one is used
# Columns of an evaluation that are not metrics
COSTS = ("round", "queries", "bytes", "seconds", "time", "message_time", "time_mean")
_NONNEGATIVE = ("loss", "error", "consensus", "gradient_norm", "distance")
_SHARES = ("accuracy", "validation_accuracy", "recall_")


def available(evaluations: pd.DataFrame, settings: Iterable[str]) -> list[str]:
    """The metrics that at least one run has recorded; columns of `settings` describe the run."""
    others = {*settings, *COSTS, "theory"}
    names = [str(name) for name in evaluations if name not in others and not str(name).startswith("reference.")]
    return [name for name in names if np.isfinite(numbers(evaluations, name)).any()]


def choose(known: list[str], metric: str | None = None) -> str:
    """The metric that compares runs: the requested one, or the first of PREFERRED that the study has.

    Raises:
        OptionError: if no run has it.
    """
    if metric is None:
        return next((name for name in (*PREFERRED, *known) if name in known), "loss")
    if metric not in known:
        hint = f"there is {', '.join(known)}{did_you_mean(metric, known, '; did you mean {}?')}"
        raise OptionError("metric", metric, "must be recorded by at least one run", hint)
    return metric


def rises(metric: str) -> bool:
    """Whether larger values are better."""
    return is_share(metric) or metric.startswith("cosine")


def is_share(metric: str) -> bool:
    """Whether the metric is a share of examples, shown in per cent."""
    return metric.startswith(_SHARES)


def bounds(metric: str) -> tuple[float, float]:
    """The least and the largest value that the metric can have."""
    if is_share(metric):
        return 0.0, 1.0
    if metric.startswith("cosine"):
        return -1.0, 1.0
    return (0.0 if metric.startswith(_NONNEGATIVE) else -np.inf), np.inf


def title(metric: str, *, line: bool = False) -> str:
    """The metric's name on an axis; with `line` in one line."""
    name = TITLES.get(metric, metric.replace("_", " ") + (" (%)" if is_share(metric) else ""))
    return name.replace("\n", " ") if line else name


def shown(metric: str, value: float) -> str:
    """A value of the metric as text, shares in per cent."""
    return f"{100 * value:.3g} %" if is_share(metric) else f"{value:.3g}"


def numbers(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """A column as floats, shape (rows,): NaN where a number or the whole column is missing."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    return np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)
