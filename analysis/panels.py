"""One panel of a convergence figure: curves, references and axes. x and y are columns of `analysis.runs.read_runs`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from dfedsam.analysis.intervals import mean_and_interval
from dfedsam.analysis.runs import REFERENCE
from dfedsam.analysis.style import COLOURS, GREY, curve

DECADES = 2  # a loss that spans more is drawn on a logarithmic axis
BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes"))
MARKS = 8  # markers along a curve
MARGIN = 0.085  # the least distance between two names, in heights of the panel


def numbers(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """A column as floats, NaN where there is nothing, also if the whole column is missing."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    return np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)


def has_something(frame: pd.DataFrame, y: str) -> bool:
    """Whether a panel of y would show anything; on consensus distance's logarithmic axis 0 does not show."""
    values = numbers(frame, y)
    return bool((np.isfinite(values) & ((values > 0) | (not y.startswith("consensus_distance")))).any())


def is_logarithmic(frame: pd.DataFrame, y: str) -> bool:
    """Consensus distance always is; a loss or an error if it is positive and spans more than two decades."""
    if y == "consensus_distance":
        return True
    values = numbers(frame, y)
    values = values[np.isfinite(values)]
    return y in ("loss", "error_local") and values.min() > 0 and values.max() > values.min() * 10**DECADES


def over_seeds(run: pd.DataFrame, x: str, y: str, *, log: bool = False) -> tuple[NDArray[np.float64], ...]:
    """x (mean), y (mean), low and high of the runs of one label, at the rounds that all of them have reached.

    Returns:
        Four arrays of shape (rounds,); low and high are NaN where there are less than two runs.
    """
    tables = [table.set_index("round") for _, table in run.groupby("run", sort=False)]
    rounds = sorted(set.intersection(*(set(table.index) for table in tables)))
    across = np.array([rounds if x == "round" else numbers(table.loc[rounds], x) for table in tables], dtype=np.float64)
    values = np.array([numbers(table.loc[rounds], y) for table in tables])
    return across.mean(axis=0), *mean_and_interval(values, geometric=log)


