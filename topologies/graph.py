"""Graphs as arrays: pairs of peers 0..n-1. A graph of networkx is made only when someone asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from dfedsam.errors import OptionError

GRAPH_FACTS = ("name", "seed", "rows", "columns", "notes")  # kept in graph.graph
PEER_FACTS = ("label", "pos")  # of a peer: what its file called it, and its point [x, y]


@dataclass(eq=False)
class Graph:
    """A simple graph of n peers.

    Args:
        n: number of peers, at least 2.
        edges: pairs of peers, shape (m, 2), directed ones from sender to receiver. A repeated edge counts once.
        directed: whether edges have a direction.
        facts: those of GRAPH_FACTS that are known.
        peer_facts: peer → those of PEER_FACTS that are known.
    """

    n: int
    edges: NDArray[np.integer]
    directed: bool = False
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    peer_facts: Mapping[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])

    @cached_property
    def adjacency(self) -> sp.csr_array:
        """A, bool, shape (n, n), sorted indices: true where an edge leads from the row's peer to the column's."""
        i, j = self.edges.astype(np.int32, copy=False).T
        if not self.directed:
            i, j = np.concatenate([i, j]), np.concatenate([j, i])
        return pattern(sp.csr_array((np.ones(len(i), np.bool_), (i, j)), shape=(self.n, self.n)))

    @cached_property
    def degrees(self) -> NDArray[np.int64]:
        """To how many others each peer has an edge, shape (n,)."""
        return np.diff(self.adjacency.indptr).astype(np.int64)

    @property
    def size(self) -> int:
        """Number of edges."""
        return self.adjacency.nnz if self.directed else self.adjacency.nnz // 2

    @cached_property
    def networkx(self) -> nx.Graph:
        """The same graph as networkx has it, peers 0..n-1 in order. Do not change it."""
        graph: nx.Graph = nx.DiGraph() if self.directed else nx.Graph()
        graph.graph.update(self.facts)
        graph.add_nodes_from((peer, self.peer_facts.get(peer, {})) for peer in range(self.n))
        graph.add_edges_from(self.edges.tolist())
        return graph

    def parts(self) -> NDArray[np.integer]:
        """The component of each peer (strong, of a directed graph), numbered by falling size, shape (n,)."""
        part = connected_components(self.adjacency, directed=True, connection="strong")[1]
        _, first, sizes = np.unique(part, return_index=True, return_counts=True)
        rank = np.empty(len(sizes), dtype=np.intp)
        rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
        return rank[part]

    @property
    def connected(self) -> bool:
        """Whether every peer reaches every other."""
        return connected_components(self.adjacency, directed=True, connection="strong", return_labels=False) == 1


AnyGraph = nx.Graph | Graph


def as_graph(graph: AnyGraph | sp.sparray | NDArray[np.integer]) -> Graph:
    """A graph of networkx, an adjacency matrix (n, n), sparse, or edges (m, 2), numbered as `normalize_graph` does.

    Raises:
        OptionError: if it has no peer.
        ValueError: if it has a self-loop, or is none of these.
    """
    if isinstance(graph, Graph):
        return graph
    if isinstance(graph, nx.Graph):
        if len(graph) == 1:  # a topology of one's own may be of one peer, whose queries a server uses
            return Graph(1, np.empty((0, 2), np.int32))
        normal = normalize_graph(graph)
        edges = np.array(list(normal.edges()), dtype=np.int32).reshape(-1, 2)
        peers = {peer: data for peer, data in normal.nodes(data=True) if data}
        result = Graph(len(normal), edges, normal.is_directed(), normal.graph, peers)
        vars(result)["networkx"] = normal
        return result
    if sp.issparse(graph):
        return of_adjacency(sp.csr_array(graph))
    edges = np.asarray(graph)
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu" or not edges.size or edges.min() < 0:
        rule = "edges must be pairs of peers 0, 1, …: an array of whole numbers and shape (m, 2)"
        raise ValueError(f"{rule}; a matrix must be sparse, such as scipy.sparse.csr_array(W)")
    return simple(Graph(int(edges.max()) + 1, edges))


def of_adjacency(matrix: sp.csr_array) -> Graph:
    """The graph with an edge from i to j where A[i, j] ≠ 0, undirected where A is symmetric in that."""
    entries, n = matrix.tocoo(), len(matrix.indptr) - 1
    there = entries.data != 0
    i, j = entries.row[there], entries.col[there]
    mirrored = Graph(n, np.stack([i, j], axis=1), directed=True)
    if same_pattern(mirrored.adjacency, pattern(sp.csr_array(mirrored.adjacency.T))):
        return simple(Graph(n, mirrored.edges[i <= j]))
    return simple(mirrored)


def simple(graph: Graph) -> Graph:
    """The graph, once it has two peers and no self-loop; raises as `as_graph`."""
    if graph.n < 2:
        raise OptionError("peers", graph.n, "must be at least 2", "give a graph of two or more peers")
    loops = np.flatnonzero(graph.edges[:, 0] == graph.edges[:, 1])
    if loops.size:
        raise _self_loop(int(graph.edges[loops[0], 0]))
    return graph


def normalize_graph(graph: nx.Graph) -> nx.Graph:
    """Number the peers of a graph 0..n-1 and drop everything on its edges.

    Whole-number labels keep their numerical order; other labels (names, tuples) keep the graph's own order. The old
    label is kept in the peer's attribute "label", its point in "pos". Parallel edges become one edge; edge weights are
    dropped, because a weight rule makes its own. A graph that is normal already is returned as it is.

    Raises:
        OptionError: if the graph has fewer than two peers.
        ValueError: if it has a self-loop.
    """
    if len(graph) < 2:
        raise OptionError("peers", len(graph), "must be at least 2", "give a graph of two or more peers")
    loop = next(nx.selfloop_edges(graph), None)
    if loop is not None:
        raise _self_loop(loop[0])
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


def adjacency_matrix(graph: AnyGraph) -> sp.csr_array:
    """A of shape (n, n), float64, sorted indices: 1 where an edge leads from the row's peer to the column's."""
    A = as_graph(graph).adjacency
    return sp.csr_array((np.ones(A.nnz), A.indices, A.indptr), shape=A.shape)


def pattern(matrix: sp.csr_array) -> sp.csr_array:
    """Where entries of a csr matrix are stored: bool, sorted indices, each once; its arrays may be shared."""
    matrix.sum_duplicates()
    return sp.csr_array((np.ones(matrix.nnz, np.bool_), matrix.indices, matrix.indptr), shape=matrix.shape)


def same_pattern(one: sp.csr_array, other: sp.csr_array) -> bool:
    """Whether two csr matrices with sorted indices have entries at the same places."""
    return np.array_equal(one.indptr, other.indptr) and np.array_equal(one.indices, other.indices)


def undirected(graph: AnyGraph, hint: str) -> Graph:
    """The graph as arrays; raises OptionError with this hint if it is directed, and as `as_graph`."""
    if graph.directed if isinstance(graph, Graph) else graph.is_directed():
        raise OptionError("graph", "directed", "must be undirected", hint)
    return as_graph(graph)


def _self_loop(peer: object) -> ValueError:
    return ValueError(
        f"graph has a self-loop at {peer!r}: an edge must join two different peers; remove it "
        "(the weight rule chooses a peer's weight on itself)"
    )
