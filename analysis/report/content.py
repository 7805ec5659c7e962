"""Tables of runs and settings on a report's page, and the curves of its run picker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dfedsam.analysis.read import metrics
from dfedsam.analysis.read.labels import differing, value_text
from dfedsam.analysis.read.metrics import numbers
from dfedsam.analysis.read.runs import RUN_COLUMNS, Study

_POINTS = 80  # maximum of points of a curve on the page
_VALUES = 10  # maximum of values of a varied setting in the page's head
_STATES = ("done", "diverged", "unfinished", "failed")
_PICKED = ("loss", "accuracy", "accuracy_worst", "error_local", "consensus_distance")  # curves that the picker draws


def counts(runs: pd.DataFrame) -> list[tuple[str, int]]:
    """The number of runs in each state; states without runs are omitted."""
    return [(state, count) for state in _STATES if (count := int((runs["state"] == state).sum()))]


def rows(study: Study, summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The page's table of runs: name, state, progress, results, and settings."""
    ends = dict(zip(summary["run"], summary["final"], strict=True))
    metric = str(summary["metric"].iloc[0])
    varying = differing(study.settings.values())
    records = []
    for run in study.runs.to_dict("records"):
        name, value = run["run"], ends.get(run["run"])
        records.append({
            "name": name,
            "state": run["state"],
            "reason": run.get("reason") or "",
            "rounds": f"{run['round']:g} of {run['rounds']:g}" if pd.notna(run.get("rounds")) else f"{run['round']:g}",
            "final": "–" if value is None or not np.isfinite(value) else metrics.shown(metric, value),
            "settings": [(k, value_text(v)) for k, v in study.settings.get(name, {}).items() if k in varying],
        })  # fmt: skip
    return records


def varied(study: Study) -> list[tuple[str, str]]:
    """The settings in which runs differ, including seeds, with their values or the number of values."""
    tables = [{**table, "seed": study.configs[run].get("seed")} for run, table in study.settings.items()]
    pairs = []
    for key in dict.fromkeys(key for table in tables for key in table):
        values = list(dict.fromkeys(value_text(table[key]) for table in tables if key in table))
        if len(values) > 1:
            pairs.append((key, ", ".join(values) if len(values) <= _VALUES else f"{len(values)} values"))
    return pairs


def shared(study: Study) -> list[tuple[str, str]]:
    """The settings that all runs share, and the execution settings."""
    names = ("rounds", "evaluate_every", "dtype")
    executed = [{name: config[name] for name in names if name in config} for config in study.configs.values()]
    alike = [({**table, **more}) for table, more in zip(study.settings.values(), executed, strict=True)]
    varying = differing(alike)
    pairs = [(key, value_text(value)) for key, value in alike[0].items() if key not in varying]
    private = any(config.get("privacy") for config in study.configs.values())
    return pairs if private else [*pairs, ("privacy", "no privacy guarantee")]


def curves(study: Study, metric: str) -> dict[str, Any]:
    """The data of the picker, ready for JSON: each run's settings, and at most _POINTS points of each curve."""
    known = metrics.available(study.evaluations, RUN_COLUMNS)
    names = [name for name in dict.fromkeys((metric, *_PICKED)) if name in known]
    states = dict(zip(study.runs["run"], study.runs["state"], strict=True))
    columns = {name: numbers(study.evaluations, name) for name in ("round", "queries", "bytes", *names)}
    records = []
    for name, rows in study.evaluations.groupby("run", sort=False).indices.items():
        some = rows[np.unique(np.linspace(0, len(rows) - 1, _POINTS).round().astype(int))]
        settings = {"seed": study.configs[str(name)].get("seed"), **study.settings[str(name)]}
        records.append({
            "name": name,
            "label": study.evaluations["label"].iloc[int(rows[0])],
            "state": states[name],
            "settings": {key: value_text(value) for key, value in settings.items()},
            **{column: _rounded(values[some]) for column, values in columns.items()},
        })  # fmt: skip
    titles = {name: metrics.title(name, line=True) for name in names}
    return {"metrics": titles, "first": metric, "runs": records}


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]
