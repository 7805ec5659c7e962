"""A schedule on paper: the graphs of its first rounds, and how its peers come to agree."""

from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from dfedsam import topologies
from dfedsam.analysis import consensus, layouts, style
from dfedsam.analysis.graph_panel import draw_graph
from dfedsam.topologies.topology import Topology

MOST = 8  # rounds that are drawn
MANY = 100  # peers above which fewer are


def draw_rounds(figure: Figure | SubFigure, topology: Topology, title: str) -> None:
    """Draw the graphs of the first rounds, up to a period and to MOST, peers at the same place in all of them.

    Above MANY peers four rounds are drawn, from all over the period.
    """
    n, around = topology.n, _around(topology)
    places = layouts.points(around)
    most = MOST if n <= MANY else 4
    count = min(topology.period or most, most)
    rounds = np.linspace(0, topology.period - 1, count).astype(int) if topology.period and n > MANY else range(count)
    columns = count if count <= 3 else (count + 1) // 2
    rows = -(-count // columns)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[count:]:
        axes.axis("off")
    for t, axes in zip(map(int, rounds), panels, strict=False):
        graph, there = topology.graph(t).copy(), topology.participants(t)
        graph.graph.update(around.graph)
        away = None if there is None else ~there
        draw_graph(axes, graph, places, away=away, scale=1.3 / max(rows, columns, 1.3))
        axes.set_title(f"t = {t}", fontsize=7, pad=2)
    figure.suptitle(title, fontsize=8)


def _around(topology: Topology) -> nx.Graph:
    """A graph whose layout suits all rounds: the one that a schedule is made of, or else a ring."""
    given = (topology.description or {}).get("init_args", {})
    if "topology" in given:
        inside = topologies.make(given["topology"], topology.n, given.get("seed"))
        return inside.graph(0) if inside.period == 1 else _around(inside)
    ring = nx.empty_graph(topology.n)
    ring.graph["name"] = "ring"
    return ring


def draw_errors(axes: Axes, topology: Topology, figures: dict[str, Any]) -> None:
    """Draw what t rounds leave of the peers' distance from their mean, and the slope that theory gives it.

    Args:
        axes: Where.
        topology: A schedule.
        figures: As `topologies.spectrum` gives them.
    """
    found, worst = consensus.errors(topology), topology.n <= consensus.EXACT
    last, exact = len(found) - 1, found[-1] < consensus.EXACTLY
    label = "$\\|W_{t-1} \\cdots W_0 - J\\|$" if worst else "random starts, in the mean square"
    if topology.sums == "columns":
        label = "push-sum, $z_t = x_t / w_t$"
    axes.plot(found, color=style.COLOURS[0], label=label, marker="o" if last <= 60 else "", markersize=2.5)
    rate = figures["lambda"]
    if exact:
        axes.set_ylim(-0.02, 1.08)
        axes.set_title(f"exact after {last} rounds")
    else:
        axes.set_yscale("log")
        axes.set_title(f"{found[-1]:.1g} is left after {last} rounds")
    if rate is not None and not exact:
        slope: dict[str, Any] = {"color": style.COLOURS[4], "linewidth": 1, "linestyle": (0, (4, 2))}
        about = "\\approx" if "lambda" in figures["approximate"] else "="
        theory = f"$\\lambda^t$, $\\lambda = {_formula(topology)} {about} {rate:.4g}$"
        axes.plot([0, last], rate ** np.array([0, last]), label=theory, **slope)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("rounds of gossip t")
    axes.set_ylabel("distance from the mean")
    axes.legend(loc="lower left", handlelength=2.2)


def _formula(topology: Topology) -> str:
    """What λ is, for a schedule of this kind."""
    if topology.sums != "both":
        return "\\rho"
    if topology.period is None:
        return "\\sqrt{\\lambda_{max}(E[W^TW] - J)}"
    return "\\|W_{\\tau-1} \\cdots W_0 - J\\|^{1/\\tau}"
