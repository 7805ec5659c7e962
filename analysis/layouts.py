"""Where to draw each peer of a graph, so that the graph is known at a glance."""

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.analysis.springs import springs

SMALL = 120  # peers up to which springs between all pairs are affordable (Kamada and Kawai 1989)

_ROUND = {  # graphs whose peers stand around a ring
    *("ring", "complete", "exponential", "watts_strogatz", "ring_lattice", "circulant", "chordal_ring", "paley"),
    *("directed_ring", "directed_exponential"),
}


def points(graph: nx.Graph) -> NDArray[np.float64]:
    """A point in the plane for each peer, shape (n, 2); the same graph gets the same points.

    Peers that carry a point ("pos") keep it; grids and tori get their rows and columns; rings and their like a circle,
    a path an open one; a star its hub in the middle; a hypercube parallel edges; trees their root at the top; bipartite
    graphs two columns; all others springs.

    Args:
        graph: Peers 0..n-1; graph.graph may hold "name", "rows" and "columns".
    """
    n, facts = len(graph), graph.graph
    placed = nx.get_node_attributes(graph, "pos")
    if len(placed) == n and all(len(point) == 2 for point in placed.values()):
        return np.array([placed[peer] for peer in range(n)], dtype=float)
    if facts.get("rows", 0) * facts.get("columns", 0) == n:
        row, column = np.divmod(np.arange(n), facts["columns"])
        return np.column_stack([column, -row]).astype(float)
    match facts.get("name"):
        case name if name in _ROUND:
            return _arc(n, 2 * np.pi * (1 - 1 / n))
        case "path":
            return _arc(n, 2 * np.pi * 0.85)
        case "star":
            return np.vstack([np.zeros(2), _arc(n - 1, 2 * np.pi * (1 - 1 / (n - 1)))])
        case "hypercube":
            return _hypercube(n)
        case "binary_tree" | "tree":
            return _tree(graph)
        case "complete_bipartite" | "davis":
            return _columns(graph)
        case "petersen":
            ring = _arc(5, 2 * np.pi * 0.8)
            return np.vstack([ring, 0.5 * ring])
    return _springs(graph)


def lines(graph: nx.Graph, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The edges as line segments, shape (segments, 2, 2). An edge around a torus becomes a stub at both of its ends."""
    ends = np.array(graph.edges(), dtype=int).reshape(-1, 2)
    segments = points[ends]
    if graph.graph.get("name") != "torus":
        return segments
    step = segments[:, 1] - segments[:, 0]
    around = np.abs(step).max(axis=1) > 1
    stub = -0.45 * np.sign(step[around])
    first, last = segments[around, 0], segments[around, 1]
    return np.concatenate([segments[~around], np.stack([first, first + stub], 1), np.stack([last, last - stub], 1)])


def _arc(n: int, angle: float) -> NDArray[np.float64]:
    """n points on a circle, clockwise from the top, or on the part of it that spans `angle` radians."""
    turn = np.linspace(0, angle, n) if n > 1 else np.zeros(1)
    return np.column_stack([np.sin(turn), np.cos(turn)])


def _hypercube(n: int) -> NDArray[np.float64]:
    """Each binary digit moves a peer along its own direction; each pair of directions is twice as long as the one
    before."""
    k = np.arange((n - 1).bit_length())
    length = 2.3 ** (k // 2)
    directions = length[:, None] * np.where((k % 2 == 0)[:, None], [1.0, 0.22], [0.22, 1.0])
    directions[:2] = np.eye(2)[: len(k)]
    return ((np.arange(n)[:, None] >> k) & 1) @ directions


def _tree(graph: nx.Graph) -> NDArray[np.float64]:
    """Leaves side by side, and every parent above the middle of its children; peer 0 is the root, parents are numbered
    before their children."""
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


def _columns(graph: nx.Graph) -> NDArray[np.float64]:
    """The side of peer 0 on the left, the other on the right, each from top to bottom."""
    colours = nx.bipartite.color(graph)
    sides = [[i for i in range(len(graph)) if colours[i] == colour] for colour in (colours[0], 1 - colours[0])]
    height = max(map(len, sides)) - 1
    placed = np.zeros((len(graph), 2))
    for x, side in enumerate(sides):
        placed[side, 0] = x * max(1.0, 0.6 * height)
        placed[side, 1] = -np.linspace(0, height, len(side)) if len(side) > 1 else -height / 2
    return placed


def _springs(graph: nx.Graph) -> NDArray[np.float64]:
    n = len(graph)
    if n > SMALL:
        return springs(graph)
    placed = nx.kamada_kawai_layout(graph.to_undirected())
    return np.array([placed[peer] for peer in range(n)], dtype=float)
