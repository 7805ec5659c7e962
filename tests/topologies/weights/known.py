"""λ = ‖W - J‖₂ of known graphs under four weight rules, to the digits that were printed, and random graphs."""

import networkx as nx
import numpy as np
from hypothesis import strategies as st

from dfedsam.topologies import grid, path, ring, star

GRAPHS = {
    "path-8": path(8),
    "ring-8": ring(8),
    "star-8": star(8),
    "grid 4×4": grid(16),
    "davis": nx.davis_southern_women_graph(),
    "karate": nx.karate_club_graph(),
}
MODULI = {  # metropolis, best_constant, fastest, fastest_nonnegative
    "path-8": (0.94925, 0.92388, 0.92388, 0.92388),
    "ring-8": (0.80474, 0.74452, 0.74452, 0.74452),
    "star-8": (0.87500, 0.77778, 0.77778, 0.85714),
    "grid 4×4": (0.86864, 0.84198, 0.82439, 0.82439),
    "davis": (0.91790, 0.89156, 0.82930, 0.86969),
    "karate": (0.96876, 0.94964, 0.92459, 0.95355),
}
PRINTED = 5e-6


def modulus(W) -> float:
    """‖W - J‖₂, densely."""
    dense = W.toarray()
    return float(np.linalg.norm(dense - 1 / len(dense), 2))


@st.composite
def connected_graphs(draw, most: int = 12) -> nx.Graph:
    """A random tree with some edges more."""
    n = draw(st.integers(2, most))
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((draw(st.integers(0, i - 1)), i) for i in range(1, n))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
    graph.add_edges_from(draw(st.lists(pairs, max_size=2 * n)))
    return graph
