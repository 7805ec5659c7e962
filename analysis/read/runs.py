"""Runs as tables: studies, folders of runs and single runs; one row per evaluation, and one row per run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dfedsam.analysis.read import labels
from dfedsam.analysis.read.labels import Settings
from dfedsam.errors import FileError, OptionError
from dfedsam.run_folder import (
    CONFIG,
    FAILED,
    METRICS,
    RUNS,
    SEARCH,
    SELECTION,
    RunFolder,
    divergence,
    is_run,
    read_failure,
)
from dfedsam.whole_files import load_object

REFERENCE = "reference."  # prefix of the columns that hold a run's references
# Columns of a run's row, and the settings that they hold
SETTINGS = {
    "algorithm": "algorithm", "gossip": "algorithm.gossip", "steps": "algorithm.gossip.steps",
    "compressor": "algorithm.gossip.compressor", "peers": "peers", "objective": "objective", "lr": "algorithm.lr",
    "rho": "algorithm.rho", "local_steps": "algorithm.local_steps",
}  # fmt: skip
HETEROGENEITY = {"objective.heterogeneity": "heterogeneity", "objective.split.alpha": "Dirichlet α"}
_COLUMNS = {*SETTINGS.values(), *HETEROGENEITY, "objective.split", "objective.data"}  # settings with a column
# Columns from topology.json: metrics of the spectrum of W, and theory's predictions
SPECTRUM = (
    "degree_mean", "degree_max", "degree_round_mean", "degree_round_max", "diameter", "mu_2", "lambda", "gap",
    "effective_neighbours", "vectors_per_round", "biased", "period",
)  # fmt: skip
THEORY = {
    "lambda_q": "lambda_q", "neighbours_q": "neighbours_q", "predicted_consensus": "consensus_distance",
    "predicted_error": "error", "rate": "rate",
}  # fmt: skip
# Columns of a run that are repeated in its evaluations
RUN_COLUMNS = (
    "run", "label", "cell", "seed", "state", "topology", "peers", "data", "algorithm", "variant", "clock", "other",
    "gossip", "steps", "lr", "rho", "local_steps", "heterogeneity", "heterogeneity_of", "lambda_q", "gap", "biased",
    "degree_round_mean", "degree_round_max",
)  # fmt: skip


class Run(NamedTuple):
    """What a run's folder holds."""

    path: Path
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    references: dict[str, float]
    topology: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A set of runs that are analysed together.

    Attributes:
        name: name of the study in titles.
        runs: one row per run: `run`, `folder`, `label` (the same for seeds of the same settings), `cell` (the same for
            runs that differ only in seed and learning rate), `state` ("done", "diverged", "unfinished" or "failed"),
            `round`, `rounds`, `reason` (of a failure), and the columns of SETTINGS, SPECTRUM and THEORY; unknown
            values are missing.
        evaluations: one row per evaluation: RUN_COLUMNS, the columns of metrics.jsonl and references.json,
            `error_local` = error + consensus_distance, which is (1/n) Σ‖x_i − x*‖², and `theory`, the predicted
            consensus distance.
        settings: the flat settings of each run, by its name.
        configs: the settings as in config.yaml.
        topologies: topology.json of each run; empty if it cannot be read.
        notes: warnings about unreadable inputs, one sentence each.
        searches: how a search chose the runs, if one did, as in a study's search/search.json: `option`, `metric`,
            `values`, and `cells` with `runs`, `means` and `chosen`.
    """

    name: str
    runs: pd.DataFrame
    evaluations: pd.DataFrame
    settings: dict[str, Settings]
    configs: dict[str, dict[str, Any]]
    topologies: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)


def read_runs(folders: Iterable[Path | str] | Path | str) -> pd.DataFrame:
    """The metrics of runs, finished or not, one row per evaluation: `Study.evaluations`, perhaps empty.

    It takes and raises what a strict `read_study` does.
    """
    return read_study(folders, strict=True).evaluations


def read_study(folders: Iterable[Path | str] | Path | str, *, strict: bool = False) -> Study:
    """Read studies, folders of runs, or runs, finished or not. This imports nothing that a file names.

    Args:
        folders: one or several studies (with `runs/` and possibly `failed/`), folders of runs, or runs, each read once.
        strict: raise an error for a damaged file instead of adding a note to `Study.notes`, and accept runs without any
            evaluation.

    Raises:
        ValueError: if there is no folder, one is neither study nor run, or (unless strict) no run has an evaluation.
        FileError: if strict, and a file cannot be read.
    """
    sources = [folders] if isinstance(folders, Path | str) else list(folders)
    paths = list({os.path.realpath(folder): Path(folder) for folder in sources}.values())
    if not paths:
        raise OptionError("folders", "empty", "must name a run or a study", "such as runs/a or studies/ablation")
    notes: list[str] = []
    run_paths = list({os.path.realpath(run): run for path in paths for run in find_runs(path)}.values())
    runs = [run for path in run_paths if (run := _read_run(path, notes, strict=strict)) is not None]
    if not strict and not any(run.rows for run in runs):
        raise FileError(paths[0], "has no run with an evaluation yet", "; ".join(notes) or "wait for the first one")
    failed = {file.stem: _reason(file) for path in paths for file in sorted((path / FAILED).glob("*.json"))}
    return _study(paths, runs, failed, notes)


def as_evaluations(
    name: str, config: dict[str, Any], rows: list[dict[str, Any]], topology: dict[str, Any]
) -> pd.DataFrame:
    """The metrics of a run in memory, as `read_runs` gives them for its folder: its name and what its files hold."""
    return _study([], [Run(Path(name), config, rows, {}, topology)], {}, []).evaluations


def find_runs(folder: Path) -> list[Path]:
    """The run folders in a study or in a folder of runs, or the run itself, by name.

    Raises:
        FileError: if it is none of these.
    """
    if not folder.is_dir():
        problem = f"must be a run or a study, but it {'is a file' if folder.exists() else 'does not exist'}"
        raise FileError(folder, problem, "fix the path")
    if is_run(folder):
        return [folder]
    inside = folder / RUNS if (folder / RUNS).is_dir() else folder
    runs = sorted(path for path in inside.iterdir() if path.is_dir() and is_run(path))
    if not runs:
        problem = f"must be a run or a study, but it has neither a {CONFIG} nor runs"
        raise FileError(folder, problem, "name a folder that dfedsam run or dfedsam sweep wrote")
    return runs


def _read_run(path: Path, notes: list[str], *, strict: bool) -> Run | None:
    """A run; None, with a note, if the folder holds too little."""
    folder = RunFolder(path)
    try:
        if strict:
            folder.expect(CONFIG, METRICS)
        elif folder.config.is_file() and not folder.metrics.is_file():
            notes.append(f"{path} has no {METRICS} yet: the run has just started")
            return None
        config = folder.read_config()
        rows = folder.read_metrics(None if strict else notes)
    except (FileError, OSError) as error:
        if strict:
            raise
        notes.append(f"{error}; the run is omitted")
        return None
    run = Run(path, config, rows, {}, {})
    try:
        run.references.update(folder.read_references())
    except FileError as error:
        notes.append(f"{error}; it is omitted")
    try:
        run.topology.update(folder.read_topology())
    except FileError as error:
        notes.append(f"{error}: the run has just started, or was written by another version")
    return run


def _study(paths: Sequence[Path], read: Sequence[Run], failed: dict[str, str], notes: list[str]) -> Study:
    names = labels.folder_names([run.path for run in read])
    configs = [run.config for run in read]
    tables = [labels.settings(config) for config in configs]
    rows = [
        {"run": name, "label": label, "topology": graph, "data": data, "variant": variant, "clock": clock}
        | {"other": other}
        | _row(run, table, failed, notes)
        for run, name, label, table, graph, data, variant, clock, other in zip(
            read, names, labels.labels(configs, names), tables, labels.topology_names(tables),
            labels.data_names(tables), labels.variants(tables, "algorithm", SETTINGS.values()),
            labels.variants(tables, "clock"), labels.others(tables, _COLUMNS), strict=True,
        )
    ]  # fmt: skip
    without = sum(not run.topology.get("theory") for run in read)
    if without:
        notes.append(f"{without} of {len(read)} runs have no theory in topology.json: they have no lines of theory")
    known = {run.path.name for run in read}
    lost = [
        {"run": name, "label": name, "state": "failed", "reason": reason, "round": 0}
        for name, reason in failed.items()
        if name not in known
    ]
    runs = pd.DataFrame(rows)
    return Study(
        name=", ".join(path.resolve().name for path in paths[:3]) + (", …" if len(paths) > 3 else ""),
        runs=pd.concat([runs, pd.DataFrame(lost)], ignore_index=True) if lost else runs,
        evaluations=_evaluations(read, runs),
        settings=dict(zip(names, tables, strict=True)),
        configs=dict(zip(names, configs, strict=True)),
        topologies={name: run.topology for name, run in zip(names, read, strict=True)},
        notes=notes,
        searches=[search for path in paths if (search := _search(path, notes)) is not None],
    )


def _row(run: Run, table: Settings, failed: Mapping[str, str], notes: list[str]) -> dict[str, Any]:
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
    if row["state"] == "done" and (grown := divergence(run.rows[0], last)):
        row |= {"state": "diverged", "reason": grown}
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
    spectrum, theory, gossip = (_mapping(run.topology.get(key)) for key in ("spectrum", "theory", "gossip"))
    unused = run.topology.get("unused") is True  # of an algorithm with a server, or without communication
    row |= {name: None if unused else spectrum.get(name) for name in SPECTRUM}
    row |= {name: theory.get(key) for name, key in THEORY.items()}
    if row["lambda_q"] is None and not row["biased"]:
        row["lambda_q"] = gossip.get("lambda_q")
    return row | {REFERENCE + name: value for name, value in run.references.items()}


def _mapping(value: Any) -> dict[str, Any]:
    """The value if it is a dictionary, else an empty one."""
    return value if isinstance(value, dict) else {}


def _search(path: Path, notes: list[str]) -> dict[str, Any] | None:
    """How a study's search chose its runs; None if there was none."""
    file = path / SEARCH / SELECTION
    if not file.parent.is_dir():
        return None
    with suppress(FileError):
        search = load_object(file)
        if {"option", "metric", "values", "cells"} <= search.keys():
            return search
    notes.append(f"{file} cannot be read: rerun the sweep to see how its search chose")
    return None


