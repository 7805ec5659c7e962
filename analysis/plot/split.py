"""Drawing of how the examples of each class are split over the peers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from dfedsam.analysis.plot.style import COLOURS, HATCHES, PAGE, SEQUENTIAL, new_figure, plain, rc_context

_MOST_BARS = 40  # peers whose hatched bars are still distinguishable
_NAMED = 24  # classes whose names fit next to a map


def draw_split(counts: ArrayLike, class_names: Sequence[str]) -> Figure:
    """Draw how many examples of each class each peer holds, as wide as a page.

    Up to 40 peers and 7 classes are drawn as stacked bars; more as a map with a row per class and a column per peer,
    below bars of each peer's total.

    Args:
        counts: examples, shape (peers, classes), whole numbers of 0 or more.
        class_names: one name per class.

    Raises:
        ValueError: if the shape, a count or the number of names is wrong.
    """
    table = np.asarray(counts)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"counts has shape {table.shape}: it must be (peers, classes), at least one of each")
    if not np.issubdtype(table.dtype, np.number) or (table < 0).any() or (table != np.floor(table)).any():
        raise ValueError("counts has other values than whole numbers of at least 0: count the examples of each class")
    if len(class_names) != table.shape[1]:
        rule = f"it must have one for each of {table.shape[1]} classes"
        raise ValueError(f"class_names has {len(class_names)} names: {rule}")
    peers, classes = table.shape
    draw = _bars if peers <= _MOST_BARS and classes <= len(COLOURS) else _map
    with rc_context():
        figure = draw(table, class_names)
        held = table.sum(axis=1)
        spread = f"{held.min():,.0f}" if held.min() == held.max() else f"{held.min():,.0f}–{held.max():,.0f}"
        figure.suptitle(f"{peers:,} peers hold {held.sum():,.0f} examples, {spread} each")
    return figure


def _bars(table: NDArray, class_names: Sequence[str]) -> Figure:
    figure = new_figure(PAGE, 2.6)
    ax = figure.subplots()
    below = np.zeros(len(table))
    for number, name in enumerate(class_names):
        # White edges separate the pieces in print; hatches distinguish the classes without colour
        ax.bar(
            np.arange(len(table)), table[:, number], 0.82, below, label=plain(name),
            color=COLOURS[number], hatch=HATCHES[number], edgecolor="white", linewidth=0.4,
        )  # fmt: skip
        below += table[:, number]
    _format(ax, len(table))
    ax.set_xlabel("peer")
    handles, names = ax.get_legend_handles_labels()
    longest = max(map(len, names)) * 0.058 + 0.55
    figure.legend(handles, names, loc="outside lower center", ncols=max(1, min(len(names), int(PAGE / longest))))
    return figure


def _map(table: NDArray, class_names: Sequence[str]) -> Figure:
    peers, classes = table.shape
    height = float(np.clip(0.16 * classes, 1.2, 4.5))
    figure = new_figure(PAGE, height + 1.9)
    above, ax = figure.subplots(2, 1, sharex=True, height_ratios=[1.0, height])
    above.stairs(table.sum(axis=1), np.arange(peers + 1) - 0.5, fill=True, color=COLOURS[0])
    _format(above, peers)
    # The shade is the square root of the count: most counts are small compared with the largest
    image = ax.imshow(table.T, aspect="auto", interpolation="nearest", cmap=SEQUENTIAL, norm=PowerNorm(0.5, vmin=0))
    shown = range(0, classes, -(-classes // _NAMED))
    ax.set_yticks(shown, [plain(class_names[number]) for number in shown])
    ax.tick_params(left=False)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("peer")
    figure.colorbar(image, ax=[above, ax], label="examples of the class", pad=0.01, fraction=0.03, aspect=40)
    return figure


def _format(ax: Axes, peers: int) -> None:
    ax.grid(False, axis="x")
    ax.set_xlim(-0.5, peers - 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(16, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_ylabel("examples")
    ax.set_ylim(0, None)
