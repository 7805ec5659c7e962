"""Points of a study: a colour and a marker a topology, size for the number of peers, hollow for more gossip steps."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dfedsam.analysis.panels import power
from dfedsam.analysis.style import GREY, curve, letter, line_height, scaled

HANDLE = 0.32  # inches before a name in a legend of markers


def order(frame: pd.DataFrame) -> list[str]:
    """The topologies of a study, from the smallest gap to the largest, so that colours follow it."""
    gap = frame.groupby("topology")["gap"].mean() if "gap" in frame else pd.Series(dtype=float)
    names = list(dict.fromkeys(frame["topology"].dropna()))
    return sorted(names, key=lambda name: float(gap.get(name, np.nan)) if pd.notna(gap.get(name)) else 2.0)


def facets(frame: pd.DataFrame, column: str = "heterogeneity", most: int = 4) -> list[tuple[Any, pd.DataFrame]]:
    """The parts of a table by a column, rising, at most `most` from all over its range; one part where it is empty.

    Where there are several data sets, each has parts of its own by heterogeneity.
    """
    sets = list(frame["data"].dropna().unique()) if column == "heterogeneity" and "data" in frame else []
    if len(sets) > 1:
        each = max(1, most // len(sets))
        return [part for name in sets[:most] for part in facets(frame[frame["data"] == name], column, each)]
    values = sorted(frame[column].dropna().unique()) if column in frame else []
    if not values:
        return [(None, frame)]
    if len(values) > most:
        values = [values[i] for i in np.unique(np.linspace(0, len(values) - 1, most).astype(int))]
    return [(value, frame[frame[column] == value]) for value in values]


def facet_title(value: Any, part: pd.DataFrame) -> str:
    """Such as "Dirichlet α = 0.3", or "sst2, IID" where there are several data sets; empty where there is no axis."""
    data = part["data"].iloc[0] if "data" in part and part["data"].nunique() == 1 else None
    return ", ".join(filter(None, [data, _heterogeneity(value, part)]))


def _heterogeneity(value: Any, part: pd.DataFrame) -> str:
    if value is None:
        return ""
    name = next(iter(part["heterogeneity_of"].dropna()), "heterogeneity")
    return f"{name} = {value:g}" if np.isfinite(value) else "IID"


def look(topology: str, topologies: Sequence[str]) -> dict[str, Any]:
    """Colour and marker of a topology's points, from its place among all."""
    found = curve(topologies.index(topology))
    return {"color": found["color"], "marker": found["marker"]}


def size(peers: Any, frame: pd.DataFrame) -> float:
    """Width of a marker in points: the more peers, the larger."""
    sizes = sorted(frame["peers"].dropna().unique())
    place = sizes.index(peers) / max(len(sizes) - 1, 1) if peers in sizes else 0.5
    return scaled(3.2 + 2.8 * place if len(sizes) > 1 else 4.5)


def draw_points(ax: Axes, cells: pd.DataFrame, x: str, y: str, topologies: Sequence[str], whole: pd.DataFrame) -> None:
    """Cells (`analysis.summary.cells`) as points with their interval over seeds; `whole` has all sizes and steps."""
    fewest = whole["steps"].min() if "steps" in whole else None
    for cell in cells.to_dict("records"):
        if not np.isfinite(cell[x]) or not np.isfinite(cell[y]):
            continue
        mark = look(cell["topology"], topologies)
        hollow = fewest is not None and pd.notna(cell["steps"]) and cell["steps"] > fewest
        low, high = cell.get(f"{y}_low", np.nan), cell.get(f"{y}_high", np.nan)
        if np.isfinite(low):
            ax.plot([cell[x]] * 2, [low, high], color=mark["color"], linewidth=scaled(0.6), alpha=0.7, zorder=2)
        ax.plot(
            cell[x], cell[y], marker=mark["marker"], markersize=size(cell["peers"], whole), zorder=3, linestyle="",
            markerfacecolor="white" if hollow else mark["color"], markeredgecolor=mark["color"],
            markeredgewidth=scaled(0.9),
        )  # fmt: skip


def keys(whole: pd.DataFrame, topologies: Sequence[str], more: Iterable[Line2D] = ()) -> list[Line2D]:
    """What a legend shows: topologies, sizes, steps, and `more` lines."""
    found = [
        Line2D([], [], linestyle="", markersize=scaled(4.5), label=name, **look(name, topologies))
        for name in topologies
    ]
    grey: dict[str, Any] = {"linestyle": "", "marker": "o", "color": GREY}
    sizes = sorted(whole["peers"].dropna().unique())
    if len(sizes) > 1:
        ends = dict.fromkeys((sizes[0], sizes[-1]))
        found += [Line2D([], [], markersize=size(n, whole), label=f"{n:g} peers", **grey) for n in ends]
    steps = sorted(whole["steps"].dropna().unique()) if "steps" in whole else []
    if len(steps) > 1:
        rest = f"Q = {steps[1]:g}" if len(steps) == 2 else f"Q from {steps[1]:g} to {steps[-1]:g}"
        found.append(Line2D([], [], markersize=scaled(4.5), label=f"Q = {steps[0]:g}", **grey))
        found.append(Line2D([], [], markersize=scaled(4.5), label=rest, markerfacecolor="white", **grey))
    return [*found, *more]


def legend(figure: Figure, handles: Sequence[Line2D], width: float, title: str | None = None) -> None:
    """A legend below all panels, in as many columns as fit into `width` inches."""
    if not handles:
        return
    longest = max(len(str(handle.get_label())) for handle in handles) * letter() + HANDLE + 0.1
    columns = min(len(handles), max(1, int(width / longest)))
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns, title=title, handlelength=1.6)


def legend_height(handles: Sequence[Line2D], width: float) -> float:
    """Inches that `legend` takes, for a figure to be that much higher."""
    longest = max((len(str(handle.get_label())) for handle in handles), default=0) * letter() + HANDLE + 0.1
    columns = max(1, int(width / longest))
    return -(-len(handles) // columns) * line_height() + 0.1


def logarithmic(ax: Axes, which: str = "xy") -> None:
    """Logarithmic axes with ticks that can be read over less than two decades, too. Draw first."""
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if name not in which:
            continue
        getattr(ax, f"set_{name}scale")("log")
        low, high = getattr(ax, f"get_{name}lim")()
        near = np.floor(np.log10(high)) - np.ceil(np.log10(low)) < 1  # one power of ten, or none, to read values from
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_locator(LogLocator(subs=(2, 5) if near else tuple(range(2, 10)), numticks=12))
        axis.set_major_formatter(FuncFormatter(power))
        axis.set_minor_formatter(FuncFormatter(power) if near else NullFormatter())
