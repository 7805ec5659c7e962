"""Studies, folders of runs and single runs as tables: one row an evaluation, and one row a run."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfedsam.analysis.labels import labels, settings
from dfedsam.analysis.run_table import data_names, run_row, topology_names, variants
from dfedsam.analysis.runs import REFERENCE, folder_names, read_config, read_metrics, read_references
from dfedsam.analysis.theory_columns import Theory

# Columns of a run that each of its evaluations bears, too
BESIDE = (
    "run", "label", "seed", "state", "topology", "peers", "data", "algorithm", "variant", "gossip", "steps", "lr",
    "local_steps", "heterogeneity", "heterogeneity_of", "lambda_q", "gap", "biased",
    "degree_round_mean", "degree_round_max",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Study:
    """What was read.

    Attributes:
        name: what a title calls it.
        runs: one row a run: `run`, `folder`, `label` (the same for seeds of the same settings), `state` ("done",
            "unfinished" or "failed"), `round`, `rounds`, `reason` (why it failed), settings and figures of its topology
            (`analysis.run_table`), and theory (`analysis.theory_columns`).
        evaluations: one row an evaluation: the columns of metrics.jsonl and references.json, `error_local` = error +
            consensus_distance, which is (1/n) Σ‖x_i − x*‖², `consensus_theory`, and BESIDE.
        settings: the settings of each run, by its name.
        configs: the same as they were read.
        notes: what could not be read, or only as far as it goes, a sentence each.
    """

    name: str
    runs: pd.DataFrame
    evaluations: pd.DataFrame
    settings: dict[str, dict[str, Any]]
    configs: dict[str, dict[str, Any]]
    notes: list[str] = field(default_factory=list)


def read_study(folders: Iterable[Path | str]) -> Study:
    """Read studies, folders of runs, or runs, finished or not; of what is broken as much as can be read.

    Args:
        folders: a study (it has `runs/`, maybe `failed/`), a folder of run folders, or a run's folder; what is given
            twice is read once.

    Raises:
        ValueError: if no folder is given, one is neither study nor run, or no run has a row yet.
    """
    paths = list({Path(folder).resolve(): Path(folder) for folder in folders}.values())
    if not paths:
        raise ValueError("folders is empty: at least one study or run is needed; name one, such as studies/ablation")
    notes: list[str] = []
    found = list({run.resolve(): run for path in paths for run in find_runs(path)}.values())
    failed = {file.stem: _reason(file) for path in paths for file in sorted((path / "failed").glob("*.json"))}
    read = [(path, *each) for path in found if (each := _read_run(path, notes)) is not None]
    names = folder_names([path for path, *_ in read])
    configs = [config for _, config, _, _ in read]
    tables = [settings(config) for config in configs]
    theory, rows, lines, counts, courses = Theory(), [], [], [], []
    graphs = topology_names(configs, tables)
    for (path, config, metrics, references), name, label, table, graph, data, variant in zip(
        read, names, labels(configs, names), tables, graphs, data_names(tables), variants(tables), strict=True
    ):
        row = {"run": name, "label": label, "topology": graph, "data": data, "variant": variant}
        row |= {"folder": str(path), "reason": ""}
        row |= run_row(path, config, table, metrics, notes)
        if row["state"] != "done" and path.name in failed:
            row |= {"state": "failed", "reason": failed[path.name]}
        figures, course = theory.columns(row, config, table, [line["round"] for line in metrics])
        rows.append({**row, **figures, **{REFERENCE + key: value for key, value in references.items()}})
        lines += metrics
        counts.append(len(metrics))
        courses.append(course)
    if not lines:
        raise ValueError(f"{paths[0]} has no run with an evaluation: nothing can be shown yet; wait for the first one")
    there = {path.name for path, *_ in read}
    lost = [{"run": name, "label": name, "state": "failed", "reason": reason, "round": 0}
            for name, reason in failed.items() if name not in there]  # fmt: skip
    runs = pd.DataFrame(rows)
    return Study(
        name=", ".join(path.resolve().name for path in paths[:3]) + (", …" if len(paths) > 3 else ""),
        runs=pd.concat([runs, pd.DataFrame(lost)], ignore_index=True) if lost else runs,
        evaluations=_evaluations(lines, runs, np.repeat(np.arange(len(rows)), counts), np.concatenate(courses)),
        settings=dict(zip(names, tables, strict=True)),
        configs=dict(zip(names, configs, strict=True)),
        notes=[*notes, *theory.notes],
    )


def find_runs(folder: Path) -> list[Path]:
    """The run folders in a study, in a folder of runs, or the run itself, by name.

    Raises:
        ValueError: if it is none of these.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is {'a file' if folder.exists() else 'not there'}: it must be a study or a run")
    if (folder / "config.yaml").is_file() or (folder / "metrics.jsonl").is_file():
        return [folder]
    inside = folder / "runs" if (folder / "runs").is_dir() else folder
    runs = sorted(path.parent for name in ("config.yaml", "metrics.jsonl") for path in inside.glob(f"*/{name}"))
    if not runs:
        raise ValueError(
            f"{folder} is no study and no run: it has no runs/ with runs in it, and no config.yaml of its own; name a "
            "folder that dfedsam sweep or dfedsam run wrote"
        )
    return list(dict.fromkeys(runs))


def _read_run(path: Path, notes: list[str]) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, float]] | None:
    """Settings, evaluations and references; None, and a note, where the folder holds too little to be shown."""
    try:
        if not (path / "metrics.jsonl").is_file() and (path / "config.yaml").is_file():
            notes.append(f"{path} has no metrics.jsonl yet: it has just started")
            return None
        return read_config(path), read_metrics(path, notes), read_references(path, notes)
    except (ValueError, OSError) as error:
        notes.append(f"{error}; the run is left out")
        return None


def _reason(path: Path) -> str:
    """Why a run failed, from the study's failed/."""
    try:
        found = json.loads(path.read_bytes())
        return str(found.get("error") or f"exit status {found.get('status')}")
    except (ValueError, AttributeError, OSError):
        return f"{path.name} cannot be read"


def _evaluations(
    lines: list[dict[str, Any]], runs: pd.DataFrame, codes: np.ndarray, course: np.ndarray
) -> pd.DataFrame:
    frame = pd.DataFrame(lines)
    if {"error", "consensus_distance"} <= set(frame):
        frame["error_local"] = frame["error"] + frame["consensus_distance"]
    beside = [
        *(name for name in BESIDE if name in runs),
        *(name for name in map(str, runs) if name.startswith(REFERENCE)),
    ]
    columns = {name: runs[name].to_numpy()[codes] for name in beside}
    return pd.concat([pd.DataFrame(columns), frame.drop(columns=beside, errors="ignore")], axis=1).assign(
        consensus_theory=course
    )
