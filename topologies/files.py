"""Graphs from and to files: edge lists, adjacency lists, GraphML, and the topology.json of a run folder."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx

from topologies.tidy import FACTS, PEER_FACTS, tidy


def from_file(n: int | None, path: str | Path) -> nx.Graph:
    """Read a graph from a file.

    The suffix says the format. `.edgelist`, `.edges`, `.txt`: one edge a line, two peers apart by spaces or a comma,
    perhaps a weight or networkx's `{}` after them. `.adjlist`: a peer and then its neighbours on each line. `.graphml`:
    GraphML. `.json`: networkx's node-link form, or the topology.json of a run folder. Lines that begin with # are
    comments. Weights are not used: the weight rule makes its own. An edge given in both directions counts once.

    Args:
        n: Number of peers that the graph must have; None takes what the file says.
        path: The file.

    Returns:
        The graph with peers 0..n-1; whole-number labels keep their order, other labels the file's (see
        `topologies.tidy`).

    Raises:
        ValueError: if the file is missing or malformed, or if the graph is directed, not connected, has a self-loop or
            other than n peers.
    """
    path = Path(path)
    if path.suffix.lower() not in _READERS:
        raise ValueError(
            f"path is {path}: its suffix must be one of {', '.join(SUFFIXES)}, which says the format; rename the file"
        )
    try:
        graph = tidy(_READERS[path.suffix.lower()](path))
    except OSError as error:
        raise ValueError(
            f"path is {path}: it must be a file that can be read, but: {error.strerror}; mend the path"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError, ParseError, nx.NetworkXException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"path is {path}: it must hold a simple undirected graph, but: {reason}") from None
    if not nx.is_connected(graph):
        parts = sorted((len(part) for part in nx.connected_components(graph)), reverse=True)
        sizes = ", ".join(map(str, parts[:5])) + (", …" if len(parts) > 5 else "")
        raise ValueError(
            f"path is {path}: its graph must be connected, but it has {len(parts)} parts (of {sizes} peers); add edges"
        )
    if n is not None and n != len(graph):
        raise ValueError(
            f"peers is {n}: it must be {len(graph)}, as in {path}; give --peers {len(graph)}, or another file"
        )
    graph.graph.setdefault("name", path.stem)
    return graph


def to_dict(graph: nx.Graph, **more: Any) -> dict[str, Any]:
    """A graph in networkx's node-link form, ready for `json.dump`; `from_file` reads it again.

    Args:
        graph: Undirected, peers 0..n-1.
        **more: What shall stand beside it, such as `spectrum=` or `description=`.

    Returns:
        {"directed": False, "multigraph": False, "graph": ..., "nodes": [{"id": 0, ...}, ...], "edges": [{"source": 0,
        "target": 1}, ...], **more}.
    """
    return {
        "directed": False,
        "multigraph": False,
        "graph": {key: value for key, value in graph.graph.items() if key in FACTS},
        **more,
        "nodes": [{"id": peer, **_peer_facts(data)} for peer, data in graph.nodes(data=True)],
        "edges": [{"source": u, "target": v} for u, v in graph.edges()],
    }


def _peer_facts(data: dict[str, Any]) -> dict[str, Any]:
    facts = {key: value for key, value in data.items() if key in PEER_FACTS}
    if "pos" in facts:
        facts["pos"] = [float(x) for x in facts["pos"]]
    return facts


def _edge_list(path: Path) -> nx.Graph:
    graph = nx.Graph()
    for number, fields in _lines(path):
        rest = fields[2:]
        if len(fields) < 2 or not ((len(rest) <= 1 and all(map(_is_number, rest))) or rest[0].startswith("{")):
            raise ValueError(f"line {number} must hold two peers and at most a weight")
        graph.add_edge(fields[0], fields[1])
    return _numbered(graph)


def _adjacency_list(path: Path) -> nx.Graph:
    graph = nx.Graph()
    for _, fields in _lines(path):
        graph.add_node(fields[0])
        graph.add_edges_from((fields[0], other) for other in fields[1:])
    return _numbered(graph)


def _graphml(path: Path) -> nx.Graph:
    return _numbered(nx.read_graphml(path))


def _node_link(path: Path) -> nx.Graph:
    data = json.loads(path.read_text(encoding="utf-8"))
    nodes, edges = (data.get("nodes"), data.get("edges", data.get("links"))) if isinstance(data, dict) else (None, None)
    if not isinstance(nodes, list) or not isinstance(edges, list):
        raise ValueError("it must be an object with lists of nodes and edges")
    graph = nx.DiGraph() if data.get("directed") else nx.Graph()
    graph.graph.update(data.get("graph", {}))
    for node in nodes:
        graph.add_node(node["id"], **{key: value for key, value in node.items() if key != "id"})
    known = set(graph)
    for edge in edges:
        if not {edge["source"], edge["target"]} <= known:
            raise ValueError(f"the edge {edge['source']}–{edge['target']} names a peer that is not among the nodes")
        graph.add_edge(edge["source"], edge["target"])
    return graph


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields, without comments and empty lines."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            fields = line.split("#")[0].replace(",", " ").split()
            if fields:
                yield number, fields


def _numbered(graph: nx.Graph) -> nx.Graph:
    """Labels that read as whole numbers become numbers, if all do and no two become the same (01 and 1)."""
    if not all(str(label).isdecimal() for label in graph):
        return graph
    number = {label: int(label) for label in graph}
    return nx.relabel_nodes(graph, number) if len(set(number.values())) == len(graph) else graph


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_READERS: dict[str, Callable[[Path], nx.Graph]] = {
    ".edgelist": _edge_list,
    ".edges": _edge_list,
    ".txt": _edge_list,
    ".adjlist": _adjacency_list,
    ".graphml": _graphml,
    ".json": _node_link,
}
SUFFIXES = tuple(_READERS)
