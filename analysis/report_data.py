"""What the report's page holds besides figures: counts, settings, and the curves that its picker draws."""

import base64
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfedsam.analysis import metrics
from dfedsam.analysis.labels import differing
from dfedsam.analysis.panels import numbers
from dfedsam.analysis.studies import Study

POINTS = 80  # of a curve on the page
ACROSS = ("round", "queries", "bytes")
CURVES = ("loss", "accuracy", "accuracy_worst", "error_local", "consensus_distance")


def counts(runs: pd.DataFrame) -> list[tuple[str, int]]:
    """How many runs are done, unfinished and failed, in that order; those there are none of left out."""
    found = Counter(runs["state"])
    return [(state, found[state]) for state in ("done", "unfinished", "failed") if found[state]]


def rows(study: Study, summary: pd.DataFrame) -> list[dict[str, Any]]:
    """What the page says of each run: name, state, how far it is, what it came to, and what sets it apart."""
    ends = dict(zip(summary["run"], summary["final"], strict=True))
    metric = str(summary["metric"].iloc[0])
    apart = differing(list(study.settings.values()))
    found = []
    for run in study.runs.to_dict("records"):
        name = run["run"]
        value = ends.get(name)
        found.append({
            "name": name,
            "state": run["state"],
            "reason": run.get("reason") or "",
            "rounds": f"{run['round']:g} of {run['rounds']:g}" if pd.notna(run.get("rounds")) else f"{run['round']:g}",
            "final": "–" if value is None or not np.isfinite(value) else metrics.shown(metric, value),
            "settings": [(key, text(v)) for key, v in study.settings.get(name, {}).items() if key in apart],
        })  # fmt: skip
    return found


def shared(study: Study) -> list[tuple[str, str]]:
    """The settings that all runs share, one way of playing them (rounds and so on) included."""
    tables = list(study.settings.values())
    apart = differing(tables)
    played = [
        {key: config.get(key) for key in ("rounds", "evaluate_every", "dtype")} for config in study.configs.values()
    ]
    more = {key: value for key, value in played[0].items() if value is not None and key not in differing(played)}
    return [(key, text(value)) for key, value in ({**tables[0], **more}).items() if key not in apart]


def text(value: Any) -> str:
    """A setting in words."""
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def curves(study: Study, metric: str) -> dict[str, Any]:
    """The data of the picker, ready for JSON: for each run its settings, and at most POINTS points of each curve."""
    names = [name for name in dict.fromkeys((metric, *CURVES)) if name in metrics.available(study.evaluations)]
    found = []
    states = dict(zip(study.runs["run"], study.runs["state"], strict=True))
    columns = {name: numbers(study.evaluations, name) for name in (*ACROSS, *names)}
    ends = np.flatnonzero(np.diff(pd.factorize(study.evaluations["run"])[0])) + 1
    for part in np.split(np.arange(len(study.evaluations)), ends):
        some = part[np.unique(np.linspace(0, len(part) - 1, POINTS).round().astype(int))]
        first = study.evaluations.iloc[int(part[0])]
        seed = study.configs[first["run"]].get("seed")
        found.append({
            "name": first["run"],
            "label": first["label"],
            "state": states[first["run"]],
            "settings": {"seed": text(seed), **{key: text(v) for key, v in study.settings[first["run"]].items()}},
            **{name: _short(values[some]) for name, values in columns.items()},
        })  # fmt: skip
    titles = {name: metrics.title(name).replace("\n", " ") for name in names}
    return {"metrics": titles, "first": metric, "runs": found}


def _short(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]


def embedded(path: Path) -> str:
    """An image as a data URL, so that the page needs no other file."""
    kind = {".png": "image/png", ".gif": "image/gif"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
