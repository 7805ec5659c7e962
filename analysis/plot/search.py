"""How a search chose the value of an option in each cell of a study."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dfedsam.analysis.plot.axes import format_yaxis, legend, legend_height, logarithmic
from dfedsam.analysis.plot.style import COLUMN, curve_style, new_figure, plain, rc_context, scaled
from dfedsam.analysis.read import metrics

_WIDE = 5  # ratio of the values from which on their axis is logarithmic
_MOST = 12  # maximum of cells with a curve of their own


def search_curves(search: dict[str, Any]) -> Figure:
    """Draw the metric against the values searched, a curve per cell; a ring marks each chosen value.

    Args:
        search: an element of `Study.searches`.

    Raises:
        ValueError: if no cell has a chosen value, or the values are no numbers.
    """
    values, metric = search["values"], str(search["metric"])
    cells = [cell for cell in search["cells"] if cell["chosen"] is not None]
    if not cells:
        raise ValueError("no value was chosen")
    if not all(isinstance(value, int | float) for value in values):
        raise ValueError(f"{search['option']} has values that are no numbers")
    order = np.argsort(values)
    x = np.asarray(values, dtype=float)[order]
    shown = cells if len(cells) <= _MOST else cells[:: -(-len(cells) // _MOST)]
    lines = []
    with rc_context():
        figure = new_figure(COLUMN, 2.4)
        axes = figure.subplots()
        for number, cell in enumerate(shown):
            y = np.asarray([np.nan if mean is None else mean for mean in cell["means"]], dtype=float)[order]
            style, best = curve_style(number), list(order).index(cell["chosen"])
            lines += axes.plot(x, y, label=_name(cell["runs"][0]), **style)
            axes.plot(x[best], y[best], "o", color=style["color"], markersize=scaled(8), fillstyle="none")
        if x[0] > 0 and x[-1] / x[0] >= _WIDE:
            logarithmic(axes, "x")
        base = metric.removeprefix("validation_")
        label = metrics.title(base, line=True)
        format_yaxis(axes, base, f"validation {label}" if base != metric else label, log=False)
        axes.set_xlabel(plain(str(search["option"])))
        figure.set_figheight(figure.get_figheight() + legend_height(lines, COLUMN))
        legend(figure, lines)
    return figure


def _name(run: str) -> str:
    """A cell's name: that of its run without the seed."""
    return ",".join(part for part in run.split(",") if not part.startswith("seed=")) or "all runs"
