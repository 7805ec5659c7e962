"""Metrics against numbers of an option: a setting, such as the privacy budget ε, or the values that a search tried."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfedsam.analysis.plot import axes, points, style
from dfedsam.analysis.read import labels, metrics
from dfedsam.analysis.read.runs import Study

_WIDE = 5  # ratio of the values from which on their axis is logarithmic
_FEWEST = 3  # values of a setting that make a curve
_MOST = 12  # maximum of a search's cells with a curve of their own
_OWN_FIGURES = {"peers", "algorithm.gossip.steps", "objective.split.alpha"}  # what other figures show


def numeric_settings(study: Study) -> list[str]:
    """The settings of which some runs that are otherwise alike have at least three numbers."""
    keys = dict.fromkeys(key for table in study.settings.values() for key in table if key not in _OWN_FIGURES)
    return [key for key in keys if _longest_line(study, key) >= _FEWEST]


def _longest_line(study: Study, key: str) -> int:
    values = setting_values(study, key)
    if len(set(values.values())) < _FEWEST:
        return 0
    lines: dict[str, set[float]] = {}
    for run, value in values.items():
        others = {name: other for name, other in study.settings[run].items() if name != key}
        lines.setdefault(json.dumps(others, sort_keys=True, default=str), set()).add(value)
    return max(map(len, lines.values()))


def setting_values(study: Study, key: str) -> dict[str, float]:
    """A setting's numbers by run; empty if it has any value that is no number."""
    values = {run: table[key] for run, table in study.settings.items() if table.get(key) is not None}
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values.values()):
        return {}
    return values


def setting_curves(
    study: Study, x: str, y: Sequence[str] = (),
    *, columns: str = "topology", size: style.Size | None = None, log: bool = False,
) -> Figure:  # fmt: skip
    """Draw the last values of metrics against a setting x with numbers: a line for each combination of the others.

    Each of the metrics y gets a row of panels (empty: the one that compares runs), and each value of the setting
    `columns` a column; size and log are as for `convergence`.

    Raises:
        ValueError: if no run has the setting and the metric.
    """
    values = setting_values(study, x)
    frame = study.evaluations[study.evaluations["run"].isin(list(values))]
    if frame.empty:
        raise ValueError(f"{x} has no numbers: choose a setting that varies")
    frame = frame.groupby("run", sort=False).tail(1)
    rows = list(y) or [metrics.choose(metrics.available(frame, study.runs.columns))]
    names = _lines(study, list(frame["run"]), {x, columns})
    frame = frame.assign(line=frame["run"].map(names), round=frame["run"].map(values), run=frame["seed"])
    panels = _panels(study, frame, columns)
    with style.rc_context():
        width, height = style.figure_size(size, len(panels), len(rows))
        figure = style.new_figure(width, height)
        grid = figure.subplots(len(rows), len(panels), sharex="all", sharey="row", squeeze=False)
        for name, row in zip(rows, grid, strict=True):
            for (above, part), ax in zip(panels, row, strict=True):
                for number, line in enumerate(dict.fromkeys(names.values())):
                    if not (one := part[part["line"] == line]).empty:
                        axes.draw_course(ax, one, "round", name, style.curve_style(number), line, log=log, whole=True)
                ax.set_title(style.plain(above) if name == rows[0] else "")
                axes.format_yaxis(ax, name, metrics.title(name) if ax is row[0] else None, log=log)
        for ax in grid[-1]:
            _format_xaxis(ax, x, np.array(sorted(set(values.values()))))
        lines = {str(line.get_label()): line for ax in grid[0] for line in ax.lines}
        shown = [line for name, line in lines.items() if not name.startswith("_")]
        seeds = [int(n) for n in frame.groupby(["line", "topology", "round"]).size()]
        axes.legend(figure, shown, axes.seeds_note(seeds))
        if size is None:
            figure.set_figheight(height + axes.legend_height(shown, width))
    return figure


def _lines(study: Study, runs: Sequence[str], hidden: set[str]) -> dict[str, str]:
    """The name of each run's line: the settings that differ, except hidden ones and their options."""
    settings = {run: study.settings[run].items() for run in runs}
    tables = {run: {key: value for key, value in of if not _is_of(key, hidden)} for run, of in settings.items()}
    varying = sorted(labels.differing(tables.values()))
    cells = {run: json.dumps([table.get(key) for key in varying], default=str) for run, table in tables.items()}
    first = {cell: tables[run] for run, cell in reversed(cells.items())}
    for key in varying:  # one setting may name all lines
        values = {cell: labels.value_text(table.get(key)) for cell, table in first.items()}
        if len(set(values.values())) == len(first) and all(isinstance(t.get(key), str) for t in first.values()):
            return {run: values[cell] for run, cell in cells.items()}
    names, _ = labels.legend(list(first.values()), list(first))
    called = dict(zip(first, names, strict=True))
    return {run: called[cell] for run, cell in cells.items()}


def _is_of(key: str, names: set[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _panels(study: Study, frame: pd.DataFrame, columns: str) -> list[tuple[str, pd.DataFrame]]:
    """Title and evaluations of each panel; topologies from the smallest gap to the largest."""
    if columns == "topology":
        return [(name, frame[frame["topology"] == name]) for name in points.order(frame)]
    values = frame.index.map(lambda row: study.settings[str(study.evaluations.loc[row, "run"])].get(columns))
    texts = values.map(labels.value_text)
    return [(labels.setting(columns, value), frame[texts == labels.value_text(value)]) for value in values.unique()]


def _format_xaxis(ax: Axes, x: str, values: np.ndarray) -> None:
    if values[0] > 0 and values[-1] / values[0] >= _WIDE:
        axes.logarithmic(ax, "x")
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=bool((values == values.round()).all())))
    ax.set_xlabel(labels.LETTERS.get(x, x.rpartition(".")[2].replace("_", " ")))


def search_curves(search: dict[str, Any]) -> Figure:
    """Draw the metric against the values searched (of `Study.searches`), a curve per cell; a ring marks the chosen one.

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
    with style.rc_context():
        figure = style.new_figure(style.COLUMN, 2.4)
        ax = figure.subplots()
        for number, cell in enumerate(shown):
            y = np.asarray([np.nan if mean is None else mean for mean in cell["means"]], dtype=float)[order]
            look, best = style.curve_style(number), list(order).index(cell["chosen"])
            lines += ax.plot(x, y, label=_name(cell["runs"][0]), **look)
            ax.plot(x[best], y[best], "o", color=look["color"], markersize=style.scaled(8), fillstyle="none")
        if x[0] > 0 and x[-1] / x[0] >= _WIDE:
            axes.logarithmic(ax, "x")
        base = metric.removeprefix("validation_")
        label = metrics.title(base, line=True)
        axes.format_yaxis(ax, base, f"validation {label}" if base != metric else label, log=False)
        ax.set_xlabel(style.plain(str(search["option"])))
        figure.set_figheight(figure.get_figheight() + axes.legend_height(lines, style.COLUMN))
        axes.legend(figure, lines)
    return figure


def _name(run: str) -> str:
    """A cell's name: that of its run without the seed."""
    return ",".join(part for part in run.split(",") if not part.startswith("seed=")) or "all runs"
