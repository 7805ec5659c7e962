"""Readers of graph files, one table by suffix: from a file to a networkx graph, or to a square matrix.

A reader keeps the file's labels; `files` makes the graph a network of peers. Files may be compressed (.gz, .bz2).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.topologies.weights.files import MATRIX_READERS, opened

Form = Literal["edges", "neighbours", "adjacency", "weights"]
Content = nx.Graph | Any
"""A graph, or a square matrix, dense or sparse."""

_HEADERS = {"source", "target", "from", "to", "node1", "node2", "u", "v", "src", "dst", "fromnodeid", "tonodeid"}
_SCHEDULE = (
    "it changes from round to round, and the file has only the union of its rounds; "
    "use the topology of the run's config.yaml"
)


def format_of(path: Path) -> str:
    """The suffix that determines the format: `.gml` of `zoo.GML.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bz2"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def read(path: Path, form: Form | None, *, directed: bool) -> tuple[Content, list[str]]:
    """The content of a file, and notes on how it was read.

    Args:
        path: the file; its suffix is in READERS.
        form: what a table of text or a matrix means; None: what it can only mean.
        directed: whether the edges of a list have a direction.

    Raises:
        ValueError: if it cannot be read so, or in two ways.
    """
    suffix = format_of(path)
    if suffix in MATRIX_READERS and suffix not in _TABLES:
        return MATRIX_READERS[suffix](path), []
    if suffix in _TABLES:
        return _Table(path, directed, form or _TABLES[suffix]).read()
    return _numbered(READERS[suffix](path)), []


@dataclass
class _Line:
    number: int
    fields: list[str]
    data: bool  # whether {…} followed, networkx's form of an edge's data


class _Table:
    """A file of text with some fields on each line: edges, neighbours, or the rows of a matrix."""

    def __init__(self, path: Path, directed: bool, form: Form | None) -> None:
        self.lines, self.directed, self.form = list(_lines(path)), directed, form
        self.networkx = any(line.startswith("# GMT") for line in _text(path).splitlines()[:5])
        self.notes: list[str] = []

    def read(self) -> tuple[Content, list[str]]:
        count = self._count()
        form = self.form or self._form(count)
        if form in ("adjacency", "weights"):
            return self._matrix(), self.notes
        graph = self._neighbours(count) if form == "neighbours" else self._edges(count)
        return _numbered(graph), self.notes

    def _count(self) -> int | None:
        """The number of peers, where the first line has that alone, as in decentralizepy's files."""
        if len(self.lines) < 2 or len(self.lines[0].fields) > 1 or not self.lines[0].fields[0].isdecimal():
            return None
        count = int(self.lines[0].fields[0])
        if self.form == "neighbours" and len(self.lines) != count + 1:
            return None
        if any(len(line.fields) < 2 for line in self.lines[1:]) and len(self.lines) != count + 1:
            return None
        self.lines = self.lines[1:]
        return count

    def _form(self, count: int | None) -> Form:
        """What the lines can only be.

        Raises:
            ValueError: if they can be several things.
        """
        widths = {len(line.fields) for line in self.lines}
        if count is not None and len(self.lines) == count and not any(line.data for line in self.lines):
            if widths != {2}:
                return "neighbours"
            if self._mutual():
                raise ValueError(
                    f"it can be {count} edges, or the neighbours of {count} peers; set form to edges or neighbours"
                )
        numbers = all(_is_number(field) for line in self.lines for field in line.fields)
        peers = all(field.isdecimal() for line in self.lines for field in line.fields[:2])
        if not numbers or count is not None or not self.lines:
            return "edges"
        if not peers:
            return "weights"
        if widths == {len(self.lines)}:
            if len(self.lines) > 3:
                return "weights"
            n, matrix = len(self.lines), self._matrix()
            if not (np.isin(matrix, (0, 1)).all() or any(np.allclose(matrix.sum(axis), 1) for axis in (0, 1))):
                return "edges"  # as a matrix it would be neither of ones and zeros nor a W
            raise ValueError(f"it can be {n} edges, or a matrix of {n} × {n}; set form to edges, adjacency or weights")
        return "edges"

    def _mutual(self) -> bool:
        """Whether each peer is among the neighbours of its own, if the lines hold neighbours."""
        heard = [set(line.fields) for line in self.lines]
        return all(
            field.isdecimal() and int(field) < len(heard) and str(i) in heard[int(field)]
            for i, fields in enumerate(heard)
            for field in fields
        )

    def _matrix(self) -> NDArray[np.float64]:
        rows: list[list[float]] = []
        for line in self.lines:
            try:
                rows.append([float(field) for field in line.fields])
            except ValueError as error:
                raise ValueError(f"line {line.number}: {error}") from None
            if len(rows[-1]) != len(rows[0]):
                raise ValueError(f"line {line.number} has {len(rows[-1])} numbers, and the first {len(rows[0])}")
        if not rows:
            raise ValueError("it is empty")
        return np.array(rows)

    def _edges(self, count: int | None) -> nx.Graph:
        graph = self._empty(count)
        self._drop_header()
        for line in self.lines:
            rest = line.fields[2:]
            if len(line.fields) < 2 or len(rest) > 1 or not all(map(_is_number, rest)):
                raise ValueError(f"line {line.number} must hold two peers and at most a weight")
            graph.add_edge(line.fields[0], line.fields[1])
        return self._of_count(graph, count)

    def _neighbours(self, count: int | None) -> nx.Graph:
        graph = self._empty(count)
        for i, line in enumerate(self.lines):
            head, others = (str(i), line.fields) if count is not None else (line.fields[0], line.fields[1:])
            graph.add_node(head)
            graph.add_edges_from((head, other) for other in others)
        heads = {line.fields[0] for line in self.lines}
        if self.networkx and not heads >= set(graph):
            raise ValueError("some names have blanks in them; write it with delimiter='\\t'")
        return self._of_count(graph, count)

    def _empty(self, count: int | None) -> nx.Graph:
        graph: nx.Graph = nx.DiGraph() if self.directed else nx.Graph()
        graph.add_nodes_from(map(str, range(count or 0)))
        return graph

    def _of_count(self, graph: nx.Graph, count: int | None) -> nx.Graph:
        if count is not None and len(graph) > count:
            raise ValueError(f"its first line says {count} peers, but it names {len(graph)}")
        return graph

    def _drop_header(self) -> None:
        """Leave out a first line of column names."""
        if not self.lines or any(line.data for line in self.lines[:1]):
            return
        first, others = self.lines[0].fields[:2], [field for line in self.lines[1:] for field in line.fields[:2]]
        named = {field.lower().strip('"') for field in first} <= _HEADERS
        unlike = bool(others) and all(map(_is_number, others)) and not any(map(_is_number, first))
        if len(first) == 2 and (named or unlike):
            self.notes.append(f"its first line, {' '.join(self.lines[0].fields)}, is taken as names of columns")
            self.lines = self.lines[1:]


def _gml(path: Path) -> nx.Graph:
    try:
        return nx.read_gml(path)
    except nx.NetworkXError:  # labels are missing, or are not unique
        return nx.read_gml(path, label="id")


def _json(path: Path) -> nx.Graph:
    """Networkx's node-link and adjacency forms, Cytoscape's, D3's, and the topology.json of a run folder."""
    try:
        data = json.loads(_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    data = cast(dict[str, Any], data) if isinstance(data, dict) else {}
    if data.get("schedule"):
        raise ValueError(_SCHEDULE)
    if isinstance(data.get("elements"), dict):
        return nx.cytoscape_graph({"data": [], "directed": False, "multigraph": False, **data})
    if isinstance(data.get("adjacency"), list):
        return nx.adjacency_graph(data)
    nodes, edges = data.get("nodes"), data.get("edges", data.get("links"))
    if not isinstance(nodes, list) or not isinstance(edges, list):
        raise ValueError("it must be an object with lists of nodes and edges")
    return _node_link(data, cast(list[dict[str, Any]], nodes), cast(list[dict[str, Any]], edges))


def _node_link(data: dict[str, Any], nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> nx.Graph:
    graph: nx.Graph = nx.DiGraph() if data.get("directed") else nx.Graph()
    graph.graph.update(data.get("graph", {}))
    for place, node in enumerate(nodes):  # without an id edges name the node's place, as D3 has it
        facts = {key: value for key, value in node.items() if key != "id"}
        if "id" not in node and "name" in node:
            facts["label"] = node["name"]
        graph.add_node(node.get("id", place), **facts)
    known = set(graph)
    for edge in edges:
        if not {edge["source"], edge["target"]} <= known:
            raise ValueError(f"the edge {edge['source']}–{edge['target']} names a peer that is not among the nodes")
        graph.add_edge(edge["source"], edge["target"])
    return graph


def _text(path: Path) -> str:
    with opened(path, "rt") as file:
        return file.read()


def _lines(path: Path) -> Iterator[_Line]:
    """Line numbers and fields, without comments (# and %) and empty lines."""
    texts = [line.partition("#")[0].strip() for line in _text(path).splitlines()]
    texts = ["" if text.startswith("%") else text for text in texts]
    heads = [text.partition("{")[0].rstrip(" ,\t") for text in texts]
    used = [head for head in heads if head]
    every = any if format_of(path) == ".adjlist" else all  # a peer may have no neighbours to list
    mark = next((mark for mark in "\t;," if used and every(mark in head for head in used)), None)
    for number, (text, head) in enumerate(zip(texts, heads, strict=True), start=1):
        if not text:
            continue
        fields = [part.strip() for part in head.split(mark)] if mark else head.replace(",", " ").split()
        yield _Line(number, fields, "{" in text)


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


_TABLES: dict[str, Form | None] = {  # files of text by suffix, and what they hold
    ".edgelist": "edges",
    ".edges": "edges",
    ".el": "edges",
    ".txt": None,
    ".tsv": None,
    ".csv": None,
    ".adjlist": "neighbours",
}
READERS: dict[str, Callable[[Path], nx.Graph]] = {  # graphs by suffix
    ".graphml": lambda path: nx.read_graphml(path),
    ".gml": _gml,
    ".gexf": lambda path: nx.read_gexf(path),
    ".net": lambda path: nx.read_pajek(path),
    ".json": _json,
    ".g6": lambda path: nx.read_graph6(path),
    ".s6": lambda path: nx.read_sparse6(path),
}
SUFFIXES = (*_TABLES, *READERS, *(suffix for suffix in MATRIX_READERS if suffix not in _TABLES))
