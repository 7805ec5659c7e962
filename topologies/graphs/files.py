"""Graphs from and to files: all that `readers` reads, and the topology.json of a run folder."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.readers import SUFFIXES, Form, format_of, read
from dfedsam.topologies.normalize import GRAPH_FACTS, PEER_FACTS, components, normalize_graph
from dfedsam.topologies.topology import Topology
from dfedsam.topologies.weights.files import square_matrix, topology_of_matrix, uneven

__all__ = ["SUFFIXES", "from_file", "to_dict"]

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, EOFError, MemoryError, OverflowError)
_BROKEN = (ParseError, nx.NetworkXException, zipfile.BadZipFile, zlib.error)
_POINTS = (("pos",), ("Longitude", "Latitude"), ("longitude", "latitude"), ("lon", "lat"), ("x", "y"))


def from_file(
    n: int | None,
    path: str | Path,
    directed: bool | None = None,
    form: Form | None = None,
    largest: bool = False,
) -> nx.Graph | Topology:
    """Read a graph, or a whole W, from a file.

    The suffix says the format, before .gz or .bz2. `.edgelist`, `.edges`, `.el`: one edge a line, two peers and perhaps
    a weight or networkx's `{}`, separated by tabs, commas or blanks; a first line with a number alone is the number of
    peers (decentralizepy). `.adjlist`: a peer and then its neighbours on each line. `.txt`, `.csv`, `.tsv`: edges, or
    the rows of a matrix. `.npy`, `.npz`, `.mtx`: a matrix (numpy, scipy, Matrix Market). `.graphml`, `.gml`, `.gexf`,
    `.net` (Pajek), `.g6`, `.s6`, `.json` (networkx, Cytoscape, D3, topology.json). Lines that begin with # or % are
    comments. A matrix whose rows or columns sum to one is W; one of zeros and ones is the adjacency matrix, A[i, j] = 1
    where an edge leads from i to j. What can be read in two ways is refused until `form` says which is meant. Weights
    of edges are not used: the weight rule makes its own. Edges count once, and self-loops are dropped with a note.

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
    if format_of(path) not in SUFFIXES:
        rule = f"must have one of the suffixes {', '.join(SUFFIXES)}, which say the format"
        raise OptionError("path", path, rule, "rename the file")
    try:
        path.open("rb").close()  # some readers have errors of their own for what cannot be read
        content, notes = read(path, form, directed=bool(directed))
        if not isinstance(content, nx.Graph):
            matrix = square_matrix(content)
            if form == "weights" or (form is None and not _is_adjacency(matrix)):
                return topology_of_matrix(path, matrix, dtype=getattr(content, "dtype", None))
            content = _of_adjacency(matrix)
        graph = _network(content, directed, notes)
    except OSError as error:
        reason = error.strerror or error
        raise OptionError("path", path, f"must be a file that can be read, but: {reason}", "fix the path") from None
    except OptionError as error:
        if error.option == "weights":
            raise
        raise OptionError("path", path, f"must hold a graph or a matrix, but: {error}") from None
    except (*_UNREADABLE, *_BROKEN) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OptionError("path", path, f"must hold a graph or a matrix, but: {reason}") from None
    graph = _connected(graph, path, largest, notes)
    if n is not None and n != len(graph):
        hint = f"give --peers {len(graph)}, or another file"
        raise OptionError("peers", n, f"must be {len(graph)}, as in {path}", hint)
    graph.graph.setdefault("name", path.name.partition(".")[0])
    if notes:
        graph.graph["notes"] = [f"{path.name}: {note}" for note in notes]
    return graph


def to_dict(graph: nx.Graph | Topology, **more: Any) -> dict[str, Any]:
    """A graph in networkx's node-link form, ready for `json.dump`; `from_file` reads it again.

    Args:
        graph: directed or not, peers 0..n-1; or a topology. Of one that changes from round to round the edges of all
            rounds are written, and a key "schedule", {"period": rounds or None, "any_pair": whether any two peers may
            meet, of which no edges are written}. `from_file` refuses that.
        **more: further top-level entries, such as `spectrum=` or `description=`.

    Returns:
        {"directed": False, "multigraph": False, "graph": ..., "nodes": [{"id": 0, ...}, ...], "edges": [{"source": 0,
        "target": 1}, ...], **more}; a directed edge leads from source to target.
    """
    if isinstance(graph, Topology) and graph.period != 1:
        return _schedule_to_dict(graph, more)
    if isinstance(graph, Topology):
        graph = graph.graph(0)
    return {
        "directed": graph.is_directed(),
        "multigraph": False,
        "graph": {key: value for key, value in graph.graph.items() if key in GRAPH_FACTS},
        **more,
        "nodes": [{"id": peer, **_peer_facts(data)} for peer, data in graph.nodes(data=True)],
        "edges": [{"source": u, "target": v} for u, v in graph.edges()],
    }


