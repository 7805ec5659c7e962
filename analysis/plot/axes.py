"""Axes, legends and curves that all figures share: scales, ticks, units, seeds, names at the ends of lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from dfedsam.analysis.plot.style import char_width, line_height, plain, scaled
from dfedsam.analysis.read import metrics
from dfedsam.analysis.read.metrics import numbers
from dfedsam.analysis.statistics import FEW_SEEDS, mean_and_interval

_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes"))
_MARKERS = 8  # along a curve
_NAME_GAP = 0.085  # least distance between two names next to a panel, in heights of the panel


class Course(NamedTuple):
    """Means of the runs of one label over the rounds that all of them have reached; arrays of shape (rounds,).

    `seeds` has shape (runs, rounds). Below FEW_SEEDS runs low and high are NaN.
    """

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    seeds: NDArray[np.float64]


def over_seeds(run: pd.DataFrame, x: str, y: str, *, log: bool = False) -> Course:
    """The mean of the columns x and y over the runs of one label, with the interval of y's mean within its range.

    Args:
        run: evaluations with the columns `run` and `round`.
        x: column of the horizontal axis.
        y: column of the vertical axis.
        log: geometric means of y, for a logarithmic axis.
    """
    tables = [table.set_index("round") for _, table in run.groupby("run", sort=False)]
    rounds = sorted(set.intersection(*(set(table.index) for table in tables)))
    across = np.array([rounds if x == "round" else numbers(table.loc[rounds], x) for table in tables], dtype=np.float64)
    values = np.array([numbers(table.loc[rounds], y) for table in tables])
    if log:
        values = np.where(values > 0, values, np.nan)  # distance 0 (consensus) has no logarithm
    values = np.where(np.isfinite(values), values, np.nan)
    mean, low, high = mean_and_interval(values, geometric=log)
    if len(values) == 1:
        mean = values[0]  # exact, unlike the exponential of its logarithm
    enough = len(tables) >= FEW_SEEDS
    low, high = (np.clip(side, *metrics.bounds(y)) if enough else np.full(len(rounds), np.nan) for side in (low, high))
    return Course(across.mean(axis=0), np.where(np.isfinite(mean), mean, np.nan), low, high, values)


def draw_course(
    ax: Axes, run: pd.DataFrame, x: str, y: str, style: dict[str, Any], label: str,
    *, log: bool = False, start: float = 0.0, whole: bool = False,
) -> None:  # fmt: skip
    """Draw a mean over seeds with its interval as a band; below FEW_SEEDS runs each seed as a thin line.

    The limits of the axes follow the means and the thin lines.

    Args:
        ax: the panel.
        run: as for `over_seeds`, and so are x, y and log.
        x: column.
        y: column.
        style: colour, line style and marker of the mean.
        label: name in the legend.
        log: geometric means.
        start: offset of the first marker, as a share of the distance between markers, so that curves' markers do not
            cover each other.
        whole: whether bands widen the limits of the axes too.
    """
    course = over_seeds(run, x, y, log=log)
    step = max(1, len(course.x) // _MARKERS)
    every = (int(start * step), step) if len(course.x) > _MARKERS else None
    ax.plot(course.x, course.mean, **{"markeredgewidth": 0, **style}, markevery=every, label=label)
    if np.isfinite(course.low).any():
        with nullcontext() if whole else keep_limits(ax):
            ax.fill_between(course.x, course.low, course.high, color=style["color"], alpha=0.18, linewidth=0)
    elif len(course.seeds) > 1:
        for seed in course.seeds:
            thin: dict[str, Any] = {"linewidth": scaled(0.4), "alpha": 0.5, "zorder": 1.5}
            ax.plot(course.x, seed, color=style["color"], label="_seed", **thin)


@contextmanager
def keep_limits(ax: Axes) -> Iterator[None]:
    """A context in which drawing does not change the limits of the axes."""
    limits = ax.dataLim.frozen()
    least = np.array(ax.dataLim.minpos)
    yield
    ax.dataLim.set(limits)
    ax.dataLim._minpos[:] = least  # type: ignore[attr-defined]  # the least positive value, for logarithmic axes


def seeds_note(runs: Sequence[int]) -> str | None:
    """The legend's note on means, from the numbers of runs per curve; None if each curve is one run."""
    if max(runs, default=1) < 2:
        return None
    if max(runs) < FEW_SEEDS:
        return "mean over seeds; thin: each seed"
    return "mean over seeds; band: 95 % interval" + ("" if min(runs) >= FEW_SEEDS else ", or each seed")


def format_yaxis(ax: Axes, y: str, label: str | None, *, log: bool) -> None:
    """Set scale, ticks and, unless it is None, the name of the vertical axis. Call after drawing the curves."""
    if log:
        logarithmic(ax, "y")
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if metrics.is_share(y):
        percent = FuncFormatter(lambda value, _: f"{100 * value:.4g}")
        ax.yaxis.set_major_formatter(percent)
        if isinstance(ax.yaxis.get_minor_formatter(), FuncFormatter):  # a logarithmic axis of less than two decades
            ax.yaxis.set_minor_formatter(percent)
    if label is not None:
        ax.set_ylabel(label)


