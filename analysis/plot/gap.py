"""Convergence against the spectral gap and other predictors, and the gap against the number of peers.

`summary` is the result of `summary.summarise`; biased topologies, which have no gap, are omitted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from dfedsam.analysis.plot import points, style
from dfedsam.analysis.plot.axes import format_yaxis, keep_limits, legend, legend_height, logarithmic
from dfedsam.analysis.read import metrics
from dfedsam.analysis.read.metrics import numbers
from dfedsam.analysis.statistics import agreement, fit, usable
from dfedsam.analysis.summary import aggregate, best_rates

_FITTED: dict[str, Any] = {"color": "#333333", "linewidth": 0.9, "linestyle": (0, (5, 2))}
_RATE: dict[str, Any] = {"color": style.GREY, "linewidth": 0.9, "linestyle": (0, (1, 1.5))}
_CLOSED_FORM: dict[str, Any] = {
    "marker": "+", "linewidth": 0.6, "color": "#000000", "markersize": 3.5, "markeredgewidth": 0.6,
}  # fmt: skip
_IDENTITY: dict[str, Any] = {"color": style.COLOURS[4], "linewidth": 1.0, "linestyle": "-"}
# Settings shared by the cells that a line of theory joins
_FAMILY = ("algorithm", "gossip", "compressor", "steps", "lr", "local_steps", "rho")
_EXACT = 1e-9  # λ_Q below which the gossip of a round reaches the mean, as in the complete graph
_GUIDES = {"$n^{-2}$": lambda n: n**-2.0, "$n^{-1}$": lambda n: 1 / n, r"$1/\log n$": lambda n: 1 / np.log(n)}
_GUIDE_FACTORS = (1.2, 2.2, 2.0)  # shifts each guide next to its curves


def convergence_gap(summary: pd.DataFrame) -> Figure:
    """Draw the cost of poor connectivity.

    The upper panels show rounds to the target, the lower ones the steady state of the metric, both against 1/(1 − λ_Q),
    where λ_Q is the contraction factor of one round's gossip. There is a column for each heterogeneity and a point for
    each cell of the study. Dashes are a line fitted to the logarithms, its slope with a 95 % interval; crosses are the
    closed form for quadratics, joined for each topology and Q, with the R² of measured = predicted; dots are the rate
    of the algorithm's theorem, shifted vertically to fit because its constants are unknown. If learning rates vary,
    each cell uses its best one.

    Raises:
        ValueError: if no run has a gap.
    """
    cells, kept = gap_cells(summary)
    metric = str(summary["metric"].iloc[0])
    parts, names = points.facets(cells), points.order(kept)
    log = not metrics.rises(metric)
    logs = {"rounds_to": True, "steady": log}  # whether the vertical axis is logarithmic
    rows = [y for y in logs if usable(cells["condition"], cells[y], log_y=logs[y]).any()]
    if not rows:
        raise ValueError(f"{metric} is nowhere above 0, so logarithmic axes cannot show it")
    with style.rc_context():
        lines: dict[str, Line2D] = {}
        below = legend_height(points.keys(kept, names), style.PAGE)
        figure = style.new_figure(style.PAGE, 0.9 + 2.1 * len(rows) + below)
        grid = figure.subplots(len(rows), len(parts), sharex=True, sharey="row", squeeze=False)
        for y, row in zip(rows, grid, strict=True):
            for (_, part), ax in zip(parts, row, strict=True):
                points.draw_points(ax, part, "condition", y, names, kept)
            for (value, part), ax in zip(parts, row, strict=True):
                logarithmic(ax, "xy" if logs[y] else "x")
                words = [points.facet_title(value, part) if y == rows[0] else ""]
                with keep_limits(ax):  # lines may leave the panel, points may not
                    words.append(_target(part) if y == "rounds_to" else _draw_theory(ax, part, lines))
                    words.append(_draw_fit(ax, part, y, lines, log=logs[y]))
                ax.set_title("\n".join(filter(None, words)))
                format_yaxis(ax, metric if y == "steady" else y, None, log=logs[y])
            row[0].set_ylabel(_cost_title(metric, cells) if y == "rounds_to" else f"steady {metrics.title(metric)}")
        for ax in grid[-1]:
            ax.set_xlabel(r"$1/(1-\lambda_Q)$")
        figure.align_ylabels()
        legend(figure, points.keys(kept, names, lines.values()))
    return figure


def gap_cells(summary: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells of unbiased topologies with `condition` = 1/(1 − λ_Q), and the rows of the summary behind them.

    Raises:
        ValueError: if no run has a gap, or all have the same.
    """
    unbiased = ~summary["biased"].fillna(False).astype(bool).to_numpy()
    fair = best_rates(summary[unbiased & (numbers(summary, "lambda_q") < 1)])
    if fair.empty:
        raise ValueError("gap is missing: no run records the contraction of its gossip, so there is no horizontal axis")
    metric = str(fair["metric"].iloc[0])
    if metric.startswith("consensus_distance") and (fair["lambda_q"] > _EXACT).any():
        fair = fair[fair["lambda_q"] > _EXACT]  # values that are 0 up to rounding would spoil the axis and the fit
    log = not metrics.rises(metric)
    cells = aggregate(fair, ("steady", "rounds_to", "predicted", "consensus"), log=log)
    cells["condition"] = 1 / (1 - cells["lambda_q"].astype(float))
    if cells["condition"].max() - cells["condition"].min() < _EXACT:
        raise ValueError("the gap is the same in all runs: an axis needs at least two gaps")
    return cells, fair


