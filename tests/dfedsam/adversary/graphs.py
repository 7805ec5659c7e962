"""Graphs on which breakdown is known."""

import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam import Static, topologies


def two_worlds(honest: int, cross: int, attackers: int) -> topologies.Topology:
    """Two cliques of honest/2, each peer with `cross` edges to the other (μ₂ = 2·cross), and attackers at all of them.

    All links weigh 1/(d + 1 + f), with d the largest honest degree.
    """
    half = honest // 2
    graph = nx.disjoint_union(nx.complete_graph(half), nx.complete_graph(half))
    graph.add_edges_from((i, half + (i + s) % half) for i in range(half) for s in range(cross))
    weight = 1 / (half - 1 + cross + 1 + attackers)
    graph.add_edges_from((honest + b, i) for b in range(attackers) for i in range(honest))
    W = nx.to_numpy_array(graph, nodelist=range(honest + attackers)) * weight
    return _static(graph, W)


def chain(middle: float, attackers: float) -> topologies.Topology:
    """0 – 1 – 2 – 3 with weights 1/3, `middle`, 1/3, and an attacker at each of the two in the middle."""
    W = np.zeros((6, 6))
    for i, j, weight in ((0, 1, 1 / 3), (1, 2, middle), (2, 3, 1 / 3), (4, 1, attackers), (5, 2, attackers)):
        W[i, j] = W[j, i] = weight
    return _static(nx.from_numpy_array(W), W)


def _static(graph: nx.Graph, W: np.ndarray) -> topologies.Topology:
    np.fill_diagonal(W, 1 - W.sum(axis=1))
    return Static(graph, sp.csr_array(W), sums="rows")