def draw_curve(
    ax: Axes,
    run: pd.DataFrame,
    x: str,
    y: str,
    *,
    log: bool = False,
    number: int = 0,
    of: int = 1,
    label: str | None = None,
) -> None:
    """The mean over the runs of one label in the look of curve `number`, and its interval as a band."""
    across, mean, low, high = over_seeds(run, x, y, log=log)
    if log:
        mean = np.where(mean > 0, mean, np.nan)  # peers that still agree have distance 0, which no logarithm shows
    mean = np.where(np.isfinite(mean), mean, np.nan)
    step = max(1, len(across) // MARKS)
    look = curve(number)
    every = (number * step // of, step) if len(across) > MARKS else None
    ax.plot(across, mean, **look, markevery=every, label=label, markeredgewidth=0)
    if np.isfinite(low).any():
        ax.fill_between(across, low, high, color=look["color"], alpha=0.18, linewidth=0)


def references(runs: Mapping[str, pd.DataFrame], y: str) -> list[tuple[str, float, str]]:
    """What the panel of y is set beside, from columns such as `reference.zero_shot_accuracy`: (name, value, colour).

    The value is the mean over a label's runs. Where labels differ in it, each has its own in its curve's colour; one
    that all share is grey.
    """
    found = []
    columns = dict.fromkeys(
        c for run in runs.values() for c in map(str, run) if c.startswith(REFERENCE) and c.endswith(f"_{y}")
    )
    for column in columns:
        name = column.removeprefix(REFERENCE).removesuffix(f"_{y}").replace("_", "-")
        values = {}
        for number, run in enumerate(runs.values()):
            each = numbers(run.drop_duplicates("run"), column)
            if np.isfinite(each).any():
                values[number] = float(np.nanmean(each))
        if len({f"{value:.4g}" for value in values.values()}) == 1:
            values = {-1: next(iter(values.values()))}
        for number, value in values.items():
            shown = f"{100 * value:.1f} %" if y == "accuracy" else f"{value:.3g}"
            found.append((f"{name} {shown}", value, COLOURS[number % len(COLOURS)] if number >= 0 else GREY))
    return found


def draw_references(row: NDArray[Any], lines: list[tuple[str, float, str]]) -> None:
    """Thin dashed lines across a row of panels."""
    for ax in row:
        for _, value, colour in lines:
            ax.axhline(value, color=colour, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)


def name_lines(ax: Axes, names: list[tuple[str, float, str]]) -> None:
    """Names right of a panel, each beside its value, clear of the others. Draw the curves first."""
    scale = ax.yaxis.get_transform()
    low, high = scale.transform(ax.get_ylim())
    names = sorted(names, key=lambda name: name[1])
    heights = [float(scale.transform([value])[0] - low) / (high - low) for _, value, _ in names]
    for (name, _, colour), height in zip(names, spread(heights, MARGIN), strict=True):
        ax.annotate(
            name, (1, height), (4, 0), "axes fraction", "offset points",
            color=_darker(colour), fontsize=6.5, va="center", ha="left", annotation_clip=False,
        )  # fmt: skip


def spread(places: list[float], gap: float) -> list[float]:
    """Places (rising) moved apart, each group about its own middle, until neighbours are at least `gap` apart."""
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _ends(groups[-2], gap)[1] + gap > _ends(groups[-1], gap)[0]:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_ends(group, gap)[0] + gap * i for group in groups for i in range(len(group))]


def _ends(group: list[float], gap: float) -> tuple[float, float]:
    middle, half = sum(group) / len(group), gap * (len(group) - 1) / 2
    return middle - half, middle + half


def _darker(colour: str) -> tuple[float, ...]:
    return tuple(0.7 * part for part in to_rgb(colour))  # thin letters need more contrast than lines


def dress_y(ax: Axes, y: str, label: str, *, log: bool, first: bool) -> None:
    """Scale, ticks and (in the first column) name of the vertical axis. Draw the curves first."""
    if log:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        near = high < low * 30  # too few powers of ten to read a value from
        ax.yaxis.set_major_locator(LogLocator(numticks=6))
        ax.yaxis.set_minor_locator(LogLocator(subs=(2, 5) if near else tuple(range(2, 10)), numticks=12))
        ax.yaxis.set_major_formatter(FuncFormatter(power))
        ax.yaxis.set_minor_formatter(FuncFormatter(power) if near else NullFormatter())
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if y == "accuracy":
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
    if first:
        ax.set_ylabel(label)


def power(value: float, _: int) -> str:
    if 1e-3 <= value <= 1e3:
        return f"{value:g}"
    digit, exponent = f"{value:.0e}".split("e")
    times = "" if digit == "1" else rf"{digit} \times "
    return f"${times}10^{{{int(exponent)}}}$"


def byte_unit(largest: float) -> tuple[float, str]:
    """The unit that so many bytes call for, as a factor and its name."""
    return next(pair for pair in BYTES if largest >= pair[0] or pair[0] == 1)


def dress_x(ax: Axes, x: str, label: str, largest: float) -> None:
    """Ticks, unit and name of the horizontal axis: bytes in the unit of their largest value, time by logarithms."""
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    if x == "bytes":
        factor, unit = byte_unit(largest)
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:g}"))
        label = f"{label} ({unit})"
    elif largest >= 10_000:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    if x == "time" and largest > 0:  # graphs with hubs take many times what others do
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(numticks=6))
        ax.xaxis.set_major_formatter(FuncFormatter(power))
        ax.xaxis.set_minor_formatter(NullFormatter())
    if largest == 0:  # nothing but the start
        ax.set_xlim(-0.5, 1)
    ax.set_xlabel(label)
