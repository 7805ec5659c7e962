"""Convergence against the spectral gap: rounds to a target, and the steady value, over 1/(1 − λ)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from dfedsam.analysis import marks, metrics, theory
from dfedsam.analysis.fits import agreement, fit, usable
from dfedsam.analysis.style import GREY, PAGE, between, new_figure, styled
from dfedsam.analysis.summary import best_rates, cells

FITTED = {"color": "#333333", "linewidth": 0.9, "linestyle": (0, (5, 2))}
RATE = {"color": GREY, "linewidth": 0.9, "linestyle": (0, (1, 1.5))}
FORM = {"marker": "+", "linewidth": 0.6, "color": "#000000", "markersize": 3.5, "markeredgewidth": 0.6}
# What the cells that a line of theory joins share
SHARED = ("algorithm", "gossip", "compressor", "steps", "lr", "local_steps", "rho")
AT_ONCE = 1e-9  # λ_Q below which a round's gossip ends at the mean, as in the complete graph
SAM = ("DFedSAM", "DFedSAMMG")


def convergence_gap(summary: pd.DataFrame) -> Figure:
    """Draw what convergence costs on a badly connected graph.

    Above rounds to the target, below the steady value of the metric, both against 1/(1 − λ_Q), where λ_Q is the
    contraction of all gossip steps of a round; a column for each heterogeneity, a point for each cell of the study
    (mean and 95 % interval over seeds). Dashes are a line through the logarithms, its slope with a 95 % interval;
    crosses are the closed form for quadratics, joined for each topology and Q, with the R² of measured = predicted;
    dots are the rate of DFedSAM's theorem, moved up or down to fit, since its constants are not known. Where learning
    rates vary, each cell has its best one.

    Args:
        summary: of `analysis.summary.summarise`; biased topologies are left out.

    Raises:
        ValueError: if no run has a gap.
    """
    points, whole = gap_cells(summary)
    metric = str(summary["metric"].iloc[0])
    parts = marks.facets(points)
    names = marks.order(whole)
    log = not metrics.rises(metric)
    with styled():
        apart = between() if len(parts) < 3 else "\n"
        lines = {"fit": Line2D([], [], label="fitted line", **FITTED)}
        rows = [
            y
            for y in ("rounds_to", "steady")
            if usable(points["condition"], points[y], log_y=log or y != "steady").any()
        ]
        if not rows:
            raise ValueError(f"{metric} is nowhere above 0, so logarithmic axes cannot show it")
        figure = new_figure(PAGE, 0.9 + 2.1 * len(rows) + marks.legend_height([*marks.keys(whole, names)], PAGE))
        grid = figure.subplots(len(rows), len(parts), sharex=True, sharey="row", squeeze=False)
        for i, y in enumerate(rows):
            y_log = log or y == "rounds_to"
            for (_, part), ax in zip(parts, grid[i], strict=True):
                marks.draw_points(ax, part, "condition", y, names, whole)
            grid[i, 0].set_ylabel(_title(metric, y, points))
            marks.logarithmic(grid[i, 0], "xy" if y_log else "x")
            grid[i, 0].set_ylim(grid[i, 0].get_ylim())  # lines may leave the panel, points may not
            for (value, part), ax in zip(parts, grid[i], strict=True):
                marks.logarithmic(ax, "xy" if y_log else "x")
                said = [marks.facet_title(value, part) if i == 0 else "", _fit(ax, part, y, y_log, apart)]
                if y == "steady":
                    said.append(_theory(ax, part, lines))
                ax.set_title("\n".join(filter(None, said)))
                if y == "steady" and metric.startswith("accuracy"):
                    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
        for ax in grid[-1]:
            ax.set_xlabel(r"$1/(1-\lambda_Q)$")
        figure.align_ylabels()
        marks.legend(figure, marks.keys(whole, names, lines.values()), PAGE)
    return figure


def gap_cells(summary: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells of unbiased topologies with `condition` = 1/(1 − λ_Q), and all of the summary's rows that they are from.

    Raises:
        ValueError: if none has a gap.
    """
    fair = best_rates(summary[(summary["biased"] != True) & (summary["lambda_q"] < 1)])  # noqa: E712
    if fair.empty:
        raise ValueError("gap is missing: no run tells the contraction of its gossip, so nothing stands against it")
    metric = str(fair["metric"].iloc[0])
    if metric.startswith("consensus_distance") and (fair["lambda_q"] > AT_ONCE).any():
        fair = fair[fair["lambda_q"] > AT_ONCE]  # what rounding leaves of 0 would spoil the axis and the fit
    log = not metrics.rises(metric)
    found = cells(fair, ("steady", "rounds_to", "predicted", "shape", "consensus"), log=log)
    found["condition"] = 1 / (1 - found["lambda_q"])
    return found, fair


