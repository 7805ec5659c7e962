"""Several topologies side by side: which ones, their figures, and the table of them."""

from __future__ import annotations

import csv as csv_format
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam.launch import explain, merge, names, options, tables, topology_figures, topology_options

if TYPE_CHECKING:
    from dfedsam import topologies


@dataclass
class Row:
    """One topology: its name with the options that were given, and its figures or why there are none."""

    name: str
    topology: topologies.Topology | None
    figures: dict[str, Any]
    error: str = ""

    def values(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"topology": self.name, **(self.figures or {"error": self.error})}


def choose(wanted: Sequence[str], own: Sequence[merge.Pair], weights: Sequence[merge.Pair]) -> list[merge.Tree]:
    """The topologies that are meant, in the long form with the options that were given.

    Args:
        wanted: their names, or the long form as YAML.
        own: options of theirs, such as ("topology.rows", "4"). Of several topologies each takes those that it has.
        weights: the rule or rules for graphs, and options of these, such as ("weights.share", "0.3").

    Raises:
        ValueError: for a name that is not known, or an option that none has.
    """
    rules = _rules([value for option, value in weights if option == "weights"])
    pairs = [*own, *((f"topology.{option}", value) for option, value in weights if option != "weights")]
    found, taken = [], set()
    for name in wanted:
        plain = merge.Merge(["topology"], {})
        plain.set("topology", name)
        known = explain.options(plain.plugin("topology"))
        for rule in rules if "weights" in known or len(wanted) == 1 else [None]:
            chosen = [("topology", name), *([("topology.weights", rule)] if rule else []), *pairs]
            mine = [pair for pair in chosen if len(wanted) == 1 or _head(pair) in ("", *known)]
            taken.update(option for option, _ in mine)
            experiment = merge.Merge(["topology"], {})
            for option, value in sorted(mine, key=lambda pair: (not names.is_kind(pair[0]), pair[0].count("."))):
                experiment.set(option, value)
            found.append(experiment.tree["topology"])
    left = [option for option, _ in pairs if option not in taken]
    if left:
        raise ValueError(f"--{left[0]} is not an option of any of these topologies: --list shows those of each")
    return found


def build(forms: Sequence[merge.Tree], settings: options.Settings, steps: int) -> list[Row]:
    """Build, check and measure topologies; of several, those that cannot be built say why in their row.

    Args:
        forms: as `choose` gives them.
        settings: the peers, the seed and the objective.
        steps: gossip steps Q a round.

    Raises:
        ValueError: if not a single one can be built.
    """
    from dfedsam import topologies

    rows = []
    for form in forms:
        typed = topology_options.typed("topology", form)
        try:
            topology = options.topology(options.Settings(settings.simulation, typed, settings.own))
            topologies.verify(topology)
            figures = topologies.spectrum(topology, steps)
        except ValueError as error:
            if len(forms) == 1:
                raise
            rows.append(Row(label(form), None, {}, " ".join(str(error).split())))
        else:
            rows.append(Row(label(form), topology, figures))
    if all(row.error for row in rows):
        raise ValueError(f"{rows[0].name}: {rows[0].error}")
    return rows


def show(rows: Sequence[Row]) -> None:
    """Print one topology's figures in full, or the table of several with what must be said of them below."""
    if len(rows) == 1:
        print("\n".join([rows[0].name, *topology_figures.lines(rows[0].figures)]))
        return
    headers = ["topology", *topology_figures.COLUMNS.values(), ""]
    empty = ["–"] * len(topology_figures.COLUMNS)
    tables.show(
        headers,
        [
            [row.name, *empty, "does not fit" if row.error.startswith("peers is") else "cannot be made"]
            if row.error
            else [row.name, *topology_figures.row(row.figures), "; ".join(topology_figures.notes(row.figures))]
            for row in rows
        ],
    )
    for row in rows:
        if row.error:
            print(f"{row.name}: {row.error}")


def csv(rows: Sequence[Row]) -> str:
    """All figures as CSV with a line of headers."""
    values = [row.values() for row in rows]
    keys = list(dict.fromkeys(key for value in values for key in value))
    text = io.StringIO()
    writer = csv_format.DictWriter(text, keys, lineterminator="\n")
    writer.writeheader()
    for value in values:
        writer.writerow({key: " ".join(item) if isinstance(item, list) else item for key, item in value.items()})
    return text.getvalue()


def label(form: merge.Tree) -> str:
    """A topology as one would call it: `grid`, `random_regular(degree=8)`, `friends.graphml`."""
    given = dict(form.get("init_args", {}))
    name = form["class_path"].rpartition(".")[2]
    if "path" in given and name in ("from_file", "from_weights", "weights_from_file"):
        name = Path(str(given.pop("path"))).name
    inside = ", ".join(f"{key}={text}" for key, value in given.items() for text in _written(key, value))
    return f"{name}({inside})" if inside else name


def _written(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and "class_path" in value:
        yield label(value)
    elif names.is_list(key) and isinstance(value, list):
        yield f"[{', '.join(label(item) for item in value)}]"
    elif value is not None and key != "seed":
        yield str(value)


def _rules(values: Sequence[str | None]) -> list[str | None]:
    """The weight rules that one value names: `metropolis, lazy`, or a single one, perhaps in the long form."""
    if not values:
        return [None]
    value = values[-1]
    if not value:
        raise ValueError("weights needs a value: --weights NAME")
    return [value] if value.lstrip().startswith("{") else [rule.strip() for rule in value.strip("[] ").split(",")]


def _head(pair: merge.Pair) -> str:
    """The topology's own option that a pair is about: "weights" of `topology.weights.share`."""
    return pair[0].partition(".")[2].partition(".")[0]
