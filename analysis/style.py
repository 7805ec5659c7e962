"""One look for every figure: legible in colour, in greyscale, and to colour-blind eyes.

A curve is told apart by its colour, its line style and its marker together, so none of the three has to do it alone.
Figures are made with `new_figure`, never with pyplot (no global state, no window, nothing to close), and written with
`save`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

COLUMN = 3.4  # inches: one column of a two-column paper
PAGE = 7.0  # inches: both columns

# Okabe and Ito (2008), "Color Universal Design", without yellow, which white paper swallows; dark and light in turn.
COLOURS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#009E73", "#CC79A7")
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (7, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
HATCHES = ("", "////", "", "\\\\\\\\", "xxxx", "----", "oo", "++++")
GREY = "#666666"
SEQUENTIAL = "Blues"  # one hue from white: it prints in grey
FORMATS = (".pdf", ".png", ".svg")

STYLE: dict[Any, Any] = {
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
LOOKS = {"paper": 1.0, "slides": 1.35}  # how large letters, lines and markers are beside the figure
_LOOK: ContextVar[str] = ContextVar("look", default="paper")


@contextmanager
def look(name: str) -> Iterator[None]:
    """A context in which figures are made for "paper" or for "slides", with larger letters and thicker lines.

    Raises:
        ValueError: for another name.
    """
    if name not in LOOKS:
        raise ValueError(f"style is {name}: it must be one of {', '.join(LOOKS)}")
    token = _LOOK.set(name)
    try:
        yield
    finally:
        _LOOK.reset(token)


def scaled(points: float) -> float:
    """A width or size of paper's figures in those of the look that is used."""
    return points * LOOKS[_LOOK.get()]


def letter() -> float:
    """About how wide a letter of a legend is, in inches."""
    return scaled(0.058)


def line_height() -> float:
    """How high a line of a legend is, in inches."""
    return scaled(0.155)


def between() -> str:
    """What parts the halves of a long title: larger letters have no room for both in a line."""
    return "\n" if scaled(1) > 1 else " "


def styled() -> Any:
    """A context in which matplotlib has our style; nothing of the user's own settings is changed for good."""
    larger = {
        key: scaled(value)
        for key, value in STYLE.items()
        if isinstance(value, float | int) and key.endswith(("size", "width", "fontsize")) and value
    }
    return mpl.rc_context(STYLE | larger)


def new_figure(width: float = COLUMN, height: float = 2.4) -> Figure:
    """An empty figure of `width` × `height` inches that makes room for labels and legends. Use inside `styled()`."""
    return Figure(figsize=(width, height * scaled(1.0) ** 0.5), layout="constrained")


def curve(number: int) -> dict[str, Any]:
    """Colour, line style and marker of curve `number` (from 0); no two of the first 315 are the same."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def save(figure: Figure, path: Path | str, formats: Sequence[str] = (".png", ".pdf")) -> list[Path]:
    """Write a figure.

    Args:
        figure: what to write.
        path: with an ending (.pdf, .png, .svg) that one file; without, one file for each of `formats`. Missing folders
            are made.
        formats: endings used when `path` has none.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        ValueError: if the ending is another.
    """
    path = Path(path)
    if path.suffix and path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"out is {path}: a figure's file must end in one of {', '.join(FORMATS)}; rename it, e.g. {path.stem}.pdf"
        )
    paths = [path] if path.suffix else [path.with_name(path.name + ending) for ending in formats]
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = figure.get_layout_engine()
    with styled():
        if len(paths) > 1 and engine is not None:  # room is made once for all files: it takes longer than to draw
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        for target in paths:
            # No date inside: the same figure is the same file.
            dates = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": None}
            figure.savefig(target, metadata=dates[target.suffix.lower()])
    if engine is not None:
        figure.set_layout_engine(engine)
    return paths
