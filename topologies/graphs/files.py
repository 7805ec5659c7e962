"""Graphs from and to files: edge lists, adjacency lists, GraphML, and the topology.json of a run folder."""

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx

from dfedsam.topologies.graphs.file_formats import READERS, SUFFIXES
from dfedsam.topologies.normalize import GRAPH_FACTS, PEER_FACTS, components, normalize_graph
from dfedsam.topologies.topology import Topology, graph_of

__all__ = ["SUFFIXES", "from_file", "to_dict"]


def from_file(n: int | None, path: str | Path, directed: bool | None = None) -> nx.Graph:
    """Read a graph from a file.

    The suffix says the format. `.edgelist`, `.edges`, `.txt`: one edge a line, two peers apart by spaces or a comma,
    perhaps a weight or networkx's `{}` after them. `.adjlist`: a peer and then its neighbours on each line. `.graphml`:
    GraphML. `.json`: networkx's node-link form, or the topology.json of a run folder. Lines that begin with # are
    comments. Weights are not used: the weight rule makes its own. An edge given twice, or in an undirected graph in
    both directions, counts once.

    Args:
        n: Number of peers that the graph must have; None takes what the file says.
        path: The file.
        directed: Whether an edge leads from its first peer, the sender, to its second alone. None takes what GraphML or
            JSON says, and no direction in lists of edges or neighbours; false lets every edge lead both ways.

    Returns:
        The graph with peers 0..n-1; whole-number labels keep their order, other labels the file's (see
        `topologies.normalize`).

    Raises:
        ValueError: if the file is missing or malformed or holds a schedule, or if the graph is not connected (a
            directed one: strongly), has a self-loop or other than n peers.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise ValueError(
            f"path is {path}: its suffix must be one of {', '.join(SUFFIXES)}, which says the format; rename the file"
        )
    try:
        graph = READERS[path.suffix.lower()](path, bool(directed))
        if directed and not graph.is_directed():
            raise ValueError("it says itself that it is undirected; leave out directed")
        graph = normalize_graph(graph.to_undirected() if directed is False else graph)
    except OSError as error:
        raise ValueError(
            f"path is {path}: it must be a file that can be read, but: {error.strerror}; mend the path"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError, ParseError, nx.NetworkXException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"path is {path}: it must hold a simple graph, but: {reason}") from None
    _check_connected(graph, path)
    if n is not None and n != len(graph):
        raise ValueError(
            f"peers is {n}: it must be {len(graph)}, as in {path}; give --peers {len(graph)}, or another file"
        )
    graph.graph.setdefault("name", path.stem)
    return graph


def to_dict(graph: nx.Graph | Topology, **more: Any) -> dict[str, Any]:
    """A graph in networkx's node-link form, ready for `json.dump`; `from_file` reads it again.

    Args:
        graph: Directed or not, peers 0..n-1; or a topology. Of one that changes from round to round the edges of all
            rounds are written, and a key "schedule", {"period": rounds or None, "any_pair": whether any two peers may
            meet, of which no edges are written}. `from_file` refuses that.
        **more: What shall stand beside it, such as `spectrum=` or `description=`.

    Returns:
        {"directed": False, "multigraph": False, "graph": ..., "nodes": [{"id": 0, ...}, ...], "edges": [{"source": 0,
        "target": 1}, ...], **more}; a directed edge leads from source to target.
    """
    if isinstance(graph, Topology):
        if graph.period != 1:
            more = {"schedule": {"period": graph.period, "any_pair": graph.support() is None}, **more}
        graph = graph.graph(0) if graph.period == 1 else _union(graph)
    return {
        "directed": graph.is_directed(),
        "multigraph": False,
        "graph": {key: value for key, value in graph.graph.items() if key in GRAPH_FACTS},
        **more,
        "nodes": [{"id": peer, **_peer_facts(data)} for peer, data in graph.nodes(data=True)],
        "edges": [{"source": u, "target": v} for u, v in graph.edges()],
    }


def _check_connected(graph: nx.Graph, path: Path) -> None:
    sizes = [len(part) for part in components(graph)]
    if len(sizes) == 1:
        return
    strongly, hint = "", "add edges"
    if graph.is_directed():
        strongly, hint = (
            " both ways, for it is directed",
            "add edges, or set directed to false: each then leads both ways",
        )
    listed = ", ".join(map(str, sizes[:5])) + (", …" if len(sizes) > 5 else "")
    raise ValueError(
        f"path is {path}: its graph must be connected{strongly}, but it has {len(sizes)} parts (of {listed} peers); "
        f"{hint}"
    )


def _union(topology: Topology) -> nx.Graph:
    """All rounds' edges in one graph, without any where any two peers may meet; peers as in the first round."""
    support = topology.support()
    if support is None:
        union = nx.empty_graph(topology.n, create_using=nx.DiGraph if topology.directed else nx.Graph)
    else:
        union = graph_of(support, directed=topology.directed)
    first = topology.graph(0)
    union.graph.update(first.graph)
    for peer, facts in first.nodes(data=True):
        union.nodes[peer].update(facts)
    return union


def _peer_facts(data: dict[str, Any]) -> dict[str, Any]:
    facts = {key: value for key, value in data.items() if key in PEER_FACTS}
    if "pos" in facts:
        facts["pos"] = [float(x) for x in facts["pos"]]
    return facts
