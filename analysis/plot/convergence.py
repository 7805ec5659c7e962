"""Metrics against rounds, queries, bytes or time: curves of runs, means over seeds, and references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfedsam.analysis.plot import axes, style
from dfedsam.analysis.plot.points import facet_title
from dfedsam.analysis.read import metrics
from dfedsam.analysis.read.metrics import numbers
from dfedsam.analysis.read.runs import REFERENCE, RUN_COLUMNS
from dfedsam.errors import OptionError
from dfedsam.names import did_you_mean
from dfedsam.options import one_of

if TYPE_CHECKING:
    from dfedsam.result import Result

ROWS = ("loss", "error_local", "accuracy", "consensus_distance")  # rows of panels, for the metrics that a run has
X = {  # name of a horizontal axis: column and title
    "rounds": ("round", "round"),
    "queries": ("queries", "queries per peer"),
    "bytes": ("bytes", "sent per peer"),
    "time": ("message_time", "message time (s)"),
    "seconds": ("time", "simulated time (s)"),
}
# Metrics in the panels of a single run, and their names there
SINGLE = {
    "loss": {"loss": ""},
    "accuracy": {"accuracy": "mean model", "accuracy_local": "average peer", "accuracy_worst": "worst peer"},
    "consensus_distance": {"consensus_distance": "after gossip", "consensus_distance_before_gossip": "before gossip"},
}
_DECADES = 2  # a loss that spans more is drawn on a logarithmic axis


def convergence(
    frame: pd.DataFrame | Result,
    x: str | Sequence[str] = ("rounds", "queries", "bytes"),
    y: str | Sequence[str] = (),
    *,
    color: str | None = None,
    columns: str | None = None,
    size: style.Size | None = None,
    log: bool | None = None,
    names: Mapping[str, str] | None = None,
    title: str = "",
) -> Figure:
    """Draw a row of panels for each metric, and a column for each of `x` or for each value of `columns`.

    Empty panels are omitted: no accuracy on quadratics, no bytes if nothing was sent. Several runs with one label are
    seeds: the line is their mean over the rounds that all have reached (geometric on a logarithmic axis); the band is
    its 95 % interval, or below five seeds each seed is a thin line. A single run also shows how much its peers differ.

    Args:
        frame: evaluations of `read_runs`, or of any run: columns `round` and metrics; also `run` and `label` for
            several runs. Or the result of a run.
        x: what to draw against: "rounds", "queries", "bytes" (per peer), "time" (of messages, `summary.with_time`) or
            "seconds" (of the runs' clocks).
        y: metrics to draw, a row of panels each; empty: those of ROWS that were recorded.
        color: column of `frame` by whose values curves are coloured.
        columns: column of `frame` by whose values panels are split.
        size: "column" or "page" of a paper, or (width, height) in inches.
        log: whether vertical axes are logarithmic; None decides by the data.
        names: the legend's name of each label; None: the label itself.
        title: title above all panels.

    Returns:
        The figure, by default 3.4 inches wide for one column of panels and 7 for more.

    Raises:
        ValueError: if x has an unknown name, a column is missing, or there is nothing to draw.
    """
    x, y = ([one] if isinstance(one, str) else one for one in (x, y))
    frame = _complete(frame if isinstance(frame, pd.DataFrame) else frame.metrics)
    panels = _panels(frame, x, columns)
    rows = _rows(frame, y)
    if not panels or not rows:
        raise ValueError("nothing to draw yet: a figure needs one evaluation; wait for the first")
    single = frame["run"].nunique() == 1
    styles = _styles(frame, color)
    called = {label: (names or {}).get(label, str(label)) for label in styles} if color is None else {}
    with style.rc_context():
        width, height = style.figure_size(size, len(panels), len(rows))
        figure = style.new_figure(width, height)
        sharex = "all" if columns else "col"
        grid = figure.subplots(len(rows), len(panels), sharex=sharex, sharey="row", squeeze=False)
        handles: dict[str, Any] = {}
        for name, row in zip(rows, grid, strict=True):
            logarithmic = _is_logarithmic(frame, name) if log is None else log
            for (part, column, _), ax in zip(panels, row, strict=True):
                handles |= _draw(ax, part, column, name, logarithmic, styles, called, single)
                title_y = metrics.title(name).replace("consensus ", "consensus" + style.title_separator())
                axes.format_yaxis(ax, name, title_y if ax is row[0] else None, log=logarithmic)
            _draw_references(row, _references(frame, name, styles), single)
        for (part, column, above), top, bottom in zip(panels, grid[0], grid[-1], strict=True):
            top.set_title(style.plain(above))
            title_x = next(words for name, words in X.values() if name == column)
            axes.format_xaxis(bottom, column, title_x, float(np.nanmax(numbers(part, column))))
        figure.align_ylabels()
        title = title or (str(frame["label"].iloc[0]) if len(styles) == 1 else "")
        if title:
            figure.suptitle(fill(style.plain(title), int(width / style.char_width())))
        if not single:
            seeds = [int(n) for n in frame.groupby("label")["run"].nunique()]
            axes.legend(figure, list(handles.values()), axes.seeds_note(seeds))
            if size is None:
                figure.set_figheight(height + axes.legend_height(list(handles.values()), width))
    return figure


def _complete(frame: pd.DataFrame) -> pd.DataFrame:
    """The table of metrics with all columns that curves need."""
    if "round" not in frame:
        raise ValueError("nothing to draw yet: the table has no column round")
    run = frame["run"] if "run" in frame else pd.Series("", frame.index)
    return frame.assign(run=run, label=frame.get("label", run))


def _panels(frame: pd.DataFrame, x: Sequence[str], columns: str | None) -> list[tuple[pd.DataFrame, str, str]]:
    """The columns of panels: evaluations, column of the horizontal axis, title."""
    for word in x:
        one_of("x", word, X)
    if columns is None:
        used = [X[word][0] for word in x]
        return [(frame, column, "") for column in used if column == "round" or (numbers(frame, column) > 0).any()]
    if columns not in frame:
        raise OptionError("columns", columns, "must be a column of the table")
    if len(x) != 1:
        raise OptionError("x", ",".join(x), "must be a single name if columns is set", "such as rounds")
    parts = frame.groupby(columns, sort=True, dropna=False)
    title = columns.rpartition(".")[2]
    return [(part, X[x[0]][0], _panel_title(title, value, part)) for value, part in parts]


def _panel_title(name: str, value: Any, part: pd.DataFrame) -> str:
    if name == "heterogeneity":
        return facet_title(value, part)
    text = f"{value:g}" if isinstance(value, int | float | np.number) else str(value)
    known = {"topology": text, "algorithm": text, "peers": f"{text} peers", "steps": f"Q = {text}"}
    return known.get(name, f"{name} = {text}")


def _rows(frame: pd.DataFrame, y: Sequence[str]) -> list[str]:
    for name in y:
        if name not in frame or not np.isfinite(numbers(frame, name)).any():
            known = metrics.available(frame, RUN_COLUMNS)
            hint = f"there is {', '.join(known)}{did_you_mean(name, known, '; did you mean {}?')}"
            raise OptionError("y", name, "must be a metric that a run has recorded", hint)
    return list(y) or [name for name in ROWS if _shows_something(frame, name)]


def _shows_something(frame: pd.DataFrame, y: str) -> bool:
    """Whether a panel of y would show anything; the logarithmic axis of consensus distance cannot show 0."""
    values = numbers(frame, y)
    return bool((np.isfinite(values) & ((values > 0) | (not y.startswith("consensus_distance")))).any())


def _is_logarithmic(frame: pd.DataFrame, y: str) -> bool:
    """Whether the axis is logarithmic: for consensus distance; for a positive loss or error over two decades."""
    if y.startswith("consensus_distance"):
        return True
    values = numbers(frame, y)
    values = values[np.isfinite(values)]
    return y.startswith(("loss", "error")) and values.min() > 0 and values.max() > values.min() * 10**_DECADES


def _styles(frame: pd.DataFrame, color: str | None) -> dict[str, dict[str, Any]]:
    """The style of each label's curve."""
    shown = list(dict.fromkeys(frame["label"]))
    if color is None:
        return {label: style.curve_style(number) for number, label in enumerate(shown)}
    if color not in frame:
        raise OptionError("color", color, "must be a column of the table")
    of = dict(zip(frame["label"], frame[color], strict=True))
    values = sorted(set(of.values()), key=lambda value: (isinstance(value, str), value))
    return {label: {**style.curve_style(values.index(of[label])), "value": of[label]} for label in shown}


def _draw(
    ax: Axes, part: pd.DataFrame, x: str, y: str, log: bool, styles: Mapping[str, dict[str, Any]],
    names: Mapping[str, str], single: bool,
) -> dict[str, Any]:  # fmt: skip
    """Draw the curves of a panel, and return the legend's artists by name."""
    if log:
        ax.set_yscale("log")
    if single:
        shown = {column: name for column, name in SINGLE.get(y, {y: ""}).items() if _shows_something(part, column)}
        for number, (column, name) in enumerate(shown.items()):
            look, name = style.curve_style(number), name or metrics.title(y, line=True)
            axes.draw_course(ax, part, x, column, look, name, log=log, start=number / len(shown))
        return {}
    count = len(styles)
    for number, (label, look) in enumerate(styles.items()):
        run = part[part["label"] == label]
        if run.empty:
            continue
        name = names.get(label, str(look.get("value", label)))
        look = {key: value for key, value in look.items() if key != "value"}
        axes.draw_course(ax, run, x, y, look, name, log=log, start=number / count)
    return {str(line.get_label()): line for line in ax.lines if not str(line.get_label()).startswith("_")}


def _draw_references(row: Sequence[Axes], lines: list[tuple[str, float, str]], single: bool) -> None:
    """Draw references as thin dashed lines across a row of panels, and write names, also of a single run's curves."""
    for ax in row:
        for _, value, colour in lines:
            ax.axhline(value, color=colour, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
    axes.name_lines(row[-1], lines + (_line_ends(row[-1]) if single else []))


def _line_ends(ax: Axes) -> list[tuple[str, float, str]]:
    """Name, last value and colour of the curves of a single run, for names at their ends; empty for one curve."""
    lines = [line for line in ax.lines if not str(line.get_label()).startswith("_")]  # "_…" are references
    if len(lines) < 2:
        return []
    values = [np.asarray(line.get_ydata(), dtype=float) for line in lines]
    last = [float(each[np.isfinite(each)][-1]) for each in values]
    return [(str(line.get_label()), value, str(line.get_color())) for line, value in zip(lines, last, strict=True)]


def _references(frame: pd.DataFrame, y: str, styles: Mapping[str, dict[str, Any]]) -> list[tuple[str, float, str]]:
    """References of y from columns such as `reference.zero_shot_accuracy`: (name, value, colour).

    The value is the mean over a label's runs. If labels differ in it, each has the colour of its curve; a shared
    value is grey.
    """
    lines = []
    for column in (name for name in map(str, frame) if name.startswith(REFERENCE) and name.endswith(f"_{y}")):
        name = column.removeprefix(REFERENCE).removesuffix(f"_{y}").replace("_", "-")
        values: dict[str, float] = {}
        for label, run in frame.groupby("label", sort=False):
            each = numbers(run.drop_duplicates("run"), column)
            if np.isfinite(each).any():
                values[str(label)] = float(np.nanmean(each))
        colours = {label: str(styles[label]["color"]) for label in values}
        if len({f"{value:.4g}" for value in values.values()}) == 1:
            values, colours = {"": next(iter(values.values()))}, {"": style.GREY}
        for label, value in values.items():
            shown = f"{100 * value:.1f} %" if y == "accuracy" else f"{value:.3g}"
            lines.append((f"{name} {shown}", value, colours.get(label, style.COLOURS[0])))
    return lines