def _schedule_to_dict(topology: Topology, more: dict[str, Any]) -> dict[str, Any]:
    """All rounds' edges, without any where any two peers may meet, and without a graph of networkx."""
    support = topology.support()
    pairs: list[tuple[int, int]] = []
    if support is not None:
        entries = (support if topology.directed else sp.triu(support)).tocoo()
        order = np.lexsort((entries.row, entries.col) if topology.directed else (entries.col, entries.row))
        i, j = (entries.col, entries.row) if topology.directed else (entries.row, entries.col)
        pairs = list(zip(i[order].tolist(), j[order].tolist(), strict=True))
    return {
        "directed": topology.directed,
        "multigraph": False,
        "graph": {},
        "schedule": {"period": topology.period, "any_pair": support is None},
        **more,
        "nodes": [{"id": peer} for peer in range(topology.n)],
        "edges": [{"source": u, "target": v} for u, v in pairs],
    }


def _is_adjacency(matrix: sp.csr_array) -> bool:
    """Whether a matrix is an adjacency matrix and no W.

    Raises:
        ValueError: if it can be both.
    """
    binary = bool(np.isin(matrix.data, (0, 1)).all())
    stochastic = uneven(matrix, 0) is None or uneven(matrix, 1) is None
    if binary and stochastic:
        raise ValueError("it can be an adjacency matrix, or W; set form to adjacency or weights")
    return binary


def _of_adjacency(matrix: sp.csr_array) -> nx.Graph:
    """The graph with an edge from i to j where A[i, j] ≠ 0, undirected where A is symmetric in that."""
    pattern = sp.csr_array(matrix != 0)
    symmetric = (pattern != pattern.T).nnz == 0
    entries = pattern.tocoo()
    graph: nx.Graph = nx.Graph() if symmetric else nx.DiGraph()
    graph.add_nodes_from(range(len(matrix.indptr) - 1))
    graph.add_edges_from(zip(entries.row.tolist(), entries.col.tolist(), strict=True))
    return graph


def _network(graph: nx.Graph, directed: bool | None, notes: list[str]) -> nx.Graph:
    """The graph as peers 0..n-1, without self-loops, with labels and points, and with or without directions."""
    if directed and not graph.is_directed():
        raise ValueError("it says itself that it is undirected; leave out directed")
    loops = list(nx.selfloop_edges(graph))
    if loops:
        graph = graph.copy()
        graph.remove_edges_from(loops)
        notes.append(f"{len(loops)} self-loops are dropped")
    for _, facts in graph.nodes(data=True):
        _keep_point(facts)
    if directed is None and graph.is_directed() and not nx.is_empty(graph):
        directed = _keeps_directions(graph, notes)
    return normalize_graph(graph.to_undirected() if directed is False else graph)


def _keeps_directions(graph: nx.Graph, notes: list[str]) -> bool:
    """Whether the directions of a file are kept where the user does not say."""
    if all(graph.has_edge(v, u) for u, v in graph.edges()):
        return False
    if len(components(graph)) > 1 and len(components(graph.to_undirected(as_view=True))) == 1:
        notes.append("its directions would cut peers off, so every edge leads both ways (directed keeps them)")
        return False
    return True


def _connected(graph: nx.Graph, path: Path, largest: bool, notes: list[str]) -> nx.Graph:
    """The graph, or its largest part where that is asked for.

    Raises:
        OptionError: if it is not connected.
    """
    parts = components(graph)
    if len(parts) == 1:
        return graph
    if largest:
        notes.append(f"the largest part, {len(parts[0])} of {len(graph)} peers, is taken")
        for peer in parts[0]:
            graph.nodes[peer].setdefault("label", str(peer))
        kept = graph.subgraph(sorted(parts[0])).copy()
        return normalize_graph(kept)
    strongly = " both ways, for it is directed" if graph.is_directed() else ""
    hint = ", or set directed to false: each then leads both ways" if strongly else ""
    sizes = ", ".join(str(len(part)) for part in parts[:5]) + (", …" if len(parts) > 5 else "")
    rule = f"must be connected{strongly}, but it has {len(parts)} parts (of {sizes} peers)"
    raise OptionError("path", path, rule, f"add edges{hint}, or set largest to true for the largest part")


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
