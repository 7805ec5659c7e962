"""Drawing of which runs reach the target first, over bandwidth, latency and slowness."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dfedsam.analysis.plot.points import evenly
from dfedsam.analysis.plot.style import COLOURS, PAGE, new_figure, plain, rc_context, scaled

_MOST = 3  # facets
_TINT = 0.3  # share of a run's colour in that of its cell, on which black letters are read
_LETTERS = 13  # of a name in a line


def draw_fastest(table: pd.DataFrame) -> Figure:
    """Draw the fastest run and its seconds at each bandwidth and latency, a panel for each facet and slowness.

    Args:
        table: result of `fastest.times_to_target`.
    """
    first = table[table["fastest"]].drop_duplicates(["facet", "bandwidth", "latency", "factor"])
    facets, factors = evenly(list(dict.fromkeys(first["facet"])), _MOST), sorted(first["factor"].unique())
    shades = {name: _tint(COLOURS[i % len(COLOURS)]) for i, name in enumerate(dict.fromkeys(first["name"]))}
    with rc_context():
        figure = new_figure(PAGE, 0.5 + 1.75 * len(facets))
        grid = figure.subplots(len(facets), len(factors), squeeze=False, sharex=True, sharey=True)
        for facet, row in zip(facets, grid, strict=True):
            for factor, ax in zip(factors, row, strict=True):
                _draw(ax, first[(first["facet"] == facet) & (first["factor"] == factor)], shades)
                speed = "equal peers" if factor == 1 else f"a tenth of the peers {factor:g} × slower"
                ax.set_title(plain(", ".join(filter(None, [facet, speed]))))
            row[0].set_ylabel("latency (ms)")
        for ax in grid[-1]:
            ax.set_xlabel("bandwidth (Mbit/s)")
    return figure


def _draw(ax: Axes, cells: pd.DataFrame, shades: dict[str, tuple[float, ...]]) -> None:
    """One panel: a coloured field with name and seconds for each bandwidth and latency."""
    bandwidths, latencies = (sorted(cells[name].unique()) for name in ("bandwidth", "latency"))
    image = np.ones((len(latencies), len(bandwidths), 3))
    for cell in cells.to_dict("records"):
        i, j = latencies.index(cell["latency"]), bandwidths.index(cell["bandwidth"])
        image[i, j] = shades[cell["name"]]
        text = f"{fill(plain(cell['name']), _LETTERS)}\n{cell['seconds']:.3g} s"
        ax.text(j, i, text, ha="center", va="center", fontsize=scaled(6), linespacing=1.1)
    ax.imshow(image, aspect="auto", origin="lower", interpolation="nearest")
    ax.set_xticks(range(len(bandwidths)), [f"{value / 1e6:g}" for value in bandwidths])
    ax.set_yticks(range(len(latencies)), [f"{1e3 * value:g}" for value in latencies])
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _tint(colour: str) -> tuple[float, ...]:
    return tuple(1 - _TINT * (1 - part) for part in to_rgb(colour))
