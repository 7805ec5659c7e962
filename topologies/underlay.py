"""The physical network beneath a topology: how far its sites are from each other, and what that makes a round cost.

from dfedsam.topologies.underlay import read_underlay
read_underlay("gaia").latency().max()      # seconds between the two sites farthest apart
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError, one_line
from dfedsam.names import did_you_mean, match_name

_SHIPPED = Path(__file__).with_name("underlays")
_TOPOHUB = "topohub:"  # begins the names of networks that the package topohub carries
_EARTH = 6371.0  # km, mean radius
_DISTANCE = ("distance", "dist", "length")  # edge attributes that hold km
_COORDINATES = (("Latitude", "Longitude"), ("latitude", "longitude"), ("lat", "lon"))


@dataclass(frozen=True)
class Underlay:
    """Sites and the shortest paths between them.

    Attributes:
        sites: their names, n of them; site i hosts peer i.
        kilometres: length of the shortest path between two sites, shape (n, n).
        hops: links of that path, shape (n, n); 0 on the diagonal.
    """

    sites: tuple[str, ...]
    kilometres: NDArray[np.float64]
    hops: NDArray[np.int64]

    def require_sites(self, n: int, option: str, name: object) -> None:
        """Raise OptionError, with the option that named the underlay, unless it has a site for each of n peers."""
        if len(self.sites) < n:
            rule = f"must have a site for each of {n} peers, but it has {len(self.sites)}"
            raise OptionError(option, name, rule, "give fewer peers, or another underlay")

    def latency(self, base: float = 4e-3, per_km: float = 8.5e-6) -> NDArray[np.float64]:
        """One-way latency in seconds, shape (n, n): base + per_km · length of the shortest path.

        The defaults, in seconds, are those of Marfoq et al. (2020), "Throughput-optimal topology design for cross-silo
        federated learning", who take them from measurements.
        """
        return base + per_km * self.kilometres

    def available_bandwidth(self, core: float) -> NDArray[np.float64]:
        """Bandwidth of the path between two sites in the unit of `core`, shape (n, n).

        It is core / hops, as Marfoq et al. have it, and infinite from a site to itself.
        """
        with np.errstate(divide="ignore"):
            return core / self.hops


def read_underlay(name: str | Path, option: str = "underlay") -> Underlay:
    """One of the shipped underlays by its name, one of the package topohub, or a file.

    Args:
        name: gaia (11 sites), aws_north_america (22), geant (40), exodus (79) or ebone (87) in any case; one of the 700
            networks of the extra `topohub`, such as topohub:sndlib/nobel-eu or topohub:topozoo/Abilene; a GML file; or
            a JSON file in networkx's node-link form.
        option: what named it, for the message.

    Raises:
        OptionError: if there is no such underlay or file, or it has neither distances nor coordinates.
    """
    key = str(name)
    path = _of_topohub(key, option) if key.startswith(_TOPOHUB) else _file(key, option)
    try:
        graph = nx.read_gml(path, label="id") if path.suffix.lower() == ".gml" else _node_link(path)
    except (nx.NetworkXError, ValueError, KeyError, TypeError, RecursionError) as error:
        kind = path.suffix[1:].upper()
        raise OptionError(option, name, f"must be a {kind} file, but: {one_line(error)}") from None
    return underlay_of(nx.Graph(graph), option, name)


def _file(name: str, option: str) -> Path:
    shipped = {path.stem: path for path in sorted(_SHIPPED.glob("*.gml"))}
    path = Path(name)
    known = match_name(path.stem, shipped) if path.suffix in ("", ".gml") and not path.exists() else None
    path = shipped[known] if known else path
    if path.suffix.lower() not in (".gml", ".json") or not path.is_file():
        rule = f"must be one of {', '.join(shipped)}, or a GML or JSON file"
        raise OptionError(option, name, rule, did_you_mean(name, shipped) or "fix the path")
    return path


def _of_topohub(name: str, option: str) -> Path:
    """The file of a network in the package topohub (Jurkiewicz, 2023; MIT licence), which is not imported."""
    spec = find_spec("topohub")
    if spec is None or spec.origin is None:
        rule = "needs the package topohub, which is not installed"
        raise OptionError(option, name, rule, 'pip install "dfedsam[topohub]"')
    folder = Path(spec.origin).with_name("data")
    networks = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.json")}
    key = name.removeprefix(_TOPOHUB)
    if key not in networks:
        hint = did_you_mean(key, networks, f"did you mean {_TOPOHUB}{{}}?") or f"such as {_TOPOHUB}topozoo/Abilene"
        raise OptionError(option, name, f"must be one of the {len(networks)} networks of topohub", hint)
    return networks[key]


def _node_link(path: Path) -> nx.Graph:
    data = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(data, dict):
        raise ValueError("it must be an object with lists of nodes and edges")
    return nx.node_link_graph(data, edges="edges" if "edges" in data else "links")


def underlay_of(graph: nx.Graph, option: str = "underlay", name: object = "a graph") -> Underlay:
    """The underlay that a graph describes; `option` named it, for the message, by `name`.

    The graph is connected; its edges have a `distance` (or `dist`, `length`) in km, or its nodes have a latitude and a
    longitude in degrees, which give great-circle distances.

    Raises:
        OptionError: if a distance is missing or negative, or the graph is not connected.
    """
    graph = nx.convert_node_labels_to_integers(graph, label_attribute="site")
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    for i, j, data in graph.edges(data=True):
        data["km"] = _length(data, graph.nodes[i], graph.nodes[j])
        if not data["km"] >= 0:
            sites = f"{_site(graph.nodes[i])} and {_site(graph.nodes[j])}"
            rule = f"must give the distance between {sites} in km, at least 0, or their coordinates"
            raise OptionError(option, name, rule, "add `distance` to each edge, or `lat` and `lon` to each node")
    if not len(graph) or not nx.is_connected(graph):
        raise OptionError(option, name, "must be connected, so that any two sites can reach each other")
    n = len(graph)
    kilometres, hops = np.zeros((n, n)), np.zeros((n, n), np.int64)
    for i, (lengths, paths) in nx.all_pairs_dijkstra(graph, weight="km"):
        for j, path in paths.items():
            kilometres[i, j], hops[i, j] = lengths[j], len(path) - 1
    hops = np.tril(hops) + np.tril(hops).T  # of paths of one length the later site's counts, as with Marfoq et al.
    return Underlay(tuple(_site(data) for _, data in graph.nodes(data=True)), kilometres, hops)


def cycle_time(n: int, senders: NDArray, receivers: NDArray, delays: NDArray) -> float:
    """Seconds per round in the long run, where each peer starts its next round once all it waits for has arrived.

    This is the maximum mean weight of a circuit (Karp, 1978, "A characterization of the minimum cycle mean in a
    digraph"), which is the growth t_i(k)/k of t_i(k + 1) = max_j (t_j(k) + d(j, i)) on a strongly connected graph
    (Marfoq et al., 2020, equation 4). It takes O(n · edges) operations.

    Args:
        n: peers.
        senders: j of each edge, shape (m,); a peer's own computation is an edge from it to itself.
        receivers: i of each edge, shape (m,).
        delays: d(j, i) in seconds, shape (m,).

    Returns:
        The cycle time; minus infinity for a graph without circuits.
    """
    order = np.argsort(receivers, kind="stable")
    senders, delays = np.asarray(senders)[order], np.asarray(delays, np.float64)[order]
    heads, starts = np.unique(np.asarray(receivers)[order], return_index=True)
    longest = np.full((n + 1, n), -np.inf)  # of a walk of k edges that ends at i, from anywhere
    longest[0] = 0
    for k in range(n):
        longest[k + 1, heads] = np.maximum.reduceat(longest[k, senders] + delays, starts)
    ends = np.isfinite(longest[n])
    lengths = n - np.arange(n)
    means = (longest[n, ends] - longest[:n, ends]) / lengths[:, None]
    return float(means.min(axis=0, initial=np.inf).max(initial=-np.inf)) if ends.any() else float("-inf")


def tour_of(weights: NDArray[np.float64], *, shorten: bool = True) -> list[int]:
    """A short closed tour: the sites in its order, each once.

    Christofides' algorithm, whose tour is at most 1.5 times the shortest where the triangle inequality holds. As in
    the code of Marfoq et al. (2020) an edge of the matching is walked after those of the tree, which are walked in the
    order of the sites.

    Args:
        weights: of going from one site to another, shape (n, n); the mean of both ways is what counts.
        shorten: also exchange two edges as long as that shortens the tour (2-opt; Croes, 1958), by up to 9 % on the
            shipped underlays.
    """
    n = len(weights)
    if n < 4:
        return list(range(n))
    tree = sorted((min(edge), max(edge)) for edge in spanning_tree_of(weights))
    odd = np.flatnonzero(np.bincount(np.ravel(tree)) % 2)
    matching = nx.max_weight_matching(_complete(-weights[np.ix_(odd, odd)]), maxcardinality=True)
    circuit = nx.MultiGraph([*tree, *((int(odd[i]), int(odd[j])) for i, j in matching)])
    tour = list(dict.fromkeys(site for edge in nx.eulerian_circuit(circuit, 0) for site in edge))
    return _shortened(np.array(tour), (weights + weights.T) / 2) if shorten else tour


def _shortened(tour: NDArray[np.int64], cost: NDArray[np.float64]) -> list[int]:
    """The tour after all exchanges of two edges that shorten it, the best one first."""
    n = len(tour)
    pairs = np.triu(np.ones((n, n), bool), 2)
    while True:
        after = np.roll(tour, -1)
        step = cost[tour, after]
        gain = step[:, None] + step[None] - cost[np.ix_(tour, tour)] - cost[np.ix_(after, after)]
        i, j = divmod(int(np.where(pairs, gain, -np.inf).argmax()), n)
        if gain[i, j] <= 1e-12 * step.sum():
            return tour.tolist()
        tour[i + 1 : j + 1] = tour[i + 1 : j + 1][::-1]


def spanning_tree_of(weights: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Edges of the spanning tree of least weight; `weights` as in `tour_of`."""
    return [(i, j) for i, j in nx.minimum_spanning_tree(_complete(weights), algorithm="prim").edges()]


def bounded_tree_of(weights: NDArray[np.float64], degree: int) -> list[tuple[int, int]]:
    """Edges of a spanning tree of small weight in which no site has more than `degree` neighbours, at least 2.

    Grown as in Prim's algorithm, skipping sites whose degree is used up (the first of the candidates that Marfoq et
    al., 2020, algorithm 1, compare). The weights are as in `tour_of`.
    """
    cost = (weights + weights.T) / 2
    n = len(cost)
    inside, used = [0], np.zeros(n, np.int64)
    outside, edges = set(range(1, n)), []
    while outside:
        free = [i for i in inside if used[i] < degree]
        rest = sorted(outside)
        part = cost[np.ix_(free, rest)]
        a, b = np.unravel_index(int(part.argmin()), part.shape)
        i, j = free[int(a)], rest[int(b)]
        edges.append((i, j))
        used[[i, j]] += 1
        inside.append(j)
        outside.remove(j)
    return edges


def _complete(weights: NDArray[np.float64]) -> nx.Graph:
    graph = nx.Graph()
    mean = (weights + weights.T) / 2
    graph.add_weighted_edges_from((i, j, mean[i, j]) for i in range(len(weights)) for j in range(i))
    return graph


def _length(edge: dict[str, Any], a: dict[str, Any], b: dict[str, Any]) -> float:
    """Kilometres of an edge; nan where nothing says it."""
    for name in _DISTANCE:
        if isinstance(edge.get(name), (int, float)):
            return float(edge[name])
    for names in _COORDINATES:
        if all(isinstance(site.get(name), (int, float)) for site in (a, b) for name in names):
            return _great_circle([a[name] for name in names], [b[name] for name in names])
    return float("nan")


def _great_circle(a: Sequence[float], b: Sequence[float]) -> float:
    """Kilometres between two points given as latitude and longitude in degrees (haversine formula)."""
    (lat_a, lon_a), (lat_b, lon_b) = np.radians(a), np.radians(b)
    h = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2
    return float(2 * _EARTH * np.arcsin(np.sqrt(h)))


def _site(data: dict[str, Any]) -> str:
    return str(data.get("label", data.get("name", data.get("site", "?"))))
