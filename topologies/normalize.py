"""Any networkx graph as a network of peers 0..n-1: simple, unweighted, with labels and points kept."""

from __future__ import annotations

from numbers import Integral
from typing import cast

import networkx as nx

from dfedsam.errors import OptionError

GRAPH_FACTS = ("name", "seed", "rows", "columns", "notes")  # kept in graph.graph
PEER_FACTS = ("label", "pos")  # of a peer: what its file called it, and its point [x, y]


def normalize_graph(graph: nx.Graph) -> nx.Graph:
    """Number the peers of a graph 0..n-1 and drop everything on its edges.

    Whole-number labels keep their numerical order; other labels (names, tuples) keep the graph's own order. The old
    label is kept in the peer's attribute "label", its point in "pos". Parallel edges become one edge; edge weights are
    dropped, because a weight rule makes its own. A graph that is normal already is returned as it is.

    Args:
        graph: directed or not, at least two peers, no self-loops; it need not be connected.

    Raises:
        OptionError: if the graph has fewer than two peers.
        ValueError: if it has a self-loop.
    """
    if len(graph) < 2:
        raise OptionError("peers", len(graph), "must be at least 2", "give a graph of two or more peers")
    loop = next(nx.selfloop_edges(graph), None)
    if loop is not None:
        raise ValueError(
            f"graph has a self-loop at {loop[0]!r}: an edge must join two different peers; remove it "
            "(the weight rule chooses a peer's weight on itself)"
        )
    plain = not graph.is_multigraph() and not any(any(joined.values()) for _, joined in graph.adjacency())
    if plain and all(isinstance(label, int) and label == i for i, label in enumerate(graph)):
        return graph
    labels = list(graph)
    if all(isinstance(label, Integral) for label in labels):
        labels.sort()
    number = {label: i for i, label in enumerate(labels)}
    clean = nx.DiGraph() if graph.is_directed() else nx.Graph()
    clean.graph.update((key, value) for key, value in graph.graph.items() if key in GRAPH_FACTS)
    for label, i in number.items():
        clean.add_node(i, **{key: value for key, value in graph.nodes[label].items() if key in PEER_FACTS})
        if label != i:
            clean.nodes[i].setdefault("label", str(label))
    edges = ((number[u], number[v]) for u, v in graph.edges())
    clean.add_edges_from(sorted(edges if graph.is_directed() else ((min(u, v), max(u, v)) for u, v in edges)))
    return clean


def components(graph: nx.Graph) -> list[set[int]]:
    """The connected components of a graph, largest first; of a directed graph the strongly connected ones."""
    if graph.is_directed():
        return sorted(nx.strongly_connected_components(cast(nx.DiGraph, graph)), key=len, reverse=True)
    return sorted(nx.connected_components(graph), key=len, reverse=True)


def require_undirected(graph: nx.Graph, hint: str) -> nx.Graph:
    """The graph, normalised.

    Args:
        graph: as for `normalize_graph`.
        hint: what to use for a directed graph instead.

    Raises:
        OptionError: if it is directed.
        ValueError: as for `normalize_graph`.
    """
    if graph.is_directed():
        raise OptionError("graph", "directed", "must be undirected", hint)
    return normalize_graph(graph)
