"""Consensus distance against rounds, with theory."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dfedsam.analysis import marks, panels
from dfedsam.analysis.style import PAGE, curve, new_figure, scaled, styled

MOST = 3  # rows and columns of panels
DASHED = (0, (4, 2))
ROUNDING = 1e-14  # of the largest distance: below it is what rounding leaves of 0, as in the complete graph
MARKS = 6  # along a curve


def consensus_rounds(evaluations: pd.DataFrame) -> Figure:
    """Draw (1/n) Σ‖x_i − x̄‖² against rounds on a logarithmic axis: a curve a topology, mean and band over seeds.

    Dashes are theory: on noisy quadratics the closed form for every round, in the mean over optima and noise. A row for
    each number of gossip steps Q and a column for each heterogeneity, three of each at most; of several sizes the
    largest is drawn.

    Args:
        evaluations: as in `analysis.studies.Study`.

    Raises:
        ValueError: if peers never differ.
    """
    distance = evaluations.get("consensus_distance", pd.Series(0.0, evaluations.index))
    frame = evaluations[distance > ROUNDING * distance.max()]
    if frame.empty:
        raise ValueError("consensus_distance is 0 or missing in all evaluations: there is nothing to draw")
    names = marks.order(evaluations)  # of all sizes, so that a topology has the same colour in all figures
    if frame["peers"].notna().any():
        frame = frame[frame["peers"] == frame["peers"].max()]
    there = set(frame["topology"])
    steps = [part for _, part in marks.facets(frame, "steps", MOST)]
    columns = [value for value, _ in marks.facets(frame, "heterogeneity", MOST)]
    with styled():
        handles = [Line2D([], [], label=name, **marks.look(name, names)) for name in names if name in there]
        theory = np.isfinite(panels.numbers(frame, "consensus_theory")).any()
        figure = new_figure(PAGE, 0.4 + 1.9 * len(steps) + marks.legend_height(handles, PAGE))
        grid = figure.subplots(len(steps), len(columns), sharex=True, sharey=True, squeeze=False)
        for number, (part, row) in enumerate(zip(steps, grid, strict=True)):
            for value, ax in zip(columns, row, strict=True):
                some = part if value is None else part[part["heterogeneity"] == value]
                for i, name in enumerate(names):
                    _curves(ax, some[some["topology"] == name], i)
                if number == 0:
                    ax.set_title(marks.facet_title(value, some) if value is not None else "")
                if number == len(steps) - 1:
                    ax.set_xlabel("round")
            q = part["steps"].iloc[0]
            row[0].set_ylabel("consensus distance" + (f"\nQ = {q:g}" if len(steps) > 1 and pd.notna(q) else ""))
        marks.logarithmic(grid[0, 0], "y")
        if theory:
            handles.append(Line2D([], [], color="black", linestyle=DASHED, linewidth=0.7, label="theory"))
        sizes = f"{frame['peers'].iloc[0]:g} peers" if frame["peers"].notna().any() else None
        marks.legend(figure, handles, PAGE, sizes)
    return figure


def _curves(ax: Axes, frame: pd.DataFrame, number: int) -> None:
    """One curve for each label of a topology, as where algorithms differ, and what theory says of it."""
    colour = curve(number)["color"]
    for _, run in frame.groupby("label", sort=False):
        across, mean, low, high = panels.over_seeds(run, "round", "consensus_distance", log=True)
        every = max(1, len(across) // MARKS)
        look = {"color": colour, "marker": curve(number)["marker"], "markevery": (number * every // 9, every)}
        ax.plot(across, mean, linewidth=scaled(1.1), markeredgewidth=0, **look)
        if np.isfinite(low).any():
            ax.fill_between(across, low, high, color=colour, alpha=0.15, linewidth=0)
        across, mean, _, _ = panels.over_seeds(run, "round", "consensus_theory", log=True)
        if np.isfinite(mean).any():
            ax.plot(across, mean, color="black", linewidth=scaled(0.7), linestyle=DASHED, zorder=3)
