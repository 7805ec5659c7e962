"""A run as one row: where it stands, its settings, and the figures of its topology."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dfedsam.analysis.labels import base_label, differences, differing

# Columns of a run's row, and the settings (see `analysis.labels.settings`) that they hold
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
# Figures of topology.json's spectrum
FIGURES = (
    "degree_mean", "degree_max", "degree_round_mean", "degree_round_max", "diameter", "mu_2", "lambda", "gap",
    "effective_neighbours", "vectors_per_round", "biased",
)  # fmt: skip
HETEROGENEITY = {"objective.heterogeneity": "heterogeneity", "objective.split.alpha": "Dirichlet α"}


def run_row(
    folder: Path, config: Mapping[str, Any], table: Mapping[str, Any], metrics: Sequence[Mapping], notes: list[str]
) -> dict[str, Any]:
    """The row of one run; what an older or unfinished folder lacks is None.

    Args:
        folder: the run's.
        config: its config.yaml.
        table: the same, flat (`analysis.labels.settings`).
        metrics: its evaluations, in order.
        notes: where to say what cannot be read.
    """
    last, rounds = (metrics[-1]["round"] if metrics else 0), config.get("rounds")
    row: dict[str, Any] = {"seed": config.get("seed"), "rounds": rounds, "round": last}
    row["state"] = "done" if isinstance(rounds, int) and last >= rounds and metrics else "unfinished"
    row |= {column: table.get(key) for column, key in SETTINGS.items()}
    row |= {"heterogeneity": None, "heterogeneity_of": None}
    for key, name in HETEROGENEITY.items():
        if key in table:
            row |= {"heterogeneity": table[key], "heterogeneity_of": name}
    if table.get("objective.split") == "IID":
        row |= {"heterogeneity": float("inf"), "heterogeneity_of": HETEROGENEITY["objective.split.alpha"]}
    lacking = [key for key in ("topology", "peers", "algorithm", "rounds") if key not in config]
    if lacking:
        notes.append(f"{folder / 'config.yaml'} lacks {', '.join(lacking)}: is it of another version?")
    spectrum = _spectrum(folder, notes)
    return {**row, **{name: spectrum.get(name) for name in FIGURES}, "period": spectrum.get("period"),
            "symmetric": spectrum.get("lambda_min") is not None}  # fmt: skip


def topology_names(configs: Sequence[Mapping[str, Any]], tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each run's topology is called: its name, and those of its options that tell it from others of that name."""
    names = [_name(config) for config in configs]
    options = [{key: value for key, value in table.items() if key.startswith("topology.")} for table in tables]
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, table in zip(names, options, strict=True):
        groups.setdefault(name, []).append(table)
    apart = {name: differing(group) for name, group in groups.items()}
    found = []
    for name, table in zip(names, options, strict=True):
        more = [f"{key.removeprefix('topology.')}={value}" for key, value in table.items() if key in apart[name]]
        found.append(", ".join([name, *more]))
    return found


def variants(tables: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """What tells each run's algorithm from others of its name, beside the columns of SETTINGS; None: nothing does."""
    options = [
        {key: value for key, value in table.items() if key.startswith("algorithm.") and key not in SETTINGS.values()}
        for table in tables
    ]
    groups: dict[Any, list[dict[str, Any]]] = {}
    for table, own in zip(tables, options, strict=True):
        groups.setdefault(table.get("algorithm"), []).append(own)
    apart = {name: differing(group) for name, group in groups.items()}
    found = [differences(own, apart[table.get("algorithm")]) for table, own in zip(tables, options, strict=True)]
    return [", ".join(each) or None for each in found]


def data_names(tables: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """What each run's data set is called, where they differ: a file train.csv goes by its folder's name."""
    paths = [table.get("objective.data") for table in tables]
    if len(set(paths)) < 2:
        return [None] * len(paths)
    return [None if path is None else _data(Path(path)) for path in paths]


def _data(path: Path) -> str:
    return path.parent.name if path.stem in ("train", "data") and path.parent.name else path.stem


def _name(config: Mapping[str, Any]) -> str:
    return base_label({"topology": config["topology"]} if "topology" in config else {}).replace("_", " ") or "unknown"


def _spectrum(folder: Path, notes: list[str]) -> dict[str, Any]:
    path = folder / "topology.json"
    try:
        spectrum = json.loads(path.read_bytes())["spectrum"]
        return spectrum if isinstance(spectrum, dict) else {}
    except FileNotFoundError:
        notes.append(f"{folder} has no topology.json: the run has just started, or is of another version")
    except (ValueError, KeyError, TypeError, OSError):
        notes.append(f"{path} cannot be read, or has no spectrum: it is cut short, or of another version")
    return {}
