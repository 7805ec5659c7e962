"""What a run is called in a figure: its algorithm, graph and size, and what else sets it apart from its neighbours."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# How a run was played, not what it studies: runs that differ in these alone are the same experiment.
ASIDE = {
    "rounds",
    "evaluate_every",
    "evaluate_local",
    "checkpoint_every",
    "out",
    "ranks",
    "resume",
    "references",
    "cosine",
    "version",
    "versions",
}
LONGEST = 30  # letters of a value that a label still shows


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as one flat table, without seeds and without how the run was played.

    A plug-in `{class_path, init_args}` becomes its short name, and its arguments follow under dotted keys:
    `{"algorithm": "DFedSAM", "algorithm.rho": 0.05, …}`.
    """
    return {
        key: value
        for key, value in _flat(config).items()
        if key.split(".")[0] not in ASIDE and key.rsplit(".", 1)[-1] != "seed"
    }


def base_label(config: Mapping[str, Any]) -> str:
    """Such as "DFedSAM, ring, 16 peers"; parts that the configuration lacks are left out."""
    flat = _flat(config)
    topology = flat.get("topology")
    if topology in ("from_file", "from_weights"):
        topology = Path(str(flat.get("topology.path", "graph from a file"))).name
    elif topology == "from_edges":
        topology = "own graph"
    peers = f"{flat['peers']} peers" if flat.get("peers") is not None else None
    return ", ".join(str(part) for part in (flat.get("algorithm"), topology, peers) if part is not None)


def labels(configs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """One label a run: equal for seeds of the same settings, different for everything else.

    Args:
        configs: the runs' configurations.
        names: the runs' folder names; used where the settings do not tell two runs apart, as when one was run twice.

    Returns:
        Labels, in the runs' order.
    """
    tables = [settings(config) for config in configs]
    bases = [base_label(config) or name for config, name in zip(configs, names, strict=True)]
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for table, base in zip(tables, bases, strict=True):
        groups[base].append(table)
    apart = {base: differing(group) for base, group in groups.items()}
    found = [", ".join([base, *differences(table, apart[base])]) for table, base in zip(tables, bases, strict=True)]
    same: dict[str, list[int]] = defaultdict(list)
    for i, label in enumerate(found):
        same[label].append(i)
    seeds = [_flat(config).get("seed") for config in configs]
    taken = {label for label, runs in same.items() if not _are_seeds(runs, seeds, tables)}
    return [f"{label} ({name})" if label in taken else label for label, name in zip(found, names, strict=True)]


def _are_seeds(runs: list[int], seeds: list[Any], tables: list[dict[str, Any]]) -> bool:
    """Whether runs of one label are seeds of one experiment: no seed twice, and no other setting that differs."""
    one = tables[runs[0]]
    return len({str(seeds[i]) for i in runs}) == len(runs) and all(tables[i] == one for i in runs)


def differing(tables: Sequence[dict[str, Any]]) -> set[str]:
    """The settings that not all tables share; one that a table lacks is not shared."""
    missing = object()
    keys = {key for table in tables for key in table}
    return {key for key in keys if any(table.get(key, missing) != tables[0].get(key, missing) for table in tables)}


def differences(table: dict[str, Any], apart: set[str]) -> list[str]:
    """The settings of `table` that are in `apart`, as "rho=0.05"; a plug-in's arguments only if it is shared."""
    keys = [key for key in table if key in apart]
    # An argument that this run's plug-in lacks but a rival's has is shown on the rival's side
    tops = [key for key in keys if not any(key.startswith(f"{other}.") for other in keys)]
    return [_setting(key, table[key]) for key in tops]


def _setting(key: str, value: Any) -> str:
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    name = key.split(".", 1)[-1]  # without the kind of plug-in: "rho", "gossip.steps"
    if len(shown) > LONGEST:
        return f"other {name}"
    return shown if key in ("objective", "dtype") else f"{name}={shown}"


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and "class_path" in value:
            flat[name] = str(value["class_path"]).rsplit(".", 1)[-1]
            flat.update(_flat(value.get("init_args") or {}, f"{name}."))
        elif isinstance(value, Mapping):
            flat.update(_flat(value, f"{name}."))
        else:
            flat[name] = value
    return flat