def _cost_title(metric: str, cells: pd.DataFrame) -> str:
    targets = sorted(cells["target"].dropna().unique())
    short = metrics.title(metric, line=True).replace(" (%)", "")
    if len(short) > 12:
        return "rounds to the target"
    return f"rounds to {short}" + (f" {metrics.shown(metric, targets[0])}" if len(targets) == 1 else "")


def _target(part: pd.DataFrame) -> str:
    """The part of a panel's title on the target, and on the cells that miss it."""
    target = part["target"].iloc[0]
    if not np.isfinite(target):
        return f"no target: what most runs reach,{style.title_separator()}some start at"
    missed = int((~np.isfinite(part["rounds_to"])).sum())
    goal = f"target {metrics.shown(str(part['metric'].iloc[0]), target)}"
    return goal + (f",{style.title_separator()}missed by {missed} of {len(part)}" if missed else "")


def _draw_fit(ax: Axes, part: pd.DataFrame, y: str, lines: dict[str, Line2D], *, log: bool) -> str:
    """Draw the fitted line, add it to `lines`, and return its part of the panel's title."""
    line = fit(part["condition"], part[y], log_y=log)
    if line is None:
        return ""
    ends = np.array([part["condition"].min(), part["condition"].max()])
    ax.plot(ends, line(ends), zorder=1, **_FITTED)
    lines["fit"] = Line2D([], [], label="fitted line", **_FITTED)
    slope = f"slope {line.slope:.2g} [{line.low:.1g}, {line.high:.1g}],".replace("-", "−")
    return f"{slope}{style.title_separator()}$R^2$ = {line.r2:.2f}"


def _draw_theory(ax: Axes, part: pd.DataFrame, lines: dict[str, Line2D]) -> str:
    """Draw the lines of theory, add them to `lines`, and return the part of the panel's title on the closed form."""
    rate = part[np.isfinite(numbers(part, "rate")) & np.isfinite(part["steady"])].sort_values("condition")
    same = rate.reindex(columns=["algorithm", "local_steps", "rounds"]).drop_duplicates()
    if len(same) == 1 and ax.get_yscale() == "log":
        values = rate["rate"].to_numpy(float)
        level = np.exp(np.mean(np.log(rate["steady"].to_numpy(float)) - np.log(values)))
        ax.plot(rate["condition"], level * values, zorder=1, **_RATE)
        lines["rate"] = Line2D([], [], label=f"rate of {same['algorithm'].iloc[0]}'s theorem, scaled", **_RATE)
    known = part[np.isfinite(part["predicted"])]
    if known.empty:
        return ""
    family = ["topology", *(name for name in _FAMILY if known[name].nunique() > 1)]
    for _, cells in known.groupby(family):
        line = cells.sort_values("condition")
        ax.plot(line["condition"], line["predicted"], zorder=4, **_CLOSED_FORM)
    lines["form"] = Line2D([], [], label="closed form", **_CLOSED_FORM)
    r2 = agreement(known["predicted"], known["steady"])
    return "" if r2 is None else f"closed form, without a fit: $R^2$ = {r2:.3f}"


def predictors(summary: pd.DataFrame) -> Figure:
    """Draw the steady state of the metric against its predictors in adjacent panels, with R² and Spearman's ρ.

    Predictors are the gap 1 − λ_Q of one round's gossip, its effective number of neighbours n_W, and, if it holds, the
    closed form for quadratics, whose line is measured = predicted, without a fit. Each heterogeneity has a row. R² is
    that of a line fitted to the logarithms of the cells' means over seeds.

    Raises:
        ValueError: if no run has a gap.
    """
    cells, kept = gap_cells(summary)
    metric = str(summary["metric"].iloc[0])
    columns = _predictors(cells)
    parts, names = points.facets(cells), points.order(kept)
    log = not metrics.rises(metric)
    with style.rc_context():
        lines: dict[str, Line2D] = {}
        below = legend_height(points.keys(kept, names), style.PAGE)
        figure = style.new_figure(style.PAGE, 0.3 + 2.0 * len(parts) + below)
        grid = figure.subplots(len(parts), len(columns), sharex="col", sharey="row", squeeze=False)
        for (value, part), row in zip(parts, grid, strict=True):
            for (x, title), ax in zip(columns.items(), row, strict=True):
                points.draw_points(ax, part, x, "steady", names, kept)
                logarithmic(ax, "xy" if log else "x")
                with keep_limits(ax):
                    ax.set_title(_draw_predictor(ax, part, x, lines, log=log))
                format_yaxis(ax, metric, None, log=log)
                if row is grid[-1] or value is parts[-1][0]:
                    ax.set_xlabel(title)
            above = points.facet_title(value, part)
            row[0].set_ylabel(f"steady {metrics.title(metric)}" + (f"\n{above}" if above else ""))
        figure.align_ylabels()
        legend(figure, points.keys(kept, names, lines.values()))
    return figure


