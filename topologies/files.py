"""Graphs and mixing matrices from and to files: all that `readers` reads, and the topology.json of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.graph import (
    GRAPH_FACTS,
    PEER_FACTS,
    AnyGraph,
    Graph,
    as_graph,
    normalize_graph,
    of_adjacency,
    simple,
)
from dfedsam.topologies.graphs.helpers import in_networkx
from dfedsam.topologies.matrices import is_adjacency, square_matrix
from dfedsam.topologies.readers import SUFFIXES, content_of
from dfedsam.topologies.tables import Form
from dfedsam.topologies.topology import Static, Topology
from dfedsam.topologies.weights.files import topology_of_matrix

_WRITTEN = 250_000  # edges that topology.json lists at most
_POINTS = (("pos",), ("Longitude", "Latitude"), ("longitude", "latitude"), ("lon", "lat"), ("x", "y"))


@in_networkx
def from_file(
    n: int | None, path: str | Path, directed: bool | None = None, form: Form | None = None, largest: bool = False
) -> Graph | Topology:
    """Read a graph, or a whole W, from a file.

    The suffix says the format, before .gz or .bz2. `.edgelist`, `.edges`, `.el`: one edge a line, two peers and perhaps
    a weight or networkx's `{}`, separated by tabs, commas or blanks; a first line with a number alone is the number of
    peers (decentralizepy). `.adjlist`: a peer and then its neighbours on each line, or networkx's multiline form.
    `.txt`, `.csv`, `.tsv`: edges, or the rows of a matrix. `.npy`, `.npz`, `.mtx`: a matrix (numpy, scipy, Matrix
    Market), or edges: whole numbers of shape (m, 2) in `.npy`, or as the array "edges" of an `.npz`, with "n" where
    peers have no edge. `.graphml`, `.gml`, `.gexf`, `.net` (Pajek), `.g6`, `.s6`, `.json` (networkx, Cytoscape, D3,
    topology.json). Lines that begin with # or % are comments. A matrix whose rows or columns sum to one is W; one of
    zeros and ones is the adjacency matrix, A[i, j] = 1 where an edge leads from i to j. What can be read in two ways is
    refused until `form` says which is meant. Weights of edges are not used: the weight rule makes its own. Edges count
    once; self-loops, and peers without an edge, are dropped with a note.

    Args:
        n: number of peers that the graph must have; None takes what the file says.
        path: the file.
        directed: whether an edge leads from its first peer, the sender, to its second alone; false lets every edge lead
            both ways. None takes what the file says, and no direction in lists; a graph in which directions would cut
            peers off leads both ways, with a note.
        form: what a table or matrix holds: edges, neighbours, an adjacency matrix, or the weights W.
        largest: whether to take the largest part of a graph that is not connected.

    Returns:
        The graph with peers 0..n-1: whole-number labels keep their order, other labels the file's (see
        `normalize_graph`); or the topology of a W.

    Raises:
        OptionError: if the file is missing or malformed or holds a schedule, or if the graph is not connected (a
            directed one: strongly) or has other than n peers.
    """
    path = Path(path)
    notes: list[str] = []
    try:
        content = content_of(path, form, bool(directed), SUFFIXES, notes)
        if not isinstance(content, (nx.Graph, Graph)):
            matrix = square_matrix(content)
            if form == "weights" or (form is None and not is_adjacency(matrix)):
                return topology_of_matrix(path, matrix, dtype=getattr(content, "dtype", None))
            content = of_adjacency(_without_loops(matrix, notes))
        graph = _network(content, directed, notes)
    except OptionError as error:
        if error.option in ("weights", "path"):
            raise
        raise OptionError("path", path, f"must hold a graph or a matrix, but: {error}") from None
    except (ValueError, nx.NetworkXException) as error:
        raise OptionError("path", path, f"must hold a graph or a matrix, but: {error}") from None
    graph = _connected(graph, n, path, largest, notes)
    if n is not None and n != graph.n:
        hint = f"give --peers {graph.n}, or another file"
        raise OptionError("peers", n, f"must be {graph.n}, as in {path}", hint)
    graph.facts.setdefault("name", path.name.partition(".")[0])
    if notes:
        graph.facts["notes"] = [f"{path.name}: {note}" for note in notes]
    return graph


def to_dict(graph: AnyGraph | Topology, **more: Any) -> dict[str, Any]:
    """A graph in networkx's node-link form, ready for `json.dump`; `from_file` reads it again.

    Args:
        graph: directed or not, peers 0..n-1; or a topology. Of one that changes from round to round the edges of all
            rounds are written, and a key "schedule", {"period": rounds or None, "any_pair": whether any two peers may
            meet, of which no edges are written}. `from_file` refuses that.
        **more: further top-level entries, such as `spectrum=` or `description=`.

    Returns:
        {"directed": False, "multigraph": False, "graph": ..., "nodes": [{"id": 0, ...}, ...], "edges": [{"source": 0,
        "target": 1}, ...], **more}; a directed edge leads from source to target. Above 250,000 edges nodes and edges
        are empty, and "left_out" is {"nodes": n, "edges": m}.
    """
    schedule: dict[str, Any] = {}
    if isinstance(graph, Topology) and not isinstance(graph, Static):
        support = None if graph.period == 1 and type(graph).graph is not Topology.graph else graph.support()
        if graph.period != 1:
            schedule = {"schedule": {"period": graph.period, "any_pair": support is None}}
        read_off = graph.period != 1 or support is not None
        arrays = _of_support(graph, support) if read_off else as_graph(graph.graph(0))
    else:
        arrays = graph.arrays if isinstance(graph, Static) else as_graph(graph)
    written = {
        "directed": arrays.directed,
        "multigraph": False,
        "graph": {key: value for key, value in arrays.facts.items() if key in GRAPH_FACTS},
        **schedule,
        **more,
    }
    if max(arrays.n, len(arrays.edges)) > _WRITTEN:
        return {**written, "left_out": {"nodes": arrays.n, "edges": arrays.size}, "nodes": [], "edges": []}
    nodes = [{"id": peer, **_peer_facts(arrays.peer_facts.get(peer, {}))} for peer in range(arrays.n)]
    pairs = arrays.networkx.edges() if not schedule else arrays.edges.tolist()
    return {**written, "nodes": nodes, "edges": [{"source": u, "target": v} for u, v in pairs]}


def _of_support(topology: Topology, support: sp.csr_array | None) -> Graph:
    """The graph of all who may talk in some round; without edges where any two may."""
    if support is None:
        return Graph(topology.n, np.empty((0, 2), dtype=np.int32), topology.directed)
    entries = (sp.csc_array(support) if topology.directed else sp.triu(support).tocsr()).tocoo()
    i, j = (entries.col, entries.row) if topology.directed else (entries.row, entries.col)
    return Graph(topology.n, np.column_stack([i, j]), topology.directed)


def _without_loops(matrix: sp.csr_array, notes: list[str]) -> sp.csr_array:
    """An adjacency matrix without its diagonal."""
    entries = matrix.tocoo()
    off = entries.row != entries.col
    if off.all():
        return matrix
    notes.append(f"self-loops dropped: {np.count_nonzero(~off)}")
    return sp.csr_array((entries.data[off], (entries.row[off], entries.col[off])), shape=matrix.shape)


def _network(content: nx.Graph | Graph, directed: bool | None, notes: list[str]) -> Graph:
    """The graph as peers 0..n-1, without self-loops, with labels and points, and with or without directions."""
    loops, graph = 0, content
    if isinstance(content, nx.Graph):
        looped = list(nx.selfloop_edges(content))
        if looped:
            content = content.copy()
            content.remove_edges_from(looped)
        for _, facts in content.nodes(data=True):
            _keep_point(facts)
        loops, graph = len(looped), as_graph(content)
    else:
        off = content.edges[:, 0] != content.edges[:, 1]
        loops = int(np.count_nonzero(~off))
        graph = Graph(content.n, content.edges[off], content.directed, content.facts, content.peer_facts)
    if loops:
        notes.append(f"self-loops dropped: {loops}")
    if directed and not graph.directed:
        raise ValueError("it says itself that it is undirected; leave out directed")
    if not graph.directed or directed or (directed is None and _keeps_directions(graph, notes)):
        return simple(graph)
    both = Graph(graph.n, graph.edges, False, graph.facts, graph.peer_facts)
    return simple(as_graph(normalize_graph(both.networkx)) if both.n <= _WRITTEN else both)


def _keeps_directions(graph: Graph, notes: list[str]) -> bool:
    """Whether the directions of a file are kept where the user does not say."""
    if (graph.adjacency != graph.adjacency.T).nnz == 0 and graph.size:
        return False
    if graph.parts().max() > Graph(graph.n, graph.edges).parts().max():
        notes.append("its directions would cut peers off, so every edge leads both ways (directed keeps them)")
        return False
    return True


def _connected(graph: Graph, n: int | None, path: Path, largest: bool, notes: list[str]) -> Graph:
    """The graph without peers that have no edge, unless n counts them, or its largest part where that is asked for.

    Raises:
        OptionError: if it is not connected.
    """
    joined = np.bincount(graph.edges.ravel(), minlength=graph.n) > 0
    if n != graph.n and joined.any() and not joined.all():
        notes.append(f"{np.count_nonzero(~joined)} peers without an edge are dropped")
        graph = _among(graph, joined)
    part = graph.parts()
    if not part.any():
        return graph
    sizes = np.bincount(part)
    if largest:
        notes.append(f"the largest part, {sizes[0]} of {graph.n} peers, is taken")
        return simple(_among(graph, part == 0))
    strongly = " both ways, for it is directed" if graph.directed else ""
    hint = ", or set directed to false: each then leads both ways" if strongly else ""
    listed = ", ".join(map(str, sizes[:5])) + (", …" if len(sizes) > 5 else "")
    rule = f"must be connected{strongly}, but it has {len(sizes)} parts (of {listed} peers)"
    raise OptionError("path", path, rule, f"add edges{hint}, or set largest to true for the largest part")


def _among(graph: Graph, kept: NDArray[np.bool_]) -> Graph:
    """The graph of these peers alone, shape (n,)."""
    edges = (np.cumsum(kept) - 1)[graph.edges[kept[graph.edges].all(axis=1)]]
    peers = enumerate(np.flatnonzero(kept).tolist())
    facts = {i: {"label": str(peer), **graph.peer_facts.get(peer, {})} for i, peer in peers}
    return Graph(len(facts), edges, graph.directed, graph.facts, facts)


def _keep_point(facts: dict[str, Any]) -> None:
    """Find a peer's point under any of its usual names, and keep it as "pos", [x, y]."""
    inside: dict[str, Any] = {**facts, **(facts.get("graphics") or {}), **(facts.get("viz", {}).get("position") or {})}
    for names in _POINTS:
        try:
            point = inside["pos"] if names == ("pos",) else [inside[name] for name in names]
            x, y = (float(value) for value in point)
        except (KeyError, TypeError, ValueError):
            continue
        if np.isfinite((x, y)).all():
            facts["pos"] = [x, y]
            return
    facts.pop("pos", None)


def _peer_facts(data: dict[str, Any]) -> dict[str, Any]:
    facts = {key: value for key, value in data.items() if key in PEER_FACTS}
    if "pos" in facts:
        facts["pos"] = [float(x) for x in facts["pos"]]
    return facts