def _title(metric: str, y: str, points: pd.DataFrame) -> str:
    if y == "steady":
        return f"steady {metrics.title(metric)}"
    targets = sorted(points["target"].dropna().unique())
    short = metrics.title(metric).replace(" (%)", "").replace("\n", " ")
    short = "the target" if len(short) > 12 else f"{short}"
    goal = f" {metrics.shown(metric, targets[0])}" if len(targets) == 1 and short != "the target" else ""
    return f"rounds to {short}{goal}"


def _fit(ax: Axes, part: pd.DataFrame, y: str, log_y: bool, apart: str) -> str:
    """Draw the fitted line; returns what the panel's title says of it and of the target, with `apart` in long lines."""
    line = fit(part["condition"], part[y], log_y=log_y)
    said = []
    target = part["target"].iloc[0]
    if y == "rounds_to" and np.isfinite(target):
        missed = int((~np.isfinite(part["rounds_to"])).sum())
        goal = f"target {metrics.shown(str(part['metric'].iloc[0]), target)}"
        said.append(goal + (f",{apart}which {missed} of {len(part)} cells do not reach" if missed else ""))
    elif y == "rounds_to":
        said.append(f"no target: what most runs reach,{apart}some begin at")
    if line is not None:
        ends = np.array([part["condition"].min(), part["condition"].max()])
        ax.plot(ends, line(ends), zorder=1, **FITTED)
        slope = f"slope {line.slope:.2g} [{line.low:.2g}, {line.high:.2g}],".replace("-", "−")
        said.append(f"fit: {slope}{apart}$R^2$ = {line.r2:.2f}")
    return "\n".join(said)


def _theory(ax: Axes, part: pd.DataFrame, lines: dict[str, Line2D]) -> str:
    """Draw theory's lines; returns what the panel's title says of the closed form."""
    said = ""
    known = part[np.isfinite(part["predicted"])]
    if not known.empty:
        for _, family in known.groupby(["topology", *(name for name in SHARED if known[name].nunique() > 1)]):
            line = family.sort_values("condition")
            ax.plot(line["condition"], line["predicted"], zorder=4, **FORM)
        lines["form"] = Line2D([], [], label="closed form", **FORM)
        r2 = agreement(known["predicted"], known["steady"])
        said = "" if r2 is None else f"closed form, without a fit: $R^2$ = {r2:.3f}"
    sam = part["algorithm"].isin(SAM) & np.isfinite(part["steady"])
    same = (
        part.loc[sam].reindex(columns=["local_steps", "rounds"]).drop_duplicates().dropna()
    )  # an older run may lack K
    if len(same) == 1 and ax.get_yscale() == "log":
        K, T = (float(same[name].iloc[0]) for name in ("local_steps", "rounds"))
        there = part.loc[sam]
        rate = theory.dfedsam_rate(there["lambda_q"], K, T)
        level = np.exp(np.mean(np.log(there["steady"]) - np.log(rate)))
        x = np.geomspace(part["condition"].min(), part["condition"].max(), 60)
        ax.plot(x, level * theory.dfedsam_rate(1 - 1 / x, K, T), zorder=1, **RATE)
        lines["rate"] = Line2D([], [], label="DFedSAM's rate, scaled", **RATE)
    return said