def _predictors(cells: pd.DataFrame) -> dict[str, str]:
    """Columns and titles of the available predictors; adds the gap of a round to the cells."""
    cells["gap_q"] = 1 - cells["lambda_q"].astype(float)
    titles = {"gap_q": r"gap $1-\lambda_Q$", "neighbours_q": "effective neighbours $n_W$", "predicted": "closed form"}
    return {x: title for x, title in titles.items() if np.isfinite(numbers(cells, x)).any()}


def _draw_predictor(ax: Axes, part: pd.DataFrame, x: str, lines: dict[str, Line2D], *, log: bool) -> str:
    """Draw the line of a panel, add it to `lines`, and return the panel's title."""
    values = numbers(part, x)
    line = fit(values, part["steady"], log_y=log)
    if line is None:
        return "too few points for a line"
    ends = np.array([np.nanmin(values[values > 0]), np.nanmax(values)])
    r2 = line.r2
    if x == "predicted":
        r2 = agreement(values, part["steady"]) if log else r2
        ax.plot(ends, ends, zorder=1, **{**_IDENTITY, "linewidth": style.scaled(1.0)})
        lines["identity"] = Line2D([], [], label="measured = predicted", **_IDENTITY)
    else:
        ax.plot(ends, line(ends), zorder=1, **_FITTED)
        lines["fit"] = Line2D([], [], label="fitted line", **_FITTED)
    return f"$R^2$ = {r2:.3f},{style.title_separator()}Spearman {line.spearman:.2f}".replace("-", "−")


def agreements(summary: pd.DataFrame) -> pd.DataFrame:
    """The results in the titles of `predictors` as a table, empty without gaps.

    The columns are heterogeneity, predictor, R², Spearman's ρ, and cells.
    """
    try:
        cells, _ = gap_cells(summary)
    except ValueError:
        return pd.DataFrame()
    log = not metrics.rises(str(summary["metric"].iloc[0]))
    words = {"gap_q": "gap of a round", "neighbours_q": "effective neighbours"}
    words["predicted"] = "closed form (measured = predicted)"
    columns = _predictors(cells)
    rows = []
    for value, part in points.facets(cells):
        for column in columns:
            line = fit(numbers(part, column), part["steady"], log_y=log)
            if line is None:
                continue
            r2 = agreement(part[column], part["steady"]) if column == "predicted" and log else line.r2
            rows.append({
                "heterogeneity": points.facet_title(value, part), "predictor": words[column], "R²": r2,
                "Spearman": line.spearman, "cells": line.points,
            })  # fmt: skip
    return pd.DataFrame(rows)


def gap_size(runs: pd.DataFrame) -> Figure:
    """Draw 1 − λ against n of `Study.runs`, both logarithmic: a curve per topology, the mean over seeds.

    Grey guides show n⁻², the slope of rings and paths, n⁻¹, that of tori, grids and stars, and 1/log n, that of
    exponential graphs and hypercubes.

    Raises:
        ValueError: if no run has a gap, or all have one size.
    """
    gap = numbers(runs, "gap")
    if not (gap > 0).any():
        raise ValueError("gap is missing: no run has a topology.json with a spectral gap")
    unbiased = ~runs["biased"].fillna(False).astype(bool).to_numpy()
    table = runs[(gap > 0) & unbiased].drop_duplicates(["topology", "peers", "gap"])
    sizes = np.array(sorted(table["peers"].unique()), dtype=float)
    if len(sizes) < 2:
        raise ValueError("peers is the same in all runs: a curve needs at least two sizes")
    names = points.order(table)
    with style.rc_context():
        figure = style.new_figure(style.COLUMN, 2.5 + style.line_height() * -(-len(names) // 2))
        ax = figure.subplots()
        for number, name in enumerate(names):
            mean = table[table["topology"] == name].astype({"gap": float}).groupby("peers")["gap"].mean()
            ax.plot(mean.index.to_numpy(float), mean.to_numpy(), label=name, **style.curve_style(number))
        ends = np.geomspace(sizes[0], sizes[-1], 50)
        for (name, guide), factor in zip(_GUIDES.items(), _GUIDE_FACTORS, strict=True):
            line = factor * guide(ends)
            ax.plot(ends, line, color=style.GREY, linewidth=style.scaled(0.7), linestyle=(0, (1, 2)), zorder=1)
            ax.annotate(
                name, (ends[-1], line[-1]), (4, 0), textcoords="offset points", color=style.GREY,
                fontsize=style.scaled(7), va="center", annotation_clip=False,
            )  # fmt: skip
        logarithmic(ax)
        ax.xaxis.set_major_locator(FixedLocator(points.evenly(list(sizes), 6)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
        ax.set_xlabel("peers n")
        ax.set_ylabel("spectral gap 1 − λ")
        figure.legend(loc="outside lower center", ncols=2, handlelength=3)
    return figure
