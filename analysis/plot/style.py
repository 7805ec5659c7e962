"""One style for every figure: legible in colour, in greyscale, and for colour-blind readers.

Curves differ in colour, line style and marker at the same time. Figures are made by `new_figure`, never by pyplot (no
global state, no window, nothing to close), and written by `save`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

import matplotlib as mpl
from matplotlib.figure import Figure

from dfedsam.errors import OptionError
from dfedsam.options import one_of
from dfedsam.whole_files import write_atomic

Style = Literal["paper", "slides"]
Size = str | tuple[float, float]  # "column" or "page" of a paper, "WIDTHxHEIGHT", or both in inches

COLUMN = 3.4  # inches: one column of a two-column paper
PAGE = 7.0  # inches: both columns

# Okabe and Ito (2008), "Color Universal Design", without yellow, which is invisible on white paper; dark and light
# alternate.
COLOURS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#009E73", "#CC79A7")
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (7, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
HATCHES = ("", "////", "", "\\\\\\\\", "xxxx", "----", "oo", "++++")
GREY = "#666666"
SEQUENTIAL = "Blues"  # one hue from white: it prints in grey
FORMATS = (".pdf", ".png", ".svg")
SIZES = (1, 50)  # inches, each way: smaller figures have no room for labels, larger ones none in memory

_RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "figure.titlesize": 8.5,
    "figure.dpi": 120,
    "savefig.dpi": 300,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # letters stay letters: searchable, and accepted by publishers
    "svg.fonttype": "none",
}
_SCALES: dict[str, float] = {"paper": 1.0, "slides": 1.35}  # of letters, lines and markers
_STYLE: ContextVar[str] = ContextVar("style", default="paper")


@contextmanager
def use_style(name: str) -> Iterator[None]:
    """A context for figures in the style "paper" or "slides" (larger letters, thicker lines).

    Raises:
        OptionError: for an unknown name.
    """
    one_of("style", name, get_args(Style))
    token = _STYLE.set(name)
    try:
        yield
    finally:
        _STYLE.reset(token)


def scaled(points: float) -> float:
    """A width or size of the paper style, scaled to the current style."""
    return points * _SCALES[_STYLE.get()]


def char_width() -> float:
    """Approximate width of a letter in a legend, in inches."""
    return scaled(0.058)


def line_height() -> float:
    """Height of a line in a legend, in inches."""
    return scaled(0.155)


def title_separator() -> str:
    """The separator of the halves of a long title: a new line if larger letters do not fit in one line."""
    return "\n" if scaled(1) > 1 else " "


def rc_context() -> Any:
    """A context in which matplotlib uses our style; the user's settings are restored afterwards."""
    larger = {
        key: scaled(value)
        for key, value in _RC.items()
        if isinstance(value, float | int) and key.endswith(("size", "width", "fontsize")) and value
    }
    return mpl.rc_context(_RC | larger)


def new_figure(width: float = COLUMN, height: float = 2.4) -> Figure:
    """An empty figure of `width` × `height` inches that makes room for labels and legends; inside `rc_context()`."""
    return Figure(figsize=(width, height * scaled(1.0) ** 0.5), layout="constrained")


def figure_size(size: Size | None, columns: int, rows: int) -> tuple[float, float]:
    """Width and height in inches of a figure with a grid of panels; None: one column wide for one column of panels."""
    if size is None or size in ("column", "page"):
        narrow = size == "column" or (size is None and columns == 1)
        return (COLUMN if narrow else PAGE), 0.5 + 1.5 * rows
    try:
        width, height = map(float, size.split("x") if isinstance(size, str) else size)
    except ValueError:
        width = height = 0.0
    low, high = SIZES
    if not (low <= width <= high and low <= height <= high):
        rule = f"must be column, page or WIDTHxHEIGHT in inches, each from {low} to {high}"
        raise OptionError("size", size, rule, "such as 3.4x2.5")
    return width, height


def check_room(figure: Figure, size: Size | None) -> None:
    """Raise OptionError if a requested size leaves no room for the panels of a figure."""
    if size is None:
        return
    with rc_context(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.draw_without_rendering()
    if any("layout not applied" in str(one.message) for one in caught):
        raise OptionError("size", size, "must leave room for the panels beside their labels", "choose a larger one")


def curve_style(number: int) -> dict[str, Any]:
    """Colour, line style and marker of curve `number` (from 0); no two of the first 315 are the same."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def plain(text: str) -> str:
    """Escape a user's text, so that matplotlib shows it literally, without formulas."""
    return text.replace("$", r"\$")


def check_format(path: Path | str, option: str = "out") -> None:
    """Raise OptionError if the suffix of a figure's file is unknown."""
    path = Path(path)
    if path.suffix and path.suffix.lower() not in FORMATS:
        raise OptionError(option, path, f"must end in one of {', '.join(FORMATS)}", f"name it {path.stem}.pdf")


def save(figure: Figure, path: Path | str, formats: Sequence[str] = (".png", ".pdf")) -> list[Path]:
    """Write a figure, and return the files.

    Args:
        figure: what to write.
        path: with a suffix (.pdf, .png, .svg) that file; without one, a file for each of `formats`. Missing folders
            are created.
        formats: suffixes used if `path` has none.

    Raises:
        OptionError: if the suffix is unknown.
    """
    check_format(path)
    path = Path(path)
    paths = [path] if path.suffix else [path.with_name(path.name + ending) for ending in formats]
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = figure.get_layout_engine()
    with rc_context():
        if len(paths) > 1 and engine is not None:  # compute the layout, which is slower than drawing, only once
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        for target in paths:
            # No date, so that the same figure gives the same file
            dates = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": None}
            ending, content = target.suffix.lower(), BytesIO()
            figure.savefig(content, format=ending[1:], metadata=dates[ending])
            write_atomic(target, content.getvalue())
    if engine is not None:
        figure.set_layout_engine(engine)
    return paths
