"""Any networkx graph with its peers numbered 0..n-1, and matrices made of it."""

from itertools import chain
from numbers import Integral
from typing import cast

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError

FACTS = ("name", "seed", "rows", "columns")  # of a graph, kept in graph.graph
PEER_FACTS = ("label", "pos")  # of a peer: what its file called it, and its point [x, y]


def tidy(graph: nx.Graph) -> nx.Graph:
    """Number the peers of a graph 0..n-1 and keep nothing on its edges.

    Whole-number labels keep their numerical order; all other labels (names, tuples) keep the graph's own order. The
    former label stays in the peer's attribute "label", its point in "pos". Parallel edges become one edge; weights on
    edges are dropped, because a weight rule makes its own. A graph that is tidy already is returned as it is.

    Args:
        graph: Directed or not, at least two peers, no self-loops; it need not be connected.

    Raises:
        ValueError: if the graph has fewer than two peers or has a self-loop.
    """
    if len(graph) < 2:
        raise OptionError("peers", len(graph), "must be at least 2", "give a graph of two or more peers")
    loop = next(nx.selfloop_edges(graph), None)
    if loop is not None:
        raise ValueError(
            f"graph has a self-loop at {loop[0]!r}: an edge must join two different peers; remove it "
            "(a peer's weight on itself is the weight rule's)"
        )
    plain = not graph.is_multigraph() and not any(data for _, _, data in graph.edges(data=True))
    if plain and all(isinstance(label, int) and label == i for i, label in enumerate(graph)):
        return graph
    labels = list(graph)
    if all(isinstance(label, Integral) for label in labels):
        labels.sort()
    number = {label: i for i, label in enumerate(labels)}
    clean = nx.DiGraph() if graph.is_directed() else nx.Graph()
    clean.graph.update((key, value) for key, value in graph.graph.items() if key in FACTS)
    for label, i in number.items():
        clean.add_node(i, **{key: value for key, value in graph.nodes[label].items() if key in PEER_FACTS})
        if label != i:
            clean.nodes[i].setdefault("label", str(label))
    edges = ((number[u], number[v]) for u, v in graph.edges())
    clean.add_edges_from(sorted(edges if graph.is_directed() else ((min(u, v), max(u, v)) for u, v in edges)))
    return clean


def parts(graph: nx.Graph) -> list[set[int]]:
    """The parts of a graph that no path joins, largest first; in a directed one no path there and back."""
    if graph.is_directed():
        return sorted(nx.strongly_connected_components(cast(nx.DiGraph, graph)), key=len, reverse=True)
    return sorted(nx.connected_components(graph), key=len, reverse=True)


def undirected(graph: nx.Graph, hint: str) -> nx.Graph:
    """The graph, tidy.

    Raises:
        ValueError: if it is directed, with what to do about it, or not fit for `tidy`.
    """
    if graph.is_directed():
        raise OptionError("graph", "directed", "must be undirected", hint)
    return tidy(graph)


def adjacency_matrix(graph: nx.Graph) -> sp.csr_array:
    """A of shape (n, n), float64, sorted indices: 1 where an edge leads from the row's peer to the column's.

    Weights on edges are not looked at.

    Args:
        graph: Peers 0..n-1; directed or not, no self-loops.
    """
    rows = [(peer, len(others)) for peer, others in graph.adjacency()]
    i = np.repeat(*np.array(rows, dtype=np.int32).T)
    j = np.fromiter(chain.from_iterable(others for _, others in graph.adjacency()), np.int32, len(i))
    A = sp.csr_array((np.ones(len(i)), (i, j)), shape=(len(graph), len(graph)))
    A.sort_indices()
    return A


def diagonal(values: NDArray[np.float64]) -> sp.csr_array:
    """The matrix of shape (n, n) with these n values on its diagonal."""
    return sp.csr_array(sp.dia_array((values[None, :], [0]), shape=(len(values), len(values))))
