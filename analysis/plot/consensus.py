"""The consensus distance against rounds, against gossip steps, and by gossip alone, drawn or animated; with theory.

`evaluations` are those of a `Study`, `summary` is the result of `summary.summarise`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from numpy.typing import NDArray

from dfedsam.analysis.plot import points
from dfedsam.analysis.plot.axes import byte_unit, draw_course, legend, legend_height, logarithmic, over_seeds
from dfedsam.analysis.plot.graph import draw_graph
from dfedsam.analysis.plot.style import COLOURS, COLUMN, PAGE, curve_style, new_figure, rc_context, scaled
from dfedsam.analysis.read.metrics import numbers
from dfedsam.analysis.summary import aggregate
from dfedsam.topologies import Topology

EXACT = 200  # peers up to which the worst start is computed; above, random starts approximate it
AGREED = 1e-10  # share of the initial distance below which the peers agree
ROUNDING = 1e-13  # share of the initial distance: zero up to rounding
_ROUNDS = 300  # maximum, of gossip alone
_STARTS = 16  # random starts
_PANELS = 3  # maximum of rows and of columns of panels
_TOPOLOGIES = 4  # maximum of columns of `gossip_steps`
_THEORY: dict[str, Any] = {"linestyle": (0, (4, 2)), "linewidth": 0.7, "color": "black"}
_ZERO = 1e-14  # share of the largest distance: zero up to rounding, as in the complete graph


def consensus_rounds(evaluations: pd.DataFrame) -> Figure:
    """Draw (1/n) Σ‖x_i − x̄‖² against rounds on a logarithmic axis: a curve per topology, its mean and its seeds.

    Dashes are theory: on noisy quadratics the closed form for every round, in expectation over optima and noise. There
    is a row for each number of gossip steps Q and a column for each heterogeneity, at most three of each; of several
    sizes the largest is drawn.

    Raises:
        ValueError: if peers never differ.
    """
    distance = numbers(evaluations, "consensus_distance")
    frame = evaluations[distance > _ZERO * np.nanmax(distance, initial=0)]
    if frame.empty:
        raise ValueError("consensus_distance is 0 or missing in all evaluations: there is nothing to draw")
    names = points.order(evaluations)  # of all sizes, so that a topology has the same colour in all figures
    if frame["peers"].notna().any():
        frame = frame[frame["peers"] == frame["peers"].max()]
    rows = [part for _, part in points.facets(frame, "steps", _PANELS)]
    columns = [value for value, _ in points.facets(frame, "heterogeneity", _PANELS)]
    shown = set(frame["topology"])
    theory = np.isfinite(numbers(frame, "theory")).any()
    with rc_context():
        handles = [Line2D([], [], label=name, **points.point_style(name, names)) for name in names if name in shown]
        figure = new_figure(PAGE, 0.4 + 1.9 * len(rows) + legend_height(handles, PAGE))
        grid = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
        for part, row in zip(rows, grid, strict=True):
            for value, ax in zip(columns, row, strict=True):
                panel = part if value is None else part[part["heterogeneity"] == value]
                ax.set_yscale("log")
                for i, name in enumerate(names):
                    _draw_rounds(ax, panel[panel["topology"] == name], i)
            q = part["steps"].iloc[0]
            row[0].set_ylabel("consensus distance" + (f"\nQ = {q:g}" if len(rows) > 1 and pd.notna(q) else ""))
        for value, top, bottom in zip(columns, grid[0], grid[-1], strict=True):
            part = frame if value is None else frame[frame["heterogeneity"] == value]
            top.set_title(points.facet_title(value, part) if value is not None else "")
            bottom.set_xlabel("round")
        logarithmic(grid[0, 0], "y")
        if theory:
            handles.append(Line2D([], [], label="theory", **_THEORY))
        legend(figure, handles, f"{frame['peers'].iloc[0]:g} peers" if frame["peers"].notna().any() else None)
    return figure


def _draw_rounds(ax: Axes, frame: pd.DataFrame, number: int) -> None:
    """Draw a curve for each label of a topology (if algorithms differ, for instance), and theory's prediction."""
    style = {**curve_style(number), "linestyle": "-", "linewidth": scaled(1.1)}
    for _, run in frame.groupby("label", sort=False):
        draw_course(ax, run, "round", "consensus_distance", style, "_", log=True, start=number / 9)
        course = over_seeds(run, "round", "theory", log=True)
        if np.isfinite(course.mean).any():
            ax.plot(course.x, course.mean, zorder=3, label="_", **_THEORY)


