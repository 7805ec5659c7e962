"""Names of runs in figures and tables: the settings in which they differ, in the papers' notation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Settings = dict[str, Any]

# How a run was executed: runs that differ only in these are the same experiment
EXECUTION = {
    "rounds", "evaluate_every", "evaluate_local", "checkpoint_every", "out", "ranks", "resume", "references", "cosine",
    "metrics", "placement", "format", "version", "versions",
}  # fmt: skip
BASE = ("algorithm", "topology", "peers")
NAMED = ("topology", "algorithm", "clock", "peers")  # plug-ins whose options have a name or a variant of their own
# Settings that papers write as a letter or another word
LETTERS = {
    "algorithm.gossip.steps": "Q", "algorithm.local_steps": "K", "algorithm.rho": "ρ", "algorithm.momentum": "β",
    "algorithm.estimator.mu": "μ", "algorithm.estimator.directions": "q", "objective.split.alpha": "α",
    "adversary.peers": "attackers", "privacy.epsilon": "ε", "privacy.delta": "δ",
}  # fmt: skip
_LONGEST = 30  # maximum of characters of a value in a label


def settings(config: Mapping[str, Any]) -> Settings:
    """A configuration as one flat table, without seeds and execution settings.

    A plug-in `{class_path, init_args}` becomes its name, and its options follow under dotted keys:
    `{"algorithm": "dfedsam", "algorithm.rho": 0.05, …}`.
    """
    flat = _flat(config)
    if flat.get("privacy.epsilon") is not None:
        flat.pop("privacy.noise", None)  # it follows from the budget
    experiment = (key for key in flat if key.split(".")[0] not in EXECUTION and key.rsplit(".", 1)[-1] != "seed")
    return {key: flat[key] for key in experiment}


def base_label(table: Settings) -> str:
    """Algorithm, topology and size, such as "dfedsam, ring, 16 peers"; missing settings are omitted."""
    return ", ".join(_base(key, table) for key in BASE if table.get(key) is not None)


def labels(configs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """One label per run: equal for seeds of the same settings, different for everything else.

    A label is algorithm, topology and size, followed by the other settings in which the runs differ, and by the run's
    folder name if two runs have the same settings and seed, as when an experiment was run twice.
    """
    tables = [settings(config) for config in configs]
    varying = differing(tables)
    texts, same = [], defaultdict(list)
    for config, table, name in zip(configs, tables, names, strict=True):
        others = [setting(key, value) for key, value in table.items() if key in varying and key not in BASE]
        texts.append(", ".join([base_label(table) or name, *others]))
        same[texts[-1]].append((str(config.get("seed")), table))
    ambiguous = {label for label, runs in same.items() if not _are_seeds(runs)}
    return [f"{label} ({name})" if label in ambiguous else label for label, name in zip(texts, names, strict=True)]


def legend(tables: Sequence[Settings], fallback: Sequence[str]) -> tuple[list[str], str]:
    """The legend's names of runs, their varying settings, such as "ring, Q = 4", and the title that they share.

    `tables` has the settings of one run per label; `fallback` are labels for runs that settings do not distinguish.
    """
    varying = differing(tables)
    keys = [*BASE, *(key for key in dict.fromkeys(key for table in tables for key in table) if key not in BASE)]
    keys = [key for key in keys if key in varying]
    names = [", ".join(_part(key, table) for key in keys if table.get(key) is not None) for table in tables]
    common = base_label({key: value for key, value in tables[0].items() if key not in varying})
    if len(set(names)) < len(set(fallback)) or not all(names):
        return list(fallback), ""
    return names, common


def differing(tables: Iterable[Settings]) -> set[str]:
    """The settings that distinguish tables.

    An option of a plug-in counts if its values differ, or if some tables with the same plug-in lack it; tables with
    different plug-ins are distinguished by these.
    """
    tables = list(tables)
    return {key for key in {key for table in tables for key in table} if _differs(key, tables)}


def _differs(key: str, tables: Sequence[Settings]) -> bool:
    having = [table for table in tables if key in table]
    if any(table[key] != having[0][key] for table in having):
        return True
    parent = key.rpartition(".")[0]
    plugins = {str(table.get(parent)) for table in having}
    return any(key not in table and str(table.get(parent)) in plugins for table in tables)


def setting(key: str, value: Any) -> str:
    """A setting in words, such as "Q = 4" or "lr = 0.05"; for a plug-in only its name."""
    name = LETTERS.get(key, key.partition(".")[2] or key)
    text = value_text(value)
    if len(text) > _LONGEST:
        return f"other {name}"
    return text if key in ("objective", "dtype") else f"{name} = {text}"


def value_text(value: Any) -> str:
    """A value of a setting in words."""
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def topology_names(tables: Sequence[Settings]) -> list[str]:
    """The name of each run's topology, with the options that distinguish it from others of that name."""
    return _names_within(tables, "topology", lambda table: _base("topology", table), set())


