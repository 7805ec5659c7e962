"""`dfedsam topology`: measures one topology, or compares several."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from pathlib import Path

from dfedsam.errors import OptionError
from dfedsam.launch import help, tables, topology_metrics
from dfedsam.launch.arguments import Pair
from dfedsam.launch.topology_rows import Row, add_attackers, measure
from dfedsam.validation import whole_number


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
            or a GML or JSON file, with a peer at each site unless --peers says otherwise.
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
        lists = (help.plugin_list(kind, kind) for kind in ("topology", "weights"))
        print(dumps(help.table()) if json else "\n\n".join(lists))
        return 0
    if not names:
        raise ValueError("topology is missing: name one, such as `dfedsam topology ring --peers 16`; --list shows all")
    whole_number("attackers", attackers, 0)
    whole_number("steps", steps, 1, "it is the number of gossip steps Q a round")
    if draw is not None and len(names) > 1:
        raise OptionError(
            "names", " ".join(names), "must be a single name, because draw takes one topology", "or leave draw out"
        )
    shared = {"peers": peers, "weights": weights, "objective": objective, "seed": seed}
    pairs = [(option, str(value)) for option, value in shared.items() if value is not None]
    found = measure(names, [*pairs, *_dotted], steps, underlay, message)
    if attackers:
        for row in found:
            add_attackers(row, attackers)
    if json:
        print(_as_json(found))
    elif csv:
        print(_as_csv(found), end="")
    else:
        _show(found)
    if draw is not None:
        print(_draw(found[0], draw))
    return 0


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
