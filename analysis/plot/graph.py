"""Drawing of graphs: a layout that shows the structure, edges and peers."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence
from scipy.spatial import KDTree

from dfedsam.analysis.plot import style

Points = NDArray[np.float64]
_NUMBERED = 36  # peers up to which each one is numbered
_SIDE = 150  # points: the side of a whole panel
_ARROWS = 600  # directed edges up to which each is an arrow
_ALL_PAIRS = 120  # peers up to which springs between all pairs are affordable (Kamada and Kawai 1989)
_RELAXED = 3000  # peers above which the layout is by eigenvectors only
_STEPS = 15_000  # peers times steps of springs: 15 steps for 1,000 peers take a second
_RING_SHARE = 0.6  # of a graph's edges must have a length that most peers share, for a layout around a ring


def draw_graph(
    ax: Axes,
    graph: nx.Graph,
    points: Points | None = None,
    *,
    absent: NDArray[np.bool_] | None = None,
    scale: float = 1.0,
) -> None:
    """Draw a graph's edges, as arrows where it is directed, and its peers over them.

    Args:
        ax: the panel.
        graph: peers 0..n-1.
        points: positions of the peers, shape (n, 2); None: those of `layout`.
        absent: mask of absent peers, shape (n,), which are drawn hollow.
        scale: size of the panel in half pages: peers and lines scale with it; below 0.6 numbers are omitted.
    """
    n = len(graph)
    points = layout(graph) if points is None else points
    numbered = n <= _NUMBERED and scale >= 0.6
    size = _size(points, scale, 0.85 if numbered else 0.55)
    segments = lines(graph, points)
    strength = _strength(segments, points)
    width = (0.3 + 0.7 * strength) * max(scale, 0.6)
    if graph.is_directed() and len(segments) <= _ARROWS:
        _draw_arrows(ax, graph, points, size, width, max(strength, 0.35), scale)
    else:
        ax.add_collection(LineCollection(list(segments), colors=style.GREY, linewidths=width, alpha=strength, zorder=1))
    hollow = np.zeros(n, bool) if absent is None else absent
    rim = 0.5 * scale if n <= 400 else 0
    ax.scatter(*points[~hollow].T, s=size, color=style.COLOURS[0], edgecolors="white", linewidths=rim, zorder=2)
    if hollow.any():
        empty: dict[str, Any] = {"facecolors": "white", "edgecolors": style.GREY, "linewidths": 0.6}
        ax.scatter(*points[hollow].T, s=0.7 * size, zorder=2, **empty)
    if numbered:
        text: dict[str, Any] = {"color": "white", "fontsize": 0.52 * size**0.5, "zorder": 3}
        for peer, (x, y) in enumerate(points):
            ax.annotate(str(peer), (x, y), ha="center", va="center_baseline", **text)
    ax.set_aspect("equal")
    ax.margins(0.08)
    ax.axis("off")


def layout(graph: nx.Graph) -> Points:
    """Positions of the peers in the plane, shape (n, 2); the same graph gets the same positions.

    Peers with a position ("pos") keep it. Grids and tori get rows and columns; a star has its hub in the middle; a path
    is an open circle, and a graph that is nearly circulant a closed one; a hypercube has parallel edges, a tree its
    root at the top, a bipartite graph two columns. All other graphs get a spring layout. graph.graph may hold "rows"
    and "columns".
    """
    n, facts = len(graph), graph.graph
    positions = nx.get_node_attributes(graph, "pos")
    if len(positions) == n and all(len(point) == 2 for point in positions.values()):
        return np.array([positions[peer] for peer in range(n)], dtype=float)
    if facts.get("rows", 0) * facts.get("columns", 0) == n:
        row, column = np.divmod(np.arange(n), facts["columns"])
        return np.column_stack([column, -row]).astype(float)
    ends = np.sort(np.array(graph.edges(), dtype=int).reshape(-1, 2), axis=1)
    offsets = ends[:, 1] - ends[:, 0]
    if len(ends) == n - 1 and (ends[:, 0] == 0).all():
        return np.vstack([np.zeros(2), _arc(n - 1, 2 * np.pi * (1 - 1 / (n - 1)))])
    if len(ends) == n - 1 and (offsets == 1).all():
        return _arc(n, 2 * np.pi * 0.85)
    if _is_hypercube(n, offsets):
        return _hypercube(n)
    if _is_ring(n, ends):
        return _arc(n, 2 * np.pi * (1 - 1 / n))
    if _is_tree(n, ends):
        return _tree(graph)
    side = _first_side(graph)
    if side is not None:
        points = nx.bipartite_layout(graph, side, aspect_ratio=4 / 3)
        return np.array([points[peer] for peer in range(n)]) * [1, -1]
    return _springs(graph)


def lines(graph: nx.Graph, points: Points) -> Points:
    """The edges as line segments, shape (segments, 2, 2); an edge around a torus becomes a stub at both of its ends."""
    ends = np.array(graph.edges(), dtype=int).reshape(-1, 2)
    segments = points[ends]
    if graph.graph.get("rows", 0) * graph.graph.get("columns", 0) != len(graph):
        return segments
    step = segments[:, 1] - segments[:, 0]
    around = np.abs(step).max(axis=1) > 1
    stub = -0.45 * np.sign(step[around])
    first, last = segments[around, 0], segments[around, 1]
    return np.concatenate([segments[~around], np.stack([first, first + stub], 1), np.stack([last, last - stub], 1)])


def _arc(n: int, angle: float) -> Points:
    """Points on a circle, clockwise from the top, or on an arc of `angle` radians."""
    turn = np.linspace(0, angle, n) if n > 1 else np.zeros(1)
    return np.column_stack([np.sin(turn), np.cos(turn)])


def _is_ring(n: int, ends: NDArray[np.int_]) -> bool:
    """Whether most edges have a length (around the ring) that at least 70 % of the peers' edges share."""
    around = np.abs(ends[:, 1] - ends[:, 0])
    counts = np.bincount(np.minimum(around, n - around), minlength=n // 2 + 1)
    if n % 2 == 0:
        counts[n // 2] *= 2  # the longest chord joins two peers at once
    common = counts >= 0.7 * n
    return bool(common[1:].any() and counts[common].sum() >= _RING_SHARE * counts.sum())


def _is_hypercube(n: int, offsets: NDArray[np.int_]) -> bool:
    dimensions = n.bit_length() - 1
    powers = (offsets & (offsets - 1) == 0).all()
    return n >= 8 and n == 2**dimensions and len(offsets) == n * dimensions // 2 and bool(powers) and offsets.max() < n


def _hypercube(n: int) -> Points:
    """Positions in a hypercube: each binary digit shifts a peer along one direction; later directions are longer."""
    k = np.arange((n - 1).bit_length())
    length = 2.3 ** (k // 2)
    directions = length[:, None] * np.where((k % 2 == 0)[:, None], [1.0, 0.22], [0.22, 1.0])
    directions[:2] = np.eye(2)[: len(k)]
    return ((np.arange(n)[:, None] >> k) & 1) @ directions


def _is_tree(n: int, ends: NDArray[np.int_]) -> bool:
    """Whether peer 0 is the root of a tree whose parents are numbered before their children."""
    return len(ends) == n - 1 and np.array_equal(np.sort(ends[:, 1]), np.arange(1, n))


def _tree(graph: nx.Graph) -> Points:
    """Positions in a tree: leaves in a row, every parent above the middle of its children."""
    n = len(graph)
    children = [[j for j in graph[i] if j > i] for i in range(n)]
    depth, x = np.zeros(n), np.zeros(n)
    leaves, waiting = 0, [0]
    while waiting:
        i = waiting.pop()
        depth[children[i]] = depth[i] + 1
        waiting += reversed(children[i])
        if not children[i]:
            x[i], leaves = leaves, leaves + 1
    for i in reversed(range(n)):
        if children[i]:
            x[i] = np.mean(x[children[i]])
    return np.column_stack([x, -depth * max(1.0, leaves / (2 * depth.max()))])


def _first_side(graph: nx.Graph) -> list[int] | None:
    """The peers 0..k-1, if all edges join them to the others; None if there is no such k."""
    if graph.is_directed() or not nx.is_bipartite(graph) or not nx.is_connected(graph):
        return None
    colours = nx.bipartite.color(graph)
    side = [peer for peer in range(len(graph)) if colours[peer] == colours[0]]
    return side if side == list(range(len(side))) else None


def _springs(graph: nx.Graph) -> Points:
    """Forces between all pairs; in large graphs springs that start at the slowest modes, or only these modes."""
    graph, n = graph.to_undirected(), len(graph)
    if n <= _ALL_PAIRS:
        points = nx.kamada_kawai_layout(graph)
    else:
        try:
            start = nx.spectral_layout(graph)
        except ArpackNoConvergence:  # a long chain, for instance: any start works
            start = nx.random_layout(graph, seed=0)
        steps = min(50, _STEPS // n)
        points = start if n > _RELAXED else nx.spring_layout(graph, pos=start, seed=0, iterations=steps)
    return np.array([points[peer] for peer in range(n)], dtype=float)


def _size(points: Points, scale: float, share: float) -> float:
    """The area of a peer's marker, in square points; its width is a share of the distance to the next peer."""
    near, _ = KDTree(points).query(points, k=2)
    span = np.ptp(points, axis=0)
    room = _SIDE * scale * np.quantile(near[:, 1], 0.25) / max(span.max(), 1e-12)  # between neighbours, in points
    return float(min(np.clip(3600 / len(points), 0.5, 150) * scale**2, max((share * room) ** 2, 0.5)))


def _strength(segments: Points, points: Points) -> float:
    """The opacity of edges: lower for more ink in total, so that dense graphs do not become a black square."""
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum()
    ink = length / max(np.ptp(points, axis=0).max(), 1e-12)
    return float(np.clip(50 / max(ink, 1e-12), 0.06, 0.8))


def _draw_arrows(
    ax: Axes, graph: nx.Graph, points: Points, size: float, width: float, strength: float, scale: float
) -> None:
    """Draw an arrow per edge from sender to receiver, with two heads if both directions exist."""
    gap = 0.5 * size**0.5 + 0.5  # in points: a marker of area `size` has about this radius
    for u, v in graph.edges():
        both = graph.has_edge(v, u)
        if both and u > v:
            continue
        ends = [(float(points[peer, 0]), float(points[peer, 1])) for peer in (u, v)]
        arrow: dict[str, Any] = {"arrowstyle": "<|-|>" if both else "-|>", "mutation_scale": 1.5 + 5 * scale}
        arrow |= {"shrinkA": gap, "shrinkB": gap, "linewidth": width, "color": style.GREY, "alpha": strength}
        ax.add_patch(FancyArrowPatch(*ends, zorder=1, **arrow))
    ax.update_datalim(points)
    ax.autoscale_view()
