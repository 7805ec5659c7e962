"""Loss, accuracy and consensus distance against rounds, queries and bytes."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfedsam.analysis import panels
from dfedsam.analysis.runs import read_runs
from dfedsam.analysis.style import COLUMN, PAGE, between, letter, new_figure, save, styled

DOWN = {
    "loss": "loss",
    "error_local": "squared distance\nfrom the optimum",
    "accuracy": "accuracy (%)",
    "consensus_distance": "consensus distance",
}
ACROSS = {
    "rounds": ("round", "round"),
    "queries": ("queries", "queries per peer"),
    "bytes": ("bytes", "sent per peer"),
    "time": ("time", "time of messages (s)"),
}
# What the panels of one run alone show, and what it is called there
ALONE = {
    "loss": {"loss": None},
    "error_local": {"error_local": None},
    "accuracy": {"accuracy": "mean model", "accuracy_local": "average peer", "accuracy_worst": "worst peer"},
    "consensus_distance": {"consensus_distance": "after gossip", "consensus_distance_before_gossip": "before gossip"},
}
HANDLE = 0.55  # inches before a name in a legend


def plot_runs(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Draw runs into one figure.

    Args:
        folders: run folders, finished or not; seeds of the same settings become one curve with its interval.
        out: file to write (.pdf, .png, .svg). By default convergence.pdf, in the run folder if there is one run, else
            in the current folder.

    Returns:
        The file written.

    Raises:
        ValueError: if a folder is not a run, none has a row yet, or `out` has another ending.
    """
    if out is None:
        out = (Path(folders[0]) if len(folders) == 1 else Path()) / "convergence.pdf"
    return save(convergence(read_runs(folders)), out, formats=(".pdf",))[0]


def plot_run(folder: Path) -> list[Path]:
    """Draw one run into its own folder; returns convergence.png and convergence.pdf. Raises as `plot_runs`."""
    return save(convergence(read_runs([folder])), Path(folder) / "convergence")


def convergence(frame: pd.DataFrame, x: Sequence[str] = ("rounds", "queries", "bytes")) -> Figure:
    """One row of panels for each of loss, accuracy and consensus distance, one column for each of `x`.

    Panels with nothing to show are left out: no accuracy on quadratics, no bytes where nothing was sent. Several runs
    of one label are seeds: the line is their mean over the rounds that all have reached, the band its 95 % interval
    (`analysis.intervals`; geometric on a logarithmic axis). One run alone also shows how its peers fare.

    Args:
        frame: metrics in the form of `analysis.runs.read_runs`.
        x: what to draw against, from "rounds", "queries" and "bytes" (of one peer so far, mean over peers), and "time",
            which `analysis.simulated_time.with_time` adds.

    Returns:
        The figure, 3.4 inches wide for one column of panels and 7 for more.

    Raises:
        ValueError: if x holds another word, or the frame has no row to draw.
    """
    for word in x:
        if word not in ACROSS:
            raise ValueError(f"x holds {word!r}: it must be of {', '.join(ACROSS)}; leave out or correct it")
    across = [word for word in x if word == "rounds" or (panels.numbers(frame, ACROSS[word][0]) > 0).any()]
    down = [name for name in DOWN if panels.has_something(frame, name)]
    if not across or not down:
        raise ValueError("metrics.jsonl has nothing to draw yet: a figure needs one row; wait for the first evaluation")
    runs: dict[Any, pd.DataFrame] = dict(iter(frame.groupby("label", sort=False)))
    alone = len(frame["run"].unique()) == 1
    with styled():
        width = COLUMN if len(across) == 1 else PAGE
        figure = new_figure(width, 0.5 + 1.5 * len(down))
        grid = figure.subplots(len(down), len(across), sharex="col", sharey="row", squeeze=False)
        for name, row in zip(down, grid, strict=True):
            log = panels.is_logarithmic(frame, name)
            for word, ax in zip(across, row, strict=True):
                column, title = ACROSS[word]
                _draw(ax, runs, column, name, log, alone)
                panels.dress_y(
                    ax, name, DOWN[name].replace("consensus ", "consensus" + between()), log=log, first=ax is row[0]
                )
                if name == down[-1]:
                    panels.dress_x(ax, column, title, float(np.nanmax(panels.numbers(frame, column))))
            lines = panels.references(runs, name)
            panels.draw_references(row, lines)
            panels.name_lines(row[-1], lines + (_ends(row[-1]) if alone else []))
        figure.align_ylabels()
        _name(figure, grid[0, 0], runs, alone, width)
    return figure


def _draw(ax: Axes, runs: dict[Any, pd.DataFrame], x: str, y: str, log: bool, alone: bool) -> None:
    if alone:
        (run,) = runs.values()
        shown = {column: name for column, name in ALONE[y].items() if panels.has_something(run, column)}
        for number, (column, name) in enumerate(shown.items()):
            panels.draw_curve(ax, run, x, column, log=log, number=number, of=len(shown), label=name)
        return
    for number, (label, run) in enumerate(runs.items()):
        seeds = run["run"].nunique()
        name = f"{label} ({seeds} seeds)" if seeds > 1 else str(label)
        panels.draw_curve(ax, run, x, y, log=log, number=number, of=len(runs), label=name)


def _ends(ax: Axes) -> list[tuple[str, float, str]]:
    """Name, last value and colour of the curves of one run, for names at their ends; none for a curve alone."""
    lines = [line for line in ax.lines if not str(line.get_label()).startswith("_")]  # "_…" are the references
    if len(lines) < 2:
        return []
    values = [np.asarray(line.get_ydata(), dtype=float) for line in lines]
    last = [float(each[np.isfinite(each)][-1]) for each in values]
    return [(str(line.get_label()), value, str(line.get_color())) for line, value in zip(lines, last, strict=True)]


def _name(figure: Figure, ax: Axes, runs: dict[Any, pd.DataFrame], alone: bool, width: float) -> None:
    """The title of one run alone, or below the panels the legend of several."""
    if alone:
        figure.suptitle(fill(str(next(iter(runs))), int(width / letter())))
        return
    handles, names = ax.get_legend_handles_labels()
    names = [fill(name, int((width - HANDLE) / letter())) for name in names]
    columns = int(width / (max(map(len, names)) * letter() + HANDLE))
    banded = any(run["run"].nunique() > 1 for run in runs.values())
    title = "line: mean over seeds; band: its 95 % interval" if banded else None
    columns = min(len(names), max(1, columns))
    figure.legend(handles, names, loc="outside lower center", ncols=columns, title=title)
