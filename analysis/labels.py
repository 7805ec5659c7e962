"""What a run is called in a figure: its algorithm, graph and size, and what else sets it apart from its neighbours."""

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
    found = []
    for table, base in zip(tables, bases, strict=True):
        rivals = [other for other, its in zip(tables, bases, strict=True) if its == base]
        found.append(", ".join([base, *_differences(table, rivals)]))
    seeds = [_flat(config).get("seed") for config in configs]
    return [
        f"{label} ({name})" if _is_taken(i, found, seeds, tables) else label
        for i, (label, name) in enumerate(zip(found, names, strict=True))
    ]


def _is_taken(i: int, found: list[str], seeds: list[Any], tables: list[dict[str, Any]]) -> bool:
    """Whether another run of the same label is not just another seed of run i: the same seed, or other settings."""
    others = [j for j in range(len(found)) if j != i and found[j] == found[i]]
    return any(seeds[j] == seeds[i] or tables[j] != tables[i] for j in others)


def _differences(table: dict[str, Any], rivals: Sequence[dict[str, Any]]) -> list[str]:
    """The settings that not all rivals share, as "rho=0.05"; a plug-in's arguments only if the plug-in is shared."""
    missing = object()
    keys = [key for key in table if any(other.get(key, missing) != table[key] for other in rivals)]
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
