"""Tables of text: edges, neighbours, or the rows of a matrix, and edges as arrays. Files may be compressed."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.topologies.graph import Graph

Form = Literal["edges", "neighbours", "adjacency", "weights"]
Content = nx.Graph | Graph | Any
"""A graph with the file's labels, or a square matrix, dense or sparse."""

_HEADERS = {"source", "target", "from", "to", "node1", "node2", "u", "v", "src", "dst", "fromnodeid", "tonodeid"}
_LARGE = 1 << 20  # bytes of a list of edges from which it is read as an array, if its peers are whole numbers
_COMPRESSED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
TABLES: dict[str, Form | None] = {  # files of text by suffix, and what they hold
    ".edgelist": "edges",
    ".edges": "edges",
    ".el": "edges",
    ".txt": None,
    ".tsv": None,
    ".csv": None,
    ".adjlist": "neighbours",
}


def format_of(path: Path) -> str:
    """The suffix that determines the format: `.gml` of `zoo.GML.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bz2"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def read_table(path: Path, form: Form | None, *, directed: bool) -> tuple[Content, list[str]]:
    """The content of a file of text, and notes on how it was read; arguments as for `readers.content_of`."""
    meant = form or TABLES[format_of(path)]
    if meant in ("edges", None) and path.stat().st_size > _LARGE and (edges := _large(path)) is not None:
        return numbered(edges, directed=directed), []
    return _Table(path, directed, meant).read()


def numbered(edges: NDArray[np.integer], n: int | None = None, *, directed: bool = False) -> Graph:
    """The graph of an array of edges: of the peers 0..n-1, or of those that it names, in the order of their numbers."""
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu" or not edges.size:
        raise ValueError("edges must be whole numbers in two columns")
    if n is not None:
        if edges.min() < 0 or edges.max() >= n:
            raise ValueError(f"its edges must be of peers from 0 to {n - 1}, by its n")
        return Graph(n, edges, directed)
    peers, ends = np.unique(edges, return_inverse=True)
    labels = {} if peers[0] == 0 and peers[-1] == len(peers) - 1 else dict(enumerate(peers.tolist()))
    facts = {peer: {"label": str(label)} for peer, label in labels.items()}
    return Graph(len(peers), ends.reshape(-1, 2).astype(np.int32), directed, peer_facts=facts)


def opened(path: Path, mode: str) -> Any:
    """A file that may be compressed (.gz, .bz2), as binary ("rb") or as text ("rt")."""
    opener: Callable[..., Any] = _COMPRESSED.get(path.suffix.lower(), open)
    return opener(path, mode, encoding="utf-8-sig") if "t" in mode else opener(path, mode)


@dataclass
class _Line:
    number: int
    fields: list[str]
    data: bool  # whether {…} followed, networkx's form of an edge's data


class _Table:
    """A file of text with some fields on each line: edges, neighbours, or the rows of a matrix."""

    def __init__(self, path: Path, directed: bool, form: Form | None) -> None:
        self.lines, self.directed, self.form = list(_lines(path)), directed, form
        self.networkx = any(line.startswith("# GMT") for line in text_of(path).splitlines()[:5])
        self.notes: list[str] = []

    def read(self) -> tuple[Content, list[str]]:
        count = self._count()
        form = self.form or self._form(count)
        if form in ("adjacency", "weights"):
            return self._matrix(), self.notes
        several = form == "neighbours" and any(line.data for line in self.lines)
        graph = self._blocks() if several else self._neighbours(count) if form == "neighbours" else self._edges(count)
        return relabelled(graph), self.notes

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
        """What the lines can only be. Raises ValueError if they can be several things."""
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

    def _blocks(self) -> nx.Graph:
        """Networkx's multiline form: a peer and how many neighbours follow, one a line."""
        graph, rest = self._empty(None), iter(self.lines)
        for line in rest:
            if len(line.fields) != 2 or not line.fields[1].isdecimal():
                raise ValueError(f"line {line.number} must hold a peer and how many lines of neighbours follow")
            graph.add_node(line.fields[0])
            for _ in range(int(line.fields[1])):
                neighbour = next(rest, None)
                if neighbour is None or len(neighbour.fields) != 1:
                    raise ValueError(f"line {line.number} must be followed by {line.fields[1]} lines of one neighbour")
                graph.add_edge(line.fields[0], neighbour.fields[0])
        return graph

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


def _large(path: Path) -> NDArray[np.int64] | None:
    """The edges of a long list, shape (m, 2), or None where it does not hold whole numbers, two or three a line."""
    with opened(path, "rt") as file:
        head = [line for line in (file.readline() for _ in range(100)) if line[:1] not in "#%"]
    mark = next((mark for mark in "\t;," if all(mark in line for line in head if line.strip())), None)
    if any(len(line.split(mark)) not in (2, 3) for line in head if line.strip()):
        return None
    try:
        with opened(path, "rt") as file:
            return np.loadtxt(file, np.int64, comments=["#", "%"], delimiter=mark, usecols=(0, 1), ndmin=2)
    except ValueError:
        return None


def text_of(path: Path) -> str:
    """The text of a file that may be compressed."""
    with opened(path, "rt") as file:
        return file.read()


def _lines(path: Path) -> Iterator[_Line]:
    """Line numbers and fields, without comments (# and %) and empty lines."""
    texts = [line.partition("#")[0].strip() for line in text_of(path).splitlines()]
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


def relabelled(graph: nx.Graph) -> nx.Graph:
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
