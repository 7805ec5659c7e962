"""Points of a study: each topology has a colour and a marker; larger means more peers, hollow more gossip steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dfedsam.analysis.plot.axes import keep_limits
from dfedsam.analysis.plot.style import GREY, curve_style, scaled
from dfedsam.analysis.read.metrics import numbers


def order(frame: pd.DataFrame) -> list[str]:
    """The topologies of a study, from the smallest gap to the largest, so that colours follow it."""
    gaps = dict(frame.assign(gap=numbers(frame, "gap")).groupby("topology", sort=False)["gap"].mean())
    return sorted(gaps, key=lambda name: gaps[name] if np.isfinite(gaps[name]) else 2.0)


def facets(frame: pd.DataFrame, column: str = "heterogeneity", most: int = 4) -> list[tuple[Any, pd.DataFrame]]:
    """Split a table by the rising values of a column, at most `most` spread over their range; one part if it is empty.

    Several data sets are split separately by heterogeneity.
    """
    sets = list(frame["data"].dropna().unique()) if column == "heterogeneity" and "data" in frame else []
    if len(sets) > 1:
        each = max(1, most // len(sets))
        return [part for name in sets[:most] for part in facets(frame[frame["data"] == name], column, each)]
    values = sorted(frame[column].dropna().unique()) if column in frame else []
    if not values:
        return [(None, frame)]
    return [(value, frame[frame[column] == value]) for value in evenly(values, most)]


def evenly(values: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of the values, spread over their range."""
    if len(values) <= most:
        return list(values)
    return [values[i] for i in np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))]


def facet_title(value: Any, part: pd.DataFrame) -> str:
    """A title such as "Dirichlet α = 0.3", or "sst2, IID" for several data sets; empty for a single part."""
    data = part["data"].iloc[0] if "data" in part and part["data"].nunique() == 1 else None
    return ", ".join(filter(None, [data, _heterogeneity(value, part)]))


def _heterogeneity(value: Any, part: pd.DataFrame) -> str:
    if value is None or pd.isna(value):
        return ""
    name = next(iter(part["heterogeneity_of"].dropna()), "heterogeneity")
    return f"{name} = {value:g}" if np.isfinite(value) else "IID"


def point_style(topology: str, topologies: Sequence[str]) -> dict[str, Any]:
    """Colour and marker of a topology's points, by its position among all."""
    style = curve_style(topologies.index(topology))
    return {"color": style["color"], "marker": style["marker"]}


def marker_size(peers: Any, frame: pd.DataFrame) -> float:
    """Width of a marker in points, larger for more peers."""
    sizes = sorted(frame["peers"].dropna().unique())
    rank = sizes.index(peers) / max(len(sizes) - 1, 1) if peers in sizes else 0.5
    return scaled(3.2 + 2.8 * rank if len(sizes) > 1 else 4.5)


def draw_points(
    ax: Axes, cells: pd.DataFrame, x: str, y: str, topologies: Sequence[str], summary: pd.DataFrame
) -> None:
    """Draw the columns x and y of `summary.aggregate` as points, with y's interval over seeds, or few single seeds.

    `topologies` are all of the study, in the order of `order`; `summary` gives the range of sizes and gossip steps.
    """
    fewest = summary["steps"].min()
    for cell in cells.to_dict("records"):
        if not np.isfinite(cell[x]) or not np.isfinite(cell[y]):
            continue
        style = point_style(cell["topology"], topologies)
        hollow = pd.notna(cell["steps"]) and cell["steps"] > fewest
        ax.plot(
            cell[x], cell[y], marker=style["marker"], markersize=marker_size(cell["peers"], summary), zorder=3,
            markerfacecolor="white" if hollow else style["color"], markeredgecolor=style["color"], linestyle="",
            markeredgewidth=scaled(0.9),
        )  # fmt: skip
        low, high, seeds = cell.get(f"{y}_low", np.nan), cell.get(f"{y}_high", np.nan), cell.get(f"{y}_seeds", ())
        if np.isfinite(low):
            with keep_limits(ax):
                ax.plot([cell[x]] * 2, [low, high], color=style["color"], linewidth=scaled(0.6), alpha=0.7, zorder=2)
        elif len(seeds) > 1:
            thin: dict[str, Any] = {"marker": "_", "markersize": scaled(3), "linewidth": scaled(0.4), "alpha": 0.6}
            ax.plot([cell[x]] * len(seeds), seeds, color=style["color"], zorder=2, **thin)


def keys(summary: pd.DataFrame, topologies: Sequence[str], more: Iterable[Line2D] = ()) -> list[Line2D]:
    """The entries of a legend: topologies, sizes, gossip steps, and `more` lines."""
    handles = [
        Line2D([], [], linestyle="", markersize=scaled(4.5), label=name, **point_style(name, topologies))
        for name in topologies
    ]
    grey: dict[str, Any] = {"linestyle": "", "marker": "o", "color": GREY}
    sizes = sorted(summary["peers"].dropna().unique())
    if len(sizes) > 1:
        ends = (sizes[0], sizes[-1])
        handles += [Line2D([], [], markersize=marker_size(n, summary), label=f"{n:g} peers", **grey) for n in ends]
    steps = sorted(summary["steps"].dropna().unique())
    if len(steps) > 1:
        rest = f"Q = {steps[1]:g}" if len(steps) == 2 else f"Q from {steps[1]:g} to {steps[-1]:g}"
        handles.append(Line2D([], [], markersize=scaled(4.5), label=f"Q = {steps[0]:g}", **grey))
        handles.append(Line2D([], [], markersize=scaled(4.5), label=rest, markerfacecolor="white", **grey))
    return [*handles, *more]
