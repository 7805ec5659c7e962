"""What foretells convergence: the gap, effective neighbours, or the closed form of the consensus distance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from dfedsam.analysis import marks, metrics
from dfedsam.analysis.convergence_gap import FITTED, gap_cells
from dfedsam.analysis.fits import agreement, fit
from dfedsam.analysis.style import COLOURS, PAGE, between, new_figure, scaled, styled

IDENTITY = {"color": COLOURS[4], "linewidth": 1.0, "linestyle": "-"}


def predictors(summary: pd.DataFrame) -> Figure:
    """Draw the steady value of the metric against three predictors side by side, each with R² and Spearman's ρ.

    They are the gap 1 − λ_Q of a round's gossip, the effective number of neighbours n_W of the same, and the closed
    form: for quadratics what it predicts for the metric itself, and the line is measured = predicted, without a fit;
    for other objectives the consensus distance it has on quadratics of like settings, up to a factor. A row for each
    heterogeneity. R² is that of a line through the logarithms of the cells' means over seeds.

    Args:
        summary: of `analysis.summary.summarise`; biased topologies are left out.

    Raises:
        ValueError: if no run has a gap.
    """
    points, whole = gap_cells(summary)
    metric = str(summary["metric"].iloc[0])
    points["own_gap"] = 1 - points["lambda_q"]
    exact = bool(np.isfinite(points["predicted"]).any())
    third = ("predicted", "closed form") if exact else ("shape", "closed form, up to a factor")
    across = [("own_gap", r"gap $1-\lambda_Q$"), ("neighbours_q", "effective neighbours $n_W$"), third]
    across = [(x, title) for x, title in across if x in points and np.isfinite(points[x]).any()]
    parts, names = marks.facets(points), marks.order(whole)
    log = not metrics.rises(metric)
    with styled():
        figure = new_figure(PAGE, 0.3 + 2.0 * len(parts) + marks.legend_height(marks.keys(whole, names), PAGE))
        grid = figure.subplots(len(parts), len(across), sharex="col", sharey="row", squeeze=False)
        for i, (value, part) in enumerate(parts):
            row = grid[i]
            for (x, title), ax in zip(across, row, strict=True):
                marks.draw_points(ax, part, x, "steady", names, whole)
                marks.logarithmic(ax, "xy" if log else "x")
                ax.set_title(_line(ax, part, x, log, identity=x == "predicted"))
                if i == len(parts) - 1:
                    ax.set_xlabel(title)
                if metric.startswith("accuracy"):
                    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
            above = marks.facet_title(value, part)
            row[0].set_ylabel(f"steady {metrics.title(metric)}" + (f"\n{above}" if above else ""))
        figure.align_ylabels()
        lines = [Line2D([], [], label="fitted line", **FITTED)]
        if exact:
            lines.append(Line2D([], [], label="measured = predicted", **IDENTITY))
        marks.legend(figure, marks.keys(whole, names, lines), PAGE)
    return figure


def _line(ax: Axes, part: pd.DataFrame, x: str, log: bool, *, identity: bool) -> str:
    """Draw the line of a panel; returns its title."""
    line = fit(part[x], part["steady"], log_y=log)
    if line is None:
        return "too few points"
    r2 = line.r2
    x_values = part[x].to_numpy(float)
    ends = np.array([np.nanmin(x_values[x_values > 0]), np.nanmax(x_values)])
    if identity:
        r2 = agreement(part[x], part["steady"]) if log else r2
        ax.plot(ends, ends, zorder=1, **{**IDENTITY, "linewidth": scaled(1.0)})
    else:
        ax.plot(ends, line(ends), zorder=1, **FITTED)
    return f"$R^2$ = {r2:.3f},{between()}Spearman {line.spearman:.2f}".replace("-", "−")


def agreements(summary: pd.DataFrame) -> pd.DataFrame:
    """The figures in the titles of `predictors` as a table: predictor, heterogeneity, R², Spearman's ρ, cells."""
    points, _ = gap_cells(summary)
    log = not metrics.rises(str(summary["metric"].iloc[0]))
    points["gap of a round"] = 1 - points["lambda_q"]
    names = {"gap of a round": "gap of a round", "neighbours_q": "effective neighbours"}
    exact = bool(np.isfinite(points["predicted"]).any())
    names |= {"predicted": "closed form (measured = predicted)"} if exact else {"shape": "closed form, up to a factor"}
    rows = []
    for value, part in marks.facets(points):
        for column, name in names.items():
            line = fit(part[column], part["steady"], log_y=log) if column in part else None
            if line is not None:
                r2 = agreement(part[column], part["steady"]) if column == "predicted" and log else line.r2
                rows.append({
                    "heterogeneity": marks.facet_title(value, part), "predictor": name, "R²": r2,
                    "Spearman": line.spearman, "cells": line.points,
                })  # fmt: skip
    return pd.DataFrame(rows)
