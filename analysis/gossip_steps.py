"""What more gossip steps a round buy: the steady consensus distance against Q, and against bytes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from dfedsam.analysis import marks
from dfedsam.analysis.panels import byte_unit
from dfedsam.analysis.style import PAGE, curve, new_figure, scaled, styled
from dfedsam.analysis.summary import cells

THEORY = {"linestyle": (0, (4, 1.5)), "linewidth": 0.7}
PANELS = 4


def gossip_steps(summary: pd.DataFrame) -> Figure:
    """Draw the steady consensus distance against gossip steps Q (above) and against bytes a peer sends a round (below).

    A curve for each kind of gossip: plain, Chebyshev's, compressed with each compressor; dashes are the closed form
    for quadratics, where gossip multiplies the slowest mode with λ^Q (plain) or 1/T_Q (Chebyshev). A column a topology,
    from all over the range of gaps, at most PANELS; of several sizes and heterogeneities the largest is drawn.

    Args:
        summary: of `analysis.summary.summarise`.

    Raises:
        ValueError: if no run differs from another in Q alone.
    """
    some = selected(summary)
    log_y = True
    points = cells(some, ("consensus", "predicted_consensus", "bytes_round"), log=log_y)
    names = marks.order(points)
    kinds = list(dict.fromkeys(points.sort_values("kind")["kind"]))
    steps = sorted(points["steps"].unique())
    note = f"{points['peers'].iloc[0]:g} peers"
    facet = marks.facet_title(points["heterogeneity"].iloc[0], points) if points["heterogeneity"].notna().any() else ""
    rows = ("steps", "bytes_round") if (points["bytes_round"] > 0).any() else ("steps",)
    with styled():
        figure = new_figure(PAGE, 0.7 + 1.75 * len(rows))
        grid = figure.subplots(len(rows), len(names), sharex="row", sharey=True, squeeze=False)
        largest = float(points["bytes_round"].max())
        for x, row in zip(rows, grid, strict=True):
            for name, ax in zip(names, row, strict=True):
                part = points[points["topology"] == name]
                for kind in kinds:
                    _curve(ax, part[part["kind"] == kind].sort_values(x), x, kinds.index(kind))
                ax.margins(x=0.12)
                marks.logarithmic(ax)
                if x == "steps":
                    ax.set_title(name)
                    ax.xaxis.set_major_locator(FixedLocator(list(steps)))
                    ax.xaxis.set_minor_locator(NullLocator())
                    ax.xaxis.set_major_formatter(FuncFormatter(lambda q, _: f"{q:g}"))
                    ax.set_xlabel("gossip steps Q")
                else:
                    factor, unit = byte_unit(largest)
                    written = FuncFormatter(lambda value, _, f=factor: f"{value / f:g}")
                    ax.xaxis.set_major_formatter(written)
                    if not isinstance(ax.xaxis.get_minor_formatter(), NullFormatter):
                        ax.xaxis.set_minor_formatter(written)
                    ax.set_xlabel(f"{unit} sent a round")
            row[0].set_ylabel("steady consensus\ndistance")
        figure.suptitle(", ".join(part for part in (note, facet) if part))
        handles = [
            Line2D([], [], label=kind, markersize=scaled(4), **{**curve(number), "linestyle": "-"})
            for number, kind in enumerate(kinds)
        ]
        if np.isfinite(points["predicted_consensus"]).any():
            handles.append(Line2D([], [], label="closed form", color="black", **THEORY))
        marks.legend(figure, handles, PAGE)
    return figure


def selected(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows that `gossip_steps` draws, with `kind` (of gossip) and `bytes_round`."""
    some = summary[summary["steps"].notna() & (summary["consensus"] > 0)].copy() if "steps" in summary else summary[:0]
    if some.empty:
        raise ValueError("gossip_steps is the same in all runs: at least two different Q are needed to draw against it")
    named = some["compressor"].notna() if "compressor" in some else pd.Series(False, some.index)
    some["kind"] = np.where(named, some["gossip"].astype(str) + ", " + some["compressor"].astype(str), some["gossip"])
    some["bytes_round"] = some["bytes_end"] / some["round"]
    for column in ("peers", "heterogeneity"):
        if some[column].notna().any():
            some = some[some[column] == some[column].max()]
    varied = some.groupby("topology")["steps"].transform("nunique") > 1
    some = some[varied]
    if some.empty:
        raise ValueError("gossip_steps is the same in all runs: at least two different Q are needed to draw against it")
    names = marks.order(some)
    if len(names) > PANELS:
        names = [names[i] for i in np.unique(np.linspace(0, len(names) - 1, PANELS).round().astype(int))]
    return some[some["topology"].isin(names)]


def _curve(ax: Axes, part: pd.DataFrame, x: str, number: int) -> None:
    look = curve(number)
    ax.plot(part[x], part["consensus"], markeredgewidth=0, **{**look, "linestyle": "-"})
    if np.isfinite(part["consensus_low"]).any():
        ax.fill_between(
            part[x], part["consensus_low"], part["consensus_high"], color=look["color"], alpha=0.18, linewidth=0
        )
    if np.isfinite(part["predicted_consensus"]).any():
        ax.plot(part[x], part["predicted_consensus"], color="black", zorder=4, **THEORY)