def _evaluations(read: Sequence[Run], runs: pd.DataFrame) -> pd.DataFrame:
    lines = [row for run in read for row in run.rows]
    codes = np.repeat(np.arange(len(read)), [len(run.rows) for run in read])
    added = [*(name for name in RUN_COLUMNS if name in runs), *(n for n in runs if str(n).startswith(REFERENCE))]
    columns = {name: runs[name].to_numpy()[codes] for name in added}
    frame = pd.DataFrame(lines)
    if {"error", "consensus_distance"} <= set(frame):
        frame["error_local"] = frame["error"] + frame["consensus_distance"]
    courses = [_course(run.topology) for run in read]
    predicted = [c.get(row["round"], np.nan) for c, run in zip(courses, read, strict=True) for row in run.rows]
    frame = pd.concat([pd.DataFrame(columns), frame.drop(columns=added, errors="ignore")], axis=1)
    return frame.assign(theory=np.array(predicted, dtype=np.float64))


def _course(topology: Mapping[str, Any]) -> dict[int, float]:
    """The predicted consensus distance by round."""
    course = _mapping(_mapping(topology.get("theory")).get("course"))
    return dict(zip(course.get("round", []), course.get("consensus_distance", []), strict=False))


def _reason(path: Path) -> str:
    """Why a run failed, from the study's failed/."""
    note = read_failure(path)
    return (
        f"{path.name} cannot be read" if note is None else str(note.get("error") or f"exit status {note.get('status')}")
    )
