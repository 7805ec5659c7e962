"""Readers of files, one table by suffix: to a graph with the file's labels, which `files` numbers, or to a matrix."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast
from xml.etree.ElementTree import ParseError

import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam.errors import OptionError, one_line
from dfedsam.topologies.tables import (
    TABLES,
    Content,
    Form,
    format_of,
    numbered,
    opened,
    read_table,
    relabelled,
    text_of,
)

_SCHEDULE = (
    "it changes from round to round, and the file has only the union of its rounds; "
    "use the topology of the run's config.yaml"
)
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, EOFError, MemoryError, OverflowError)
_BROKEN = (ParseError, nx.NetworkXException, zipfile.BadZipFile, zlib.error)


def content_of(path: Path, form: Form | None, directed: bool, suffixes: Sequence[str], notes: list[str]) -> Content:
    """What a file of one of these suffixes holds.

    Args:
        path: the file.
        form: what a table of text or a matrix means; None: what it can only mean.
        directed: whether the edges of a list have a direction.
        suffixes: those that are allowed.
        notes: notes on how it was read are added.

    Raises:
        OptionError: if it cannot be opened.
        ValueError: if it is malformed, or can be read in two ways.
    """
    if format_of(path) not in suffixes:
        rule = f"must be a file with one of the suffixes {', '.join(suffixes)}, which say the format"
        raise OptionError("path", path, rule, "rename it")
    try:
        path.open("rb").close()  # some readers have errors of their own for what cannot be read
        suffix = format_of(path)
        if suffix in TABLES:
            content, more_notes = read_table(path, form, directed=directed)
            notes.extend(more_notes)
            return content
        return _ARRAYS[suffix](path, form, directed) if suffix in _ARRAYS else relabelled(_GRAPHS[suffix](path))
    except OSError as error:
        reason = error.strerror or error
        raise OptionError("path", path, f"must be a file that can be read, but: {reason}", "fix the path") from None
    except (*_UNREADABLE, *_BROKEN) as error:
        raise ValueError(one_line(error)) from None


def _gml(path: Path) -> nx.Graph:
    try:
        return nx.read_gml(path)
    except nx.NetworkXError:  # labels are missing, or are not unique
        return nx.read_gml(path, label="id")


def _json(path: Path) -> nx.Graph:
    """Networkx's node-link and adjacency forms, Cytoscape's, D3's, and the topology.json of a run folder."""
    try:
        data = json.loads(text_of(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    data = cast(dict[str, Any], data) if isinstance(data, dict) else {}
    if data.get("schedule"):
        raise ValueError(_SCHEDULE)
    if data.get("left_out"):
        raise ValueError("its edges are so many that they were left out; use the topology of the run's config.yaml")
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


def _array(path: Path, form: Form | None, directed: bool) -> Any:
    if path.suffix.lower() == ".npy":  # mapped, so that a file that claims more than it holds takes no memory
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            if "pickled" in str(error) or "Python objects" in str(error):
                raise ValueError("it holds Python objects, or is no numpy file") from None
            raise
    else:
        with opened(path, "rb") as file:
            array = np.load(file, allow_pickle=False)
    listed = array.ndim == 2 and array.shape[1] == 2 != array.shape[0] and array.dtype.kind in "iu"
    return numbered(np.array(array), directed=directed) if form == "edges" or (form is None and listed) else array


def _archive(path: Path, form: Form | None, directed: bool) -> Any:  # noqa: ARG001
    """What `scipy.sparse.save_npz` wrote, or numpy's archive of "edges" (m, 2) and perhaps "n"."""
    with opened(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        if "edges" in archive:
            n = int(archive["n"]) if "n" in archive else None
            return numbered(archive["edges"], n, directed=directed)
    with opened(path, "rb") as file:
        return sp.load_npz(file)


def _market(path: Path, form: Form | None, directed: bool) -> Any:  # noqa: ARG001
    from scipy.io import mminfo, mmread  # slow to import

    rows, columns, *_ = mminfo(path)
    if rows != columns:
        raise ValueError(f"it is {rows} × {columns}, and not n × n with n of at least 2")
    return mmread(path)


_GRAPHS: dict[str, Callable[[Path], nx.Graph]] = {  # graphs by suffix
    ".graphml": lambda path: nx.read_graphml(path),
    ".gml": _gml,
    ".gexf": lambda path: nx.read_gexf(path),
    ".net": lambda path: nx.read_pajek(path),
    ".json": _json,
    ".g6": lambda path: nx.read_graph6(path),
    ".s6": lambda path: nx.read_sparse6(path),
}
_ARRAYS: dict[str, Callable[[Path, Form | None, bool], Any]] = {".npy": _array, ".npz": _archive, ".mtx": _market}
SUFFIXES = (*TABLES, *_GRAPHS, *_ARRAYS)
MATRIX_SUFFIXES = (".csv", ".txt", *_ARRAYS)  # of files that can hold W