def format_xaxis(ax: Axes, x: str, label: str, largest: float) -> None:
    """Set ticks, unit and name of the horizontal axis: bytes in the unit of the largest value, time logarithmic."""
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    if x == "bytes":
        factor, unit = byte_unit(largest)
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:g}"))
        label = f"{label} ({unit})"
    elif largest >= 10_000:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    if x == "message_time" and largest > 0:  # graphs with hubs take many times longer than others
        logarithmic(ax, "x")
        ax.xaxis.set_minor_formatter(NullFormatter())
    if largest == 0:  # only the start
        ax.set_xlim(-0.5, 1)
    ax.set_xlabel(label)


def logarithmic(ax: Axes, which: str = "xy") -> None:
    """Make axes logarithmic, with readable ticks even below two decades. Call after drawing the data."""
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if name not in which:
            continue
        # a line that starts at 0 starts at its first point on the axis; a band may end at the lower edge
        getattr(ax, f"set_{name}scale")("log", nonpositive="mask" if name == "x" else "clip")
        low, high = getattr(ax, f"get_{name}lim")()
        near = np.floor(np.log10(high)) - np.ceil(np.log10(low)) < 1  # at most one power of ten in the range
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_locator(LogLocator(subs=(2, 5) if near else tuple(range(2, 10)), numticks=12))
        axis.set_major_formatter(FuncFormatter(_power))
        axis.set_minor_formatter(FuncFormatter(_power) if near else NullFormatter())


def _power(value: float, _: int) -> str:
    if 1e-3 <= value <= 1e3:
        return f"{value:g}"
    digit, exponent = f"{value:.0e}".split("e")
    times = "" if digit == "1" else rf"{digit} \times "
    return f"${times}10^{{{int(exponent)}}}$"


def byte_unit(largest: float) -> tuple[float, str]:
    """The unit for a number of bytes: factor and name."""
    return next(pair for pair in _BYTES if largest >= pair[0] or pair[0] == 1)


def legend(figure: Figure, handles: Sequence[Any], title: str | None = None) -> None:
    """A legend of artists with a label below all panels, in as many columns as fit into the figure's width."""
    if not handles:
        return
    width = figure.get_figwidth()
    handle = 1.6 if all(isinstance(line, Line2D) and not line.is_dashed() for line in handles) else 3.2
    names, columns = _legend_names(handles, width, handle)
    figure.legend(list(handles), names, loc="outside lower center", ncols=columns, title=title, handlelength=handle)


def legend_height(handles: Sequence[Any], width: float) -> float:
    """The height in inches of `legend` in a figure of this width, to enlarge the figure accordingly."""
    names, columns = _legend_names(handles, width, 3.2)
    rows = [names[i : i + columns] for i in range(0, len(names), columns)]
    return sum(max(name.count("\n") + 1 for name in row) for row in rows) * line_height() + 0.1


def _legend_names(handles: Sequence[Any], width: float, handle: float) -> tuple[list[str], int]:
    room = 0.12 + handle * scaled(0.1)  # inches before a name
    letters = int((width - room) / char_width())
    names = [fill(plain(str(line.get_label())), letters) for line in handles]
    longest = max((len(line) for name in names for line in name.splitlines()), default=1)
    return names, min(len(names), max(1, int(width / (longest * char_width() + room)))) or 1


def name_lines(ax: Axes, names: Sequence[tuple[str, float, str]]) -> None:
    """Write names, with their value and colour, right of a panel, each at its value, without overlap.

    Call after drawing the curves.
    """
    scale = ax.yaxis.get_transform()
    low, high = scale.transform(ax.get_ylim())
    names = sorted(names, key=lambda name: name[1])
    heights = [float(scale.transform([value])[0] - low) / (high - low) for _, value, _ in names]
    heights = spread([min(max(height, 0.0), 1.0) for height in heights], _NAME_GAP)
    for (name, _, colour), height in zip(names, heights, strict=True):
        darker = tuple(0.7 * part for part in to_rgb(colour))  # thin letters need more contrast than lines
        ax.annotate(
            name, (1, height), (4, 0), "axes fraction", "offset points",
            color=darker, fontsize=scaled(6.5), va="center", ha="left", annotation_clip=False,
        )  # fmt: skip


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Spread rising heights, each group around its middle, until neighbours are at least `gap` apart."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _ends(groups[-2], gap)[1] + gap > _ends(groups[-1], gap)[0]:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_ends(group, gap)[0] + gap * i for group in groups for i in range(len(group))]


def _ends(group: Sequence[float], gap: float) -> tuple[float, float]:
    middle, half = sum(group) / len(group), gap * (len(group) - 1) / 2
    return middle - half, middle + half
