"""`dfedsam topology`: measures one topology, or compares several, and shows their metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

from dfedsam.errors import OptionError
from dfedsam.launch import help, tables
from dfedsam.launch.arguments import Pair
from dfedsam.launch.topology_rows import Row, add_attackers, measure
from dfedsam.options import whole_number


class _Metric(NamedTuple):
    """How a metric is shown: name with its unit, and number format; in a table its title and a shorter format."""

    name: str
    form: str
    column: str = ""  # without a title it has no column
    short: str = ""


METRICS = {  # by their keys in `topologies.spectrum`
    "n": _Metric("peers", "{:,}", "peers"),
    "edges": _Metric("edges", "{:,}"),
    "degree_min": _Metric("smallest degree", "{}"),
    "degree_mean": _Metric("mean degree", "{:.4g}"),
    "degree_max": _Metric("largest degree", "{}"),
    "diameter": _Metric("diameter, in edges", "{}"),
    "mu_2": _Metric("Laplacian μ₂ (algebraic connectivity)", "{:.5g}"),
    "mu_n": _Metric("Laplacian μ_n", "{:.5g}"),
    "degree_round_mean": _Metric("mean degree a round", "{:.4g}", "degree", "{:.3g}"),
    "degree_round_max": _Metric("largest degree a round", "{}", "max"),
    "vectors_per_round": _Metric("messages a round, one vector each", "{:,.1f}", "messages a round"),
    "lambda": _Metric("λ", "{:.6f}", "λ", "{:.4f}"),
    "periodic_rate": _Metric("rate of a period", "{:.6f}"),
    "sigma_2": _Metric("σ₂", "{:.6f}"),
    "rho": _Metric("ρ", "{:.6f}"),
    "gap": _Metric("gap 1 − λ", "{:.5g}", "gap", "{:.3g}"),
    "gap_2": _Metric("1 − λ₂", "{:.5g}"),
    "gap_squared": _Metric("1 − λ²", "{:.5g}"),
    "lambda_2": _Metric("λ₂", "{:.6f}"),
    "lambda_min": _Metric("λ_min", "{:.6f}"),
    "lambda_q": _Metric("λ of Q steps", "{:.6f}"),
    "contraction": _Metric("λ_max(E[WᵀW] − J)", "{:.6f}"),
    "effective_neighbours": _Metric("effective neighbours n_W(0.9)", "{:.3f}", "n_W", "{:.2f}"),
    "finite_time": _Metric("rounds to the exact mean", "{:,}"),
    "rounds_to_1e-6": _Metric("rounds to 1e-6", "{:,}", "rounds to 1e-6"),
    "mixing_time": _Metric("mixing time, in rounds", "{:,}"),
    # Of an underlay, and of attackers, if there are any
    "cycle_time": _Metric("seconds a round on the underlay", "{:.4g}", "s a round"),
    "attackers": _Metric("attackers where they harm most", "{}"),
    "honest_mu_2": _Metric("μ₂ of the honest peers' graph", "{:.5g}", "honest μ₂"),
    "tolerated": _Metric("attackers around each peer that robust gossip withstands (f < μ₂/2)", "{}", "tolerated"),
}
_SCHEDULE = ("degree_round_mean", "degree_round_max", "periodic_rate")  # only for schedules
_SAME = ("sigma_2", "rho", "periodic_rate")  # equal to λ for a symmetric W or a period of them


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
    _check_drawing(draw, names)
    shared = {"peers": peers, "weights": weights, "objective": objective, "seed": seed}
    pairs = [(option, str(value)) for option, value in shared.items() if value is not None]
    rows = measure(names, [*pairs, *_dotted], steps, underlay, message)
    if draw is not None and len(rows) > 1:
        raise OptionError("weights", weights, "must be a single rule, because draw takes one topology")
    if attackers:
        for row in rows:
            add_attackers(row, attackers)
    values = [row.values() for row in rows]
    if json:
        print(dumps(values[0] if len(values) == 1 else values))
    elif csv:
        print(_as_csv(values), end="")
    else:
        _show(rows)
    if draw is not None and rows[0].topology is not None:
        from dfedsam.analysis import draw_topology, save

        print(save(draw_topology(rows[0].topology), draw)[0])
    return 0


def _check_drawing(path: Path | None, names: Sequence[str]) -> None:
    """Raise OptionError for a file that cannot be drawn, or for several topologies, of which none would be."""
    if path is None:
        return
    if len(names) > 1:
        rule = "must be a single name, because draw takes one topology"
        raise OptionError("names", " ".join(names), rule, "or leave draw out")
    from dfedsam.analysis import check_format

    check_format(path, "draw")


def _show(measured: Sequence[Row]) -> None:
    """Print all metrics of one topology, or the table of several with notes below it."""
    if len(measured) == 1:
        notes = [] if measured[0].topology is None else [f"note: {note}" for note in measured[0].topology.notes]
        print("\n".join([measured[0].name, *_lines(measured[0].metrics), *notes]))
        return
    known = {key for row in measured for key in row.metrics}
    columns, rows = {key: metric for key, metric in METRICS.items() if metric.column and key in known}, []
    for row in measured:
        if row.error:
            why = "does not fit" if row.error.startswith("peers is") else "cannot be made"
            rows.append([row.name, *("–" for _ in columns), why])
        else:
            cells = (_cell(row.metrics, key, metric.short) for key, metric in columns.items())
            rows.append([row.name, *cells, "; ".join(_notes(row.metrics))])
    tables.show(["topology", *(metric.column for metric in columns.values()), ""], rows)
    for row in measured:
        for text in [row.error] if row.topology is None else row.topology.notes:
            print(f"{row.name}: {text}")


def _lines(metrics: dict[str, Any]) -> list[str]:
    """Every metric that is known, one per line; equal ones share a line."""
    same = [key for key in _SAME if metrics[key] is not None and _equal(metrics[key], metrics["lambda"])]
    left = {*same, *(["lambda_q"] if metrics["steps"] == 1 else []), *(_SCHEDULE if metrics["period"] == 1 else [])}
    names = {key: metric.name for key, metric in METRICS.items() if key in metrics and key not in left}
    names["lambda"] = " = ".join(["λ", *(METRICS[key].name for key in same if key != "periodic_rate")])
    if "lambda_q" in names:
        names["lambda_q"] = f"λ of Q = {metrics['steps']} steps"
    shown = [(name, cell) for key, name in names.items() if (cell := _cell(metrics, key)) != "–"]
    width = max(len(name) for name, _ in shown)
    period = metrics["period"]
    when = "W redrawn in each round" if period is None else "the same W in every round" if period == 1 else ""
    kind = (when or f"{period} matrices in turn") + (", directed" if metrics["directed"] else "")
    return [*(f"{name:<{width}}  {cell}" for name, cell in shown), "; ".join([kind, *_notes(metrics)])]


def _notes(metrics: dict[str, Any]) -> list[str]:
    """Short notes on the topology."""
    notes = []
    if metrics["biased"]:
        notes.append("biased: only rows sum to one")
    if metrics["sums"] == "columns":
        notes.append("needs push-sum")
    if metrics["finite_time"] is not None:
        rounds = metrics["finite_time"]
        notes.append(f"exact after {rounds:,} round{'s' if rounds > 1 else ''}")
    return notes


def _cell(metrics: dict[str, Any], key: str, form: str = "") -> str:
    """A metric as text; – where it has no meaning or would take too long."""
    value = metrics[key]
    if value is None:
        return "–"
    if isinstance(value, float) and abs(value) < 1e-12:
        value = 0.0  # rounding errors
    text = (form or METRICS[key].form).format(value)
    if key == "contraction" and metrics["contraction_stderr"]:
        return f"{text} ± {metrics['contraction_stderr']:.1g}".replace("-", "−")
    text = text.removesuffix(".0") if key == "vectors_per_round" else text
    return ("≈ " if key in metrics["approximate"] else "") + text.replace("-", "−")


def _equal(a: float, b: float | None) -> bool:
    return b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def _as_csv(values: Sequence[dict[str, Any]]) -> str:
    """All metrics as CSV with a line of headers."""
    import pandas as pd

    table = pd.DataFrame(values, dtype=object)
    return table.map(lambda item: " ".join(map(str, item)) if isinstance(item, list) else item).to_csv(index=False)