def variants(tables: Sequence[Settings], kind: str, columns: Collection[str] = ()) -> list[str | None]:
    """The options that distinguish each run's plug-in of a kind from others of its name, except `columns`.

    None: there is no such option, or all are unset.
    """
    set_ones = [{key: value for key, value in table.items() if value is not None} for table in tables]
    names = _names_within(set_ones, kind, lambda _: "", set(columns))
    return [name.removeprefix(", ") or None for name in names]


def others(tables: Sequence[Settings], columns: Collection[str]) -> list[str | None]:
    """The settings that distinguish runs, but for `columns` and the options of NAMED; None: there is none.

    Options of an objective that follow from its data set, such as class words, are left out.
    """
    varying = {key for key in differing(tables) - set(columns) if key.partition(".")[0] not in NAMED}
    groups: dict[str, list[Settings]] = defaultdict(list)
    for table in tables:
        groups[str(table.get("objective.data"))].append(table)
    if len(groups) > 1:
        within = {key for members in groups.values() for key in differing(members)}
        varying = {key for key in varying if key in within or not key.startswith("objective.")}
    words = [", ".join(setting(key, value) for key, value in table.items() if key in varying) for table in tables]
    return [text or None for text in words]


def data_names(tables: Sequence[Settings]) -> list[str | None]:
    """The name of each run's data set, if they differ; a file train.csv is named after its folder."""
    paths = [table.get("objective.data") for table in tables]
    if len(set(paths)) < 2:
        return [None] * len(paths)
    return [None if path is None else _data(Path(str(path))) for path in paths]


def folder_names(paths: Sequence[Path]) -> list[str]:
    """The names of runs: their folders' names, or whole paths if two are equal."""
    names = [path.resolve().name for path in paths]
    count = Counter(names)
    return [name if count[name] == 1 else str(path) for name, path in zip(names, paths, strict=True)]


def _names_within(tables: Sequence[Settings], kind: str, name: Any, left_out: set[str]) -> list[str]:
    options = [{key: value for key, value in table.items() if key.startswith(f"{kind}.")} for table in tables]
    groups: dict[str, list[Settings]] = defaultdict(list)
    for table, row in zip(tables, options, strict=True):
        groups[str(table.get(kind))].append(row)
    varying = {group: differing(members) - left_out for group, members in groups.items()}
    return [
        ", ".join([name(table), *(setting(k, v) for k, v in row.items() if k in varying[str(table.get(kind))])])
        for table, row in zip(tables, options, strict=True)
    ]


def _are_seeds(runs: Sequence[tuple[str, Settings]]) -> bool:
    """Whether runs, as seed and settings, are one experiment's: distinct seeds, and no other difference."""
    return len({seed for seed, _ in runs}) == len(runs) and all(table == runs[0][1] for _, table in runs)


def _part(key: str, table: Settings) -> str:
    return _base(key, table) if key in BASE else setting(key, table[key])


def _base(key: str, table: Settings) -> str:
    value = table.get(key)
    if key == "peers":
        return f"{value} peers"
    if key == "topology" and value in ("from_file", "from_weights"):
        return Path(str(table.get("topology.path", "graph from a file"))).name
    if key == "topology" and value == "from_edges":
        return "own graph"
    return "unknown" if value is None else str(value).replace("_", " ") if key == "topology" else str(value)


def _data(path: Path) -> str:
    return path.parent.name if path.stem in ("train", "data") and path.parent.name else path.stem


def _flat(tree: Mapping[str, Any], above: str = "") -> Settings:
    flat: Settings = {}
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and "class_path" in value:
            flat[name] = str(value["class_path"]).rsplit(".", 1)[-1]
            arguments = value.get("init_args")
            flat.update(_flat(arguments if isinstance(arguments, Mapping) else {}, f"{name}."))
        elif isinstance(value, Mapping):
            flat.update(_flat(value, f"{name}."))
        else:
            flat[name] = value
    return flat
