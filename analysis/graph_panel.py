"""A graph on paper, drawn as one would draw it by hand."""

from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray
from scipy.spatial import KDTree

from dfedsam.analysis import layouts, style

NUMBERED = 36  # peers up to which each one bears its number
SIDE = 150  # points: the side of a whole panel
ARROWS = 600  # directed edges up to which each has its arrow


def draw_graph(
    axes: Axes,
    graph: nx.Graph,
    points: NDArray[np.float64] | None = None,
    *,
    away: NDArray[np.bool_] | None = None,
    scale: float = 1.0,
) -> None:
    """Draw a graph's edges, as arrows where it is directed, and its peers over them.

    Args:
        axes: Where.
        graph: Peers 0..n-1.
        points: Where its peers stand, shape (n, 2); None asks `layouts`.
        away: Peers that are not there, shape (n,): drawn hollow.
        scale: Size of the panel in half pages: peers and lines shrink with it; below 0.6 numbers are left out.
    """
    n = len(graph)
    points = layouts.points(graph) if points is None else points
    numbered = n <= NUMBERED and scale >= 0.6
    size = _size(points, scale, 0.85 if numbered else 0.55)
    lines = layouts.lines(graph, points)
    strength = _strength(lines, points)
    width = (0.3 + 0.7 * strength) * max(scale, 0.6)
    if graph.is_directed() and len(lines) <= ARROWS:
        _arrows(axes, graph, points, size, width, max(strength, 0.35), scale)
    else:
        axes.add_collection(LineCollection(list(lines), colors=style.GREY, linewidths=width, alpha=strength, zorder=1))
    hollow = np.zeros(n, bool) if away is None else away
    rim = 0.5 * scale if n <= 400 else 0
    axes.scatter(*points[~hollow].T, s=size, color=style.COLOURS[0], edgecolors="white", linewidths=rim, zorder=2)
    if hollow.any():
        axes.scatter(
            *points[hollow].T, s=0.7 * size, facecolors="white", edgecolors=style.GREY, linewidths=0.6, zorder=2
        )
    if numbered:
        text: dict[str, Any] = {"color": "white", "fontsize": 0.52 * size**0.5, "zorder": 3}
        for peer, (x, y) in enumerate(points):
            axes.annotate(str(peer), (x, y), ha="center", va="center_baseline", **text)
    axes.set_aspect("equal")
    axes.margins(0.08)
    axes.axis("off")


def _size(points: NDArray[np.float64], scale: float, share: float) -> float:
    """The area of a peer's marker, in square points: it takes this share of the way to the next peer."""
    n = len(points)
    near, _ = KDTree(points).query(points, k=2)
    span = np.ptp(points, axis=0)
    room = SIDE * scale * np.quantile(near[:, 1], 0.25) / max(span.max(), 1e-12)  # between neighbours, in points
    return float(min(np.clip(3600 / n, 0.5, 150) * scale**2, max((share * room) ** 2, 0.5)))


def _strength(lines: NDArray[np.float64], points: NDArray[np.float64]) -> float:
    """How opaque edges are: the more ink they are together, the less, or they would become a black square."""
    ink = np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1).sum() / max(np.ptp(points, axis=0).max(), 1e-12)
    return float(np.clip(50 / max(ink, 1e-12), 0.06, 0.8))


def _arrows(
    axes: Axes,
    graph: nx.Graph,
    points: NDArray[np.float64],
    size: float,
    width: float,
    strength: float,
    scale: float,
) -> None:
    """An arrow an edge from sender to receiver; one with two heads where both directions are there."""
    gap = 0.5 * size**0.5 + 0.5  # in points: a marker of area `size` has about this radius
    for u, v in graph.edges():
        both = graph.has_edge(v, u)
        if both and u > v:
            continue
        ends = [(float(points[peer, 0]), float(points[peer, 1])) for peer in (u, v)]
        arrow: dict[str, Any] = {"arrowstyle": "<|-|>" if both else "-|>", "mutation_scale": 1.5 + 5 * scale}
        arrow |= {"shrinkA": gap, "shrinkB": gap, "linewidth": width, "color": style.GREY, "alpha": strength}
        axes.add_patch(FancyArrowPatch(*ends, zorder=1, **arrow))
    axes.update_datalim(points)
    axes.autoscale_view()
