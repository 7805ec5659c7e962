"""A topology on paper: its graph, drawn as one would draw it by hand, beside the spectrum of its W."""

from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis import layouts, style
from topologies.spectra import eigenvalues, spectrum
from topologies.topology import Topology

ALL = 2000  # peers up to which every eigenvalue is drawn; above, only the ends of the spectrum
NUMBERED = 36  # peers up to which each one bears its number


def draw(topology: Topology) -> Figure:
    """Draw a topology's graph beside the eigenvalues of its W, with the gap shaded.

    Args:
        topology: Of period 1 and symmetric.

    Returns:
        A figure of the width of a page with two axes, graph and spectrum; `analysis.style.save` writes it.

    Raises:
        ValueError: if W changes from round to round or is not symmetric.
    """
    figures = spectrum(topology)
    if figures["lambda_2"] is None:
        raise ValueError("topology changes from round to round or is directed: a drawing needs one symmetric W")
    with style.styled():
        figure = style.new_figure(style.PAGE, 3.1)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
        _draw_graph(left, topology.graph(0), figures)
        values = eigenvalues(topology.weights(0)) if topology.n <= ALL else None
        _draw_spectrum(right, values, figures)
    return figure


def _draw_graph(axes: Axes, graph: nx.Graph, figures: dict[str, Any]) -> None:
    n = len(graph)
    points = layouts.points(graph)
    lines = layouts.lines(graph, points)
    strength = float(np.clip(160 / len(lines), 0.06, 0.8))  # many edges together must not become a black square
    width = 0.3 + 0.7 * strength
    axes.add_collection(LineCollection(list(lines), colors=style.GREY, linewidths=width, alpha=strength, zorder=1))
    size = float(np.clip(3600 / n, 0.5, 150))
    rim = 0.5 if n <= 400 else 0
    axes.scatter(*points.T, s=size, color=style.COLOURS[0], edgecolors="white", linewidths=rim, zorder=2)
    if n <= NUMBERED:
        text: dict[str, Any] = {
            "color": "white",
            "fontsize": 0.52 * size**0.5,
            "ha": "center",
            "va": "center_baseline",
            "zorder": 3,
        }
        for peer, (x, y) in enumerate(points):
            axes.annotate(str(peer), (x, y), **text)
    axes.set_aspect("equal")
    axes.margins(0.08)
    axes.axis("off")
    low, high, diameter = figures["degree_min"], figures["degree_max"], figures["diameter"]
    degrees = f"degree {low}" if low == high else f"degrees {low} to {high}"
    name = str(graph.graph.get("name", "graph")).replace("_", " ")
    far = "" if diameter is None else f", diameter {diameter}"
    axes.set_title(f"{name}: {n} peers, {figures['edges']} edges\n{degrees}{far}")


def _draw_spectrum(axes: Axes, values: NDArray[np.float64] | None, figures: dict[str, Any]) -> None:
    n, modulus, gap = figures["n"], figures["lambda"], figures["gap"]
    what = "eigenvalues of W"
    if values is None:
        what = "first, second and last eigenvalue of W"
        ranks, values = np.array([1, 2, n]), np.array([1, figures["lambda_2"], figures["lambda_min"]])
    else:
        ranks = np.arange(1, n + 1)
    axes.axhspan(modulus, 1, color=style.COLOURS[1], alpha=0.3, linewidth=0)
    right: dict[str, Any] = {"xycoords": axes.get_yaxis_transform(), "ha": "left", "va": "center", "fontsize": 7}
    for level, letter in ((modulus, "λ"), (-modulus, "−λ")):
        axes.axhline(level, color=style.COLOURS[4], linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(letter, (1.01, level), color=style.COLOURS[4], **right)
    if gap > 0.1:
        axes.annotate("gap", (0.94, 1 - gap / 2), **right)
    slowest = 1 if abs(values[1]) >= abs(values[-1]) else len(values) - 1
    rest = np.delete(np.arange(1, len(values)), slowest - 1)
    size = float(np.clip(900 / len(values), 2, 20))
    axes.scatter(ranks[rest], values[rest], s=size, color=style.COLOURS[0], linewidths=0, zorder=3)
    slow: dict[str, Any] = {"marker": "D", "color": style.COLOURS[4], "label": "slowest mode"}
    axes.scatter(ranks[slowest], values[slowest], s=max(1.6 * size, 18), linewidths=0, zorder=4, **slow)
    mean: dict[str, Any] = {
        "marker": "s",
        "facecolors": "white",
        "edgecolors": "black",
        "label": "the mean, which gossip keeps",
    }
    axes.scatter(1, 1, s=max(size, 14), linewidths=0.8, zorder=3, **mean)
    low = min(figures["lambda_min"], -modulus, 0)
    axes.set_ylim(low - 0.24 * (1 - low), 1 + 0.06 * (1 - low))  # room for the legend below
    axes.legend(loc="lower left", ncols=2, handlelength=1, columnspacing=1.2, borderaxespad=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("rank")
    axes.set_ylabel(what)
    about = "about " if "effective_neighbours" in figures["approximate"] else ""
    axes.set_title(
        f"λ = {modulus:.4g}, gap {gap:.3g}, smallest eigenvalue {_signed(figures['lambda_min'])}\n"
        f"effective neighbours {about}{figures['effective_neighbours']:.3g}"
    )


def _signed(value: float) -> str:
    """Three digits, zero where rounding left next to nothing, and a true minus."""
    return f"{0.0 if abs(value) < 1e-12 else value:.3g}".replace("-", "−")
