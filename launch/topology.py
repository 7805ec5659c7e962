"""`dfedsam topology`: measures one topology, or compares several."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.launch import arguments, build, cycle_times, lists, options, signatures, tables, topology_metrics
from dfedsam.launch.arguments import Pair, Tree
from dfedsam.launch.signatures import MissingValue
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from dfedsam import topologies


def topology(
    names: list[str] = [],  # noqa: B006  (read only)
    *,
    list: bool = False,
    peers: int | None = None,
    weights: str | None = None,
    objective: str | None = None,
    seed: int = 0,
    steps: int = 1,
    underlay: str | None = None,
    message: str = "1MB",
    attackers: int = 0,
    json: bool = False,
    csv: bool = False,
    draw: Path | None = None,
    _dotted: tuple[Pair, ...] = (),
) -> int:
    """List graphs and schedules, compare their spectral gaps, or draw one.

    Shows the metrics of a topology, or a table of several: degree, messages a round, λ and the spectral gap, effective
    neighbours n_W, and the rounds until the peers agree to 1e-6. A topology that has no graph of this size is marked in
    its row.

    Options of a topology follow a dot, such as --topology.rows 4, and so do those of a weight rule: --weights.share
    0.3. --topology.help NAME lists the options of one topology. With several topologies, an option applies to those
    that have it.

    Args:
        names: graphs or schedules (--list shows all), a graph's file, networkx.NAME, an import path, or
            {class_path: NAME, init_args: {OPTION: VALUE}}.
        list: list all topologies and weight rules, with their options.
        peers: number of peers (default: 16; graphs of fixed size and files have their own).
        weights: weight rule of the graphs, or several rules: metropolis,lazy.
        objective: objective whose data the topology uses, for topologies computed from data (stl_fw).
        seed: seed of random graphs and schedules.
        steps: gossip steps Q per round, at least 1.
        underlay: also show the seconds of a round on a physical network: gaia, aws_north_america, geant, exodus, ebone,
            or a GML file, with a peer at each site unless --peers says otherwise.
        message: size of a message on the underlay: 512kB, 45MB.
        attackers: also show the connectivity μ₂ of honest peers if so many peers attack where it harms most, and how
            many attackers around each peer robust gossip then withstands.
        json: print all metrics as JSON instead of a table.
        csv: print all metrics as CSV.
        draw: draw one topology and its spectrum into this file: .png, .pdf or .svg.

    Examples:
        dfedsam topology ring --peers 16
        dfedsam topology ring grid torus exponential one_peer_exponential base --peers 64
        dfedsam topology davis --weights metropolis,best_constant,fastest
        dfedsam topology grid --peers 16 --topology.rows 2 --steps 4 --draw grid.png
        dfedsam topology link_failures --topology.topology torus --topology.p 0.1
        dfedsam topology ring mst star complete --underlay geant --message 45MB
        dfedsam topology ring torus random_regular complete --peers 16 --attackers 2
        dfedsam topology friends.graphml --json
    """
    if list:
        tables = (lists.topologies_list(), "", lists.weights_list())
        print(dumps(lists.table()) if json else "\n".join(tables))
        return 0
    if not names:
        raise ValueError("topology is missing: name one, such as `dfedsam topology ring --peers 16`; --list shows all")
    whole_number("attackers", attackers, 0)
    whole_number("steps", steps, 1, "it is the number of gossip steps Q a round")
    if draw is not None and len(names) > 1:
        raise OptionError(
            "names", " ".join(names), "must be a single one, because draw takes one topology", "or leave draw out"
        )
    shared = {"peers": peers, "weights": weights, "objective": objective, "seed": seed}
    pairs = [(option, str(value)) for option, value in shared.items() if value is not None]
    found = _rows(names, [*pairs, *_dotted], steps, underlay, message)
    if attackers:
        for row in found:
            _add_attackers(row, attackers)
    if json:
        print(_as_json(found))
    elif csv:
        print(_as_csv(found), end="")
    else:
        _show(found)
    if draw is not None:
        print(_draw(found[0], draw))
    return 0


_SHARED = ("seed", "underlay", "message")  # options that are the same for all rows


@dataclass
class Row:
    """One topology: its name with the options that were set, and its metrics or the error."""

    name: str
    topology: topologies.Topology | None
    metrics: dict[str, Any]
    error: str = ""

    def values(self) -> dict[str, Any]:
        """Plain values for JSON and CSV."""
        return {"topology": self.name, **(self.metrics or {"error": self.error})}


def _rows(
    names: Sequence[str], pairs: Sequence[Pair], steps: int, underlay: str | None = None, message: str = "1MB"
) -> list[Row]:
    """Build, check and measure topologies; if several are named, the row of one that cannot be built shows why.

    Args:
        names: names of the topologies, or their long form as YAML.
        pairs: options of the experiment, `weights` (a rule or several) and `weights.OPTION`, and `topology.OPTION`,
            which applies to those of several topologies that have it.
        steps: gossip steps Q a round.
        underlay: the physical network on which the time of a round is measured, if any.
        message: size of a message on it, such as 45MB.

    Raises:
        OptionError: for an unknown name, or an option that none of the topologies has.
        ValueError: if none can be built.
    """
    if underlay is not None:
        pairs = _on_underlay(pairs, names, underlay, message)
    chosen = list(_choose(names, pairs))
    found = [_row(one, steps, alone=len(chosen) == 1) for one in chosen]
    if underlay is not None:
        for row in found:
            _add_time(row, underlay, message)
    if all(row.error for row in found):
        raise ValueError(f"{found[0].name}: {found[0].error}")
    return found


def _show(found: Sequence[Row]) -> None:
    """Print all metrics of one topology, or the table of several with notes below it."""
    if len(found) == 1:
        said = [] if found[0].topology is None else [f"note: {note}" for note in found[0].topology.notes]
        print("\n".join([found[0].name, *topology_metrics.lines(found[0].metrics), *said]))
        return
    columns = [*topology_metrics.COLUMNS.values()]
    columns += ["s a round"] if any("cycle_time" in row.metrics for row in found) else []
    columns += ["honest μ₂", "tolerated"] if any("honest_mu_2" in row.metrics for row in found) else []
    empty = ["–"] * len(columns)
    tables.show(
        ["topology", *columns, ""],
        [
            [row.name, *empty, "does not fit" if row.error.startswith("peers is") else "cannot be made"]
            if row.error
            else [row.name, *topology_metrics.row(row.metrics), "; ".join(topology_metrics.notes(row.metrics))]
            for row in found
        ],
    )
    for row in found:
        for said in [row.error] if row.topology is None else row.topology.notes:
            print(f"{row.name}: {said}")


def _as_json(found: Sequence[Row]) -> str:
    """All metrics as JSON; those of several topologies as a list."""
    values = [row.values() for row in found]
    return dumps(values[0] if len(values) == 1 else values)


def _as_csv(found: Sequence[Row]) -> str:
    """All metrics as CSV with a line of headers."""
    import pandas as pd

    table = pd.DataFrame([row.values() for row in found], dtype=object)
    return table.map(lambda item: " ".join(map(str, item)) if isinstance(item, list) else item).to_csv(index=False)


def _draw(row: Row, path: Path) -> Path:
    """Draw the topology of a row that has one, and its spectrum; returns the file."""
    from dfedsam.analysis import draw_topology, save

    assert row.topology is not None
    return save(draw_topology(row.topology), path)[0]


def _choose(names: Sequence[str], pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """The options of each topology, including its name."""
    rules = _rules([value for option, value in pairs if option == "weights"])
    inner = [(f"topology.{option}", value) for option, value in pairs if option.startswith("weights.")]
    own = [pair for pair in pairs if pair[0].startswith("topology.")] + inner
    shared = [pair for pair in pairs if pair[0].partition(".")[0] not in ("topology", "weights")]
    taken: set[str] = set()
    for name in names:
        known = _known(name)
        for rule in rules if "weights" in known or len(names) == 1 else [None]:
            mine = [*own, *([("topology.weights", rule)] if rule else [])]
            mine = [pair for pair in mine if len(names) == 1 or _head(pair) in known]
            taken.update(option for option, _ in mine)
            yield [*shared, ("topology", name), *mine]
    left = [option for option, _ in own if option not in taken]
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
        topology = build.topology(settings)
        topologies.verify(topology)
        return Row(name, topology, dict(topologies.spectrum(topology, steps)))
    except ValueError as error:
        if alone:
            raise
        return Row(name, None, {}, " ".join(str(error).split()))


def _on_underlay(pairs: Sequence[Pair], names: Sequence[str], underlay: str, message: str) -> list[Pair]:
    """The options with as many peers as the underlay has sites, and with it for the topologies made for one."""
    from dfedsam.topologies.underlay import read_underlay

    sites, known = len(read_underlay(underlay).sites), {option for option, _ in pairs}
    usual = {"peers": str(sites), "topology.underlay": underlay, "topology.message": str(cycle_times.size(message))}
    taken = {"peers", *(f"topology.{option}" for name in names for option in _known(name))}
    return [*pairs, *((option, value) for option, value in usual.items() if option in taken - known)]


def _add_time(row: Row, underlay: str, message: str) -> None:
    if row.topology is not None:
        row.metrics["cycle_time"], exact = cycle_times.cycle_time(row.topology, underlay, cycle_times.size(message))
        row.metrics["approximate"] = [*row.metrics["approximate"], *([] if exact else ["cycle_time"])]


def _add_attackers(row: Row, count: int) -> None:
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
    written = [
        f"{key}={_written(key, value)}" for key, value in form.get("init_args", {}).items() if key not in _SHARED
    ]
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


def _head(pair: Pair) -> str:
    """The topology's option that a pair sets: "weights" for `topology.weights.share`."""
    return pair[0].partition(".")[2].partition(".")[0]
