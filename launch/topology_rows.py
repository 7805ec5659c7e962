"""The rows of `dfedsam topology`: topologies by name with options, built, checked, measured, timed on an underlay."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam import registry
from dfedsam.errors import OptionError, one_line
from dfedsam.launch import arguments, options, signatures
from dfedsam.launch.arguments import Pair, Tree
from dfedsam.launch.signatures import MissingValue

if TYPE_CHECKING:
    from dfedsam.topologies import Topology

_SHARED = ("seed", "underlay", "message")  # options that are the same for all rows
_UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_ROUNDS = 200  # of a schedule whose time a round is measured, over the second half
_UNROLLED = 2000  # peers times rounds of a period up to which it is computed


@dataclass
class Row:
    """One topology: its name with the options that were set, and its metrics or the error."""

    name: str
    topology: Topology | None
    metrics: dict[str, Any]
    error: str = ""

    def values(self) -> dict[str, Any]:
        """Plain values for JSON and CSV."""
        return {"topology": self.name, **(self.metrics or {"error": self.error})}


def measure(
    names: Sequence[str], pairs: Sequence[Pair], steps: int, underlay: str | None = None, message: str = "1MB"
) -> list[Row]:
    """Build, check and measure topologies; if several are named, the row of one that cannot be built shows why.

    Args:
        names: names of the topologies, or their long form as YAML.
        pairs: options of the experiment, `weights` (a rule or several) and `weights.OPTION`, and `topology.OPTION`,
            which applies to those of several topologies that have it.
        steps: gossip steps Q a round.
        underlay: the physical network on which the time of a round is measured, if any.
        message: size of a message on it.

    Raises:
        OptionError: for an unknown name, or an option that none of the topologies has.
        ValueError: if none can be built.
    """
    if underlay is not None:
        pairs = _on_underlay(pairs, names, underlay, message)
    chosen = list(_choose(names, pairs))
    rows = [_row(one, steps, alone=len(chosen) == 1) for one in chosen]
    for row in rows:
        if underlay is not None and row.topology is not None:
            row.metrics["cycle_time"], exact = cycle_time(row.topology, underlay, size(message))
            row.metrics["approximate"] = [*row.metrics["approximate"], *([] if exact else ["cycle_time"])]
    if all(row.error for row in rows):
        raise ValueError(f"{rows[0].name}: {rows[0].error}")
    return rows


def _choose(names: Sequence[str], pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """The options of each topology, including its name."""
    rules = _rules([value for option, value in pairs if option == "weights"])
    inner = [(f"topology.{option}", value) for option, value in pairs if option.startswith("weights.")]
    topology_pairs = [pair for pair in pairs if pair[0].startswith("topology.")] + inner
    shared = [pair for pair in pairs if pair[0].partition(".")[0] not in ("topology", "weights")]
    used: set[str] = set()
    for name in names:
        known = _known(name)
        for rule in rules if "weights" in known or len(names) == 1 else [None]:
            name_pairs = [*topology_pairs, *([("topology.weights", rule)] if rule else [])]
            name_pairs = [pair for pair in name_pairs if len(names) == 1 or pair[0].split(".")[1] in known]
            used.update(option for option, _ in name_pairs)
            yield [*shared, ("topology", name), *name_pairs]
    left = [option for option, _ in topology_pairs if option not in used]
    if left:
        raise MissingValue(f"--{left[0]}", "is not an option of any of these topologies: --list shows those of each")


def _known(name: str) -> set[str]:
    form = arguments.as_tree([("topology", name)])["topology"]
    return set(signatures.plugin_options("topology", registry.find("topology", form["class_path"])))


def _row(pairs: list[Pair], steps: int, *, alone: bool) -> Row:
    from dfedsam import topologies

    tree = arguments.as_tree(pairs)
    arguments.expand_all(tree, code=True)  # reports unknown plug-ins before the label is made
    name, settings = label(tree["topology"]), options.read([], pairs)
    try:
        topology = options.build_topology(settings)
        topologies.verify(topology)
        return Row(name, topology, dict(topologies.spectrum(topology, steps)))
    except ValueError as error:
        if alone:
            raise
        return Row(name, None, {}, one_line(error))


def _on_underlay(pairs: Sequence[Pair], names: Sequence[str], underlay: str, message: str) -> list[Pair]:
    """The options with as many peers as the underlay has sites, and with it for the topologies made for one."""
    from dfedsam.topologies.underlay import read_underlay

    sites, known = len(read_underlay(underlay).sites), {option for option, _ in pairs}
    usual = {"peers": str(sites), "topology.underlay": underlay, "topology.message": str(size(message))}
    accepted = {"peers", *(f"topology.{option}" for name in names for option in _known(name))}
    return [*pairs, *((option, value) for option, value in usual.items() if option in accepted - known)]


def add_attackers(row: Row, count: int) -> None:
    """Add what is left of the topology where so many attackers harm most. Raises OptionError if they are too many."""
    import numpy as np

    from dfedsam.topologies import attackers

    if row.topology is None:
        return
    most = row.topology.n - 2
    if count > most:
        raise OptionError("attackers", count, f"must be at most {most}: two of {row.topology.n} peers stay honest")
    adjacency = attackers.links(row.topology)
    if adjacency is None:  # any two peers may meet
        row.metrics |= {"attackers": None, "honest_mu_2": None, "tolerated": None}
        return
    mask = attackers.worst_placement(adjacency, count)
    mu_2 = attackers.honest_connectivity(adjacency, mask)
    tolerated = max(0, math.ceil(mu_2 / 2 - 1e-9) - 1)
    row.metrics |= {"attackers": np.flatnonzero(mask).tolist(), "honest_mu_2": mu_2, "tolerated": tolerated}


def label(form: Tree) -> str:
    """The label of a topology: `grid`, `random_regular(degree=8)`, `friends.graphml`."""
    plugin = registry.find("topology", form["class_path"], kind=None)
    path = getattr(plugin, "keywords", {}).get("path")
    name = Path(path).name if path else registry.public_name(plugin)
    return _with_options(name, form)


def _with_options(name: str, form: Tree) -> str:
    options = {key: value for key, value in form.get("init_args", {}).items() if key not in _SHARED}
    written = [f"{key}={_written(key, value)}" for key, value in options.items()]
    return f"{name}({', '.join(written)})" if written else name


def _written(key: str, value: Any) -> str:
    if isinstance(value, dict) and "class_path" in value:
        return label(value) if registry.kind_of(key) == "topology" else _with_options(value["class_path"], value)
    return f"[{', '.join(_written('topology', item) for item in value)}]" if isinstance(value, list) else str(value)


def _rules(values: Sequence[str | None]) -> list[str | None]:
    """The weight rules in a value: `metropolis, lazy`, or a single rule, possibly in the long form."""
    if not values:
        return [None]
    value = values[-1]
    if not value:
        raise MissingValue("weights", "needs a value: --weights NAME")
    return [value] if value.lstrip().startswith("{") else [rule.strip() for rule in value.strip("[] ").split(",")]


def size(text: str) -> float:
    """Bytes in text such as 45MB. Raises OptionError if it is no size."""
    parts = re.fullmatch(r"(\d+(?:\.\d*)?(?:e\d+)?) ?(B|kB|MB|GB)?", text)
    if parts is None:
        raise OptionError("message", text, "must be a size, such as 45MB", "the units are B, kB, MB and GB")
    return float(parts[1]) * _UNITS[parts[2] or "B"]


def cycle_time(topology: Topology, underlay: str, message: float) -> tuple[float, bool]:
    """Seconds a round in the long run without computation, and whether that is exact; a message has so many bytes.

    Peers are at the first sites of the underlay, which is a name or a file.
    """
    import numpy as np

    from dfedsam import clock
    from dfedsam.topologies.underlay import cycle_time as largest_mean

    links = clock.UnderlayLinks(file=underlay)
    links.underlay.require_sites(topology.n, "underlay", underlay)
    time = clock.SynchronousTime(clock.Clock(compute=clock.Constant(mean=0), links=links), topology.n, seed=0)
    n, period = topology.n, topology.period
    if period is not None and (period == 1 or n * period <= _UNROLLED):
        senders, receivers, delays = ([], [], [])
        for t in range(period):  # from each peer in round t to those in the next one, and at no cost to itself
            edges = time.edges(topology.weights(t))
            senders += [t * n + edges.senders, t * n + np.arange(n)]
            receivers += [(t + 1) % period * n + edges.receivers, (t + 1) % period * n + np.arange(n)]
            delays += [links.seconds(edges, message), np.zeros(n)]
        return largest_mean(n * period, *map(np.concatenate, (senders, receivers, delays))), True
    starts = 0.0
    for t in range(_ROUNDS):
        time.advance(t, [(topology.weights(t), int(message))], np.zeros(topology.n), topology.participants(t))
        starts = time.metrics["time"] if t + 1 == _ROUNDS // 2 else starts
    return (time.metrics["time"] - starts) / (_ROUNDS - _ROUNDS // 2), False
