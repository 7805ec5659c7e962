"""The spectral gap of each topology against the number of peers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from dfedsam.analysis import marks
from dfedsam.analysis.style import COLUMN, GREY, curve, line_height, new_figure, scaled, styled

GUIDES = {"$n^{-2}$": lambda n: n**-2.0, "$n^{-1}$": lambda n: 1 / n, r"$1/\log n$": lambda n: 1 / np.log(n)}
LEVELS = (1.2, 2.2, 2.0)  # what a guide is multiplied by, so that it runs beside the curves it is for


def gap_size(runs: pd.DataFrame) -> Figure:
    """Draw 1 − λ against n, both logarithmic, a curve a topology; grey guides show n⁻², n⁻¹ and 1/log n.

    n⁻² is the slope of rings and paths, n⁻¹ that of tori, grids and stars, 1/log n that of exponential graphs and
    hypercubes. Of random graphs the mean over seeds is drawn. Biased topologies, which have no gap, are left out.

    Args:
        runs: as in `analysis.studies.Study`.

    Raises:
        ValueError: if no run says its gap, or all have one size.
    """
    table = usable(runs)
    names = marks.order(table)
    sizes = np.array(sorted(table["peers"].unique()), dtype=float)
    with styled():
        figure = new_figure(COLUMN, 2.5 + line_height() * -(-len(names) // 2))
        ax = figure.subplots()
        for name in names:
            mean = table[table["topology"] == name].groupby("peers")["gap"].mean()
            look = curve(names.index(name))
            ax.plot(mean.index.to_numpy(float), mean.to_numpy(), label=name, **look)
        ends = np.geomspace(sizes[0], sizes[-1], 50)
        for (name, guide), level in zip(GUIDES.items(), LEVELS, strict=True):
            line = level * guide(ends)
            ax.plot(ends, line, color=GREY, linewidth=scaled(0.7), linestyle=(0, (1, 2)), zorder=1)
            ax.annotate(
                name, (ends[-1], line[-1]), (4, 0), textcoords="offset points", color=GREY,
                fontsize=scaled(7), va="center", annotation_clip=False,
            )  # fmt: skip
        marks.logarithmic(ax)
        shown = sizes if len(sizes) <= 6 else sizes[np.unique(np.linspace(0, len(sizes) - 1, 6).astype(int))]
        ax.xaxis.set_major_locator(FixedLocator(list(shown)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
        ax.set_xlabel("peers n")
        ax.set_ylabel("spectral gap 1 − λ")
        figure.legend(loc="outside lower center", ncols=2, handlelength=3)
    return figure


def usable(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs whose topology has a gap, one row a topology, size and seed."""
    if "gap" not in runs or not (runs["gap"] > 0).any():
        raise ValueError("gap is missing: no run has a topology.json with a spectral gap; it cannot be drawn")
    found = runs[(runs["gap"] > 0) & (runs["biased"] != True)]  # noqa: E712  None is not biased
    if found["peers"].nunique() < 2:
        raise ValueError("peers is the same in all runs: at least two sizes are needed to draw the gap against them")
    return found.drop_duplicates(["topology", "peers", "gap"])