def gossip_steps(summary: pd.DataFrame) -> Figure:
    """Draw the steady consensus distance against gossip steps Q (above) and bytes per peer and round (below).

    Each kind of gossip, with each compressor, gets a curve; dashes are the closed form for quadratics. At most four
    topologies get a column, spread over the range of gaps; of several sizes and heterogeneities the largest is drawn.

    Raises:
        ValueError: if no two runs differ only in Q.
    """
    chosen = _with_steps(summary)
    cells = aggregate(chosen, ("consensus", "predicted_consensus", "bytes_round"))
    names = points.order(cells)
    kinds = list(dict.fromkeys(cells.sort_values("kind")["kind"]))
    rows = ("steps", "bytes_round") if (cells["bytes_round"] > 0).any() else ("steps",)
    title = [f"{cells['peers'].iloc[0]:g} peers", points.facet_title(cells["heterogeneity"].iloc[0], cells)]
    with rc_context():
        figure = new_figure(PAGE, 0.7 + 1.75 * len(rows))
        grid = figure.subplots(len(rows), len(names), sharex="row", sharey=True, squeeze=False)
        for x, row in zip(rows, grid, strict=True):
            for name, ax in zip(names, row, strict=True):
                part = cells[cells["topology"] == name]
                for number, kind in enumerate(kinds):
                    _draw_steps(ax, part[part["kind"] == kind].sort_values(x), x, number)
                ax.margins(x=0.12)
                logarithmic(ax)
                _format_steps(ax, x, cells)
            row[0].set_ylabel("steady consensus\ndistance")
        for name, ax in zip(names, grid[0], strict=True):
            ax.set_title(name)
        figure.suptitle(", ".join(filter(None, title)))
        handles = [
            Line2D([], [], label=kind, markersize=scaled(4), **{**curve_style(number), "linestyle": "-"})
            for number, kind in enumerate(kinds)
        ]
        if np.isfinite(numbers(cells, "predicted_consensus")).any():
            handles.append(Line2D([], [], label="closed form", **_THEORY))
        legend(figure, handles)
    return figure


