"""The row of one run in a study: its state, settings, spectrum and theory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dfedsam.analysis.read.labels import Settings
from dfedsam.run_folder import CONFIG

REFERENCE = "reference."  # prefix of the columns that hold a run's references
# Columns of a run's row, and the settings that they hold
SETTINGS = {
    "algorithm": "algorithm",
    "gossip": "algorithm.gossip",
    "steps": "algorithm.gossip.steps",
    "compressor": "algorithm.gossip.compressor",
    "peers": "peers",
    "objective": "objective",
    "lr": "algorithm.lr",
    "rho": "algorithm.rho",
    "local_steps": "algorithm.local_steps",
}
HETEROGENEITY = {"objective.heterogeneity": "heterogeneity", "objective.split.alpha": "Dirichlet α"}
# Columns from topology.json: metrics of the spectrum of W, and theory's predictions
SPECTRUM = (
    "degree_mean", "degree_max", "degree_round_mean", "degree_round_max", "diameter", "mu_2", "lambda", "gap",
    "effective_neighbours", "vectors_per_round", "biased", "period",
)  # fmt: skip
THEORY = {
    "lambda_q": "lambda_q", "neighbours_q": "neighbours_q", "predicted_consensus": "consensus_distance",
    "predicted_error": "error", "rate": "rate",
}  # fmt: skip


class Run(NamedTuple):
    """What a run's folder holds."""

    path: Path
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    references: dict[str, float]
    topology: dict[str, Any]


def run_row(run: Run, table: Settings, failed: Mapping[str, str], notes: list[str]) -> dict[str, Any]:
    """The row of one run; values that an older or unfinished folder lacks are None."""
    last, rounds = (run.rows[-1] if run.rows else {"round": 0}), run.config.get("rounds")
    row: dict[str, Any] = {"folder": str(run.path), "seed": run.config.get("seed"), "rounds": rounds}
    row |= {"round": last["round"], "state": "unfinished", "reason": ""}
    until = run.config.get("until")
    if isinstance(until, int | float) and last.get("time", 0) >= until:  # ended by its clock, not by its rounds
        row |= {"state": "done", "rounds": None}
    elif run.rows and isinstance(rounds, int) and last["round"] >= rounds:
        row["state"] = "done"
    elif run.path.name in failed:
        row |= {"state": "failed", "reason": failed[run.path.name]}
    if row["state"] == "done" and not np.isfinite(last.get("loss", 0.0)):
        row |= {"state": "diverged", "reason": "the loss is not finite"}
    row |= {column: table.get(key) for column, key in SETTINGS.items()}
    row["cell"] = json.dumps({**table, "algorithm.lr": None}, sort_keys=True, default=str)
    row |= {"heterogeneity": None, "heterogeneity_of": None}
    for key, name in HETEROGENEITY.items():
        if key in table:
            row |= {"heterogeneity": table[key], "heterogeneity_of": name}
    if table.get("objective.split") == "iid":
        row |= {"heterogeneity": float("inf"), "heterogeneity_of": HETEROGENEITY["objective.split.alpha"]}
    lacking = [key for key in ("topology", "peers", "algorithm", "rounds") if key not in run.config]
    if lacking:
        notes.append(f"{run.path / CONFIG} lacks {', '.join(lacking)}: was it written by another version?")
    spectrum, theory, gossip = (mapping(run.topology.get(key)) for key in ("spectrum", "theory", "gossip"))
    row |= {name: spectrum.get(name) for name in SPECTRUM}
    row |= {name: theory.get(key) for name, key in THEORY.items()}
    if row["lambda_q"] is None and not row["biased"]:
        row["lambda_q"] = gossip.get("lambda_q")
    return row | {REFERENCE + name: value for name, value in run.references.items()}


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a dictionary, else an empty one."""
    return value if isinstance(value, dict) else {}
