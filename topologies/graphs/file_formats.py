"""The formats that graphs are read from: from a file to a networkx graph, with the labels that the file has."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import networkx as nx


def _edge_list(path: Path, directed: bool) -> nx.Graph:
    graph = nx.DiGraph() if directed else nx.Graph()
    for number, fields in _lines(path):
        rest = fields[2:]
        if len(fields) < 2 or not ((len(rest) <= 1 and all(map(_is_number, rest))) or rest[0].startswith("{")):
            raise ValueError(f"line {number} must hold two peers and at most a weight")
        graph.add_edge(fields[0], fields[1])
    return _numbered(graph)


def _adjacency_list(path: Path, directed: bool) -> nx.Graph:
    graph = nx.DiGraph() if directed else nx.Graph()
    for _, fields in _lines(path):
        graph.add_node(fields[0])
        graph.add_edges_from((fields[0], other) for other in fields[1:])
    return _numbered(graph)


def _graphml(path: Path, directed: bool) -> nx.Graph:
    return _numbered(nx.read_graphml(path))


def _node_link(path: Path, directed: bool) -> nx.Graph:
    data = json.loads(path.read_text(encoding="utf-8"))
    nodes, edges = (data.get("nodes"), data.get("edges", data.get("links"))) if isinstance(data, dict) else (None, None)
    if not isinstance(nodes, list) or not isinstance(edges, list):
        raise ValueError("it must be an object with lists of nodes and edges")
    if data.get("schedule"):
        raise ValueError(
            "it changes from round to round, and the file has only the union of its rounds; "
            "use the topology of the run's config.yaml"
        )
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


READERS: dict[str, Callable[[Path, bool], nx.Graph]] = {
    # by suffix; the second argument says whether edges have a direction, where the file itself does not
    ".edgelist": _edge_list,
    ".edges": _edge_list,
    ".txt": _edge_list,
    ".adjlist": _adjacency_list,
    ".graphml": _graphml,
    ".json": _node_link,
}
SUFFIXES = tuple(READERS)