def _with_steps(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows that `gossip_steps` draws, with `kind` (of gossip) and `bytes_round`."""
    chosen = summary[np.isfinite(numbers(summary, "steps")) & (numbers(summary, "consensus") > 0)].copy()
    kinds = zip(chosen["gossip"], chosen["compressor"], strict=True)
    chosen["kind"] = [", ".join(str(word) for word in kind if pd.notna(word)) for kind in kinds]
    chosen["bytes_round"] = chosen["bytes_end"] / chosen["round"]
    for column in ("peers", "heterogeneity"):
        if chosen[column].notna().any():
            chosen = chosen[chosen[column] == chosen[column].max()]
    chosen = chosen[chosen.groupby("topology")["steps"].transform("nunique") > 1]
    if chosen.empty:
        raise ValueError("gossip steps are the same in all runs: a curve needs at least two different Q")
    return chosen[chosen["topology"].isin(points.evenly(points.order(chosen), _TOPOLOGIES))]


def _draw_steps(ax: Axes, part: pd.DataFrame, x: str, number: int) -> None:
    style = {**curve_style(number), "linestyle": "-"}
    ax.plot(part[x], part["consensus"], markeredgewidth=0, **style)
    low, high = numbers(part, "consensus_low"), numbers(part, "consensus_high")
    if np.isfinite(low).any():
        ax.fill_between(part[x], low, high, color=style["color"], alpha=0.18, linewidth=0)
    if np.isfinite(numbers(part, "predicted_consensus")).any():
        ax.plot(part[x], part["predicted_consensus"], zorder=4, **_THEORY)


def _format_steps(ax: Axes, x: str, cells: pd.DataFrame) -> None:
    if x == "steps":
        ax.xaxis.set_major_locator(FixedLocator(sorted(cells["steps"].unique())))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda q, _: f"{q:g}"))
        ax.set_xlabel("gossip steps Q")
        return
    factor, unit = byte_unit(float(cells["bytes_round"].max()))
    formatter = FuncFormatter(lambda value, _: f"{value / factor:g}")
    ax.xaxis.set_major_formatter(formatter)
    if not isinstance(ax.xaxis.get_minor_formatter(), NullFormatter):
        ax.xaxis.set_minor_formatter(formatter)
    ax.set_xlabel(f"{unit} per round")


def gossip_errors(topology: Topology) -> NDArray[np.float64]:
    """The share of the initial distance from the mean after t rounds of gossip alone, t = 0, 1, …, shape (rounds + 1,).

    Up to EXACT peers this is ‖W_{t-1} ⋯ W_0 − J‖₂, the share for the worst start; above, the root mean square over
    random starts. It ends at AGREED, or after 300 rounds.
    """
    n = topology.n
    if n <= EXACT:
        x = np.eye(n)
    else:
        x = np.random.default_rng(0).standard_normal((n, _STARTS))
        x -= x.mean(axis=0)
        x /= np.linalg.norm(x)
    mean, distances = x.mean(axis=0), [1.0]
    for values in islice(gossip(topology, x), 1, _ROUNDS + 1):
        distances.append(float(np.linalg.norm(values - mean, 2 if n <= EXACT else None)))
        if distances[-1] < AGREED:
            break
    return np.array(distances)


def gossip(topology: Topology, x: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The peers' values after 0, 1, … rounds of gossip alone, from x, shape (n, …).

    If only the columns of W_t sum to one, peers divide by push-sum's weights.
    """
    mass = np.ones((topology.n, *(1 for _ in x.shape[1:])))
    for t in count():
        yield x / mass
        W = topology.weights(t)
        x = W @ x
        if topology.sums == "columns":
            mass = W @ mass


def animate(topology: Topology, path: Path, name: str, rounds: int = 40) -> None:
    """Write a GIF of how the peers' values reach consensus by gossip alone, a frame a round, under the topology's name.

    The values are independent normal at first; the graph is that of round 0.
    """
    start = np.random.default_rng(0).standard_normal(topology.n)
    values = np.array(list(islice(gossip(topology, start), rounds + 1)))
    distance = np.linalg.norm(values - values.mean(axis=1, keepdims=True), axis=1)
    with rc_context():
        figure = new_figure(COLUMN, 3.6)
        above, below = figure.subplots(2, 1, height_ratios=(3, 1))
        graph = topology.graph(0)
        draw_graph(above, graph)
        for number in list(above.texts):
            number.remove()
        (peers,) = (item for item in above.collections if isinstance(item, PathCollection))
        peers.set_cmap("cividis")
        limit = float(np.abs(values[0]).max())
        peers.set_clim(-limit, limit)
        figure.colorbar(peers, ax=above, label="value", shrink=0.8)
        below.semilogy(np.maximum(distance / distance[0], 1e-16), color=COLOURS[0])
        below.set_xlabel("gossip round")
        below.set_ylabel("distance\nfrom the mean")
        (here,) = below.plot([], [], marker="o", color=COLOURS[4])

        def frame(t: int) -> tuple:
            peers.set_array(values[t])
            here.set_data([t], [max(distance[t] / distance[0], 1e-16)])
            above.set_title(f"{name}: round {t}")
            return peers, here

        frame(0)
        figure.draw_without_rendering()  # the layout is computed once, so that nothing moves between frames
        figure.set_layout_engine("none")
        moving = FuncAnimation(figure, frame, frames=rounds + 1, blit=False)
        moving.save(str(path), writer=PillowWriter(fps=8), dpi=110)
