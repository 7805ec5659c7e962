"""Underlays: the cycle times of Marfoq et al. (2020), Table 3, distances, and Karp's theorem against enumeration."""

import json
from itertools import permutations

import networkx as nx
import numpy as np
import pytest

from dfedsam.errors import OptionError
from dfedsam.topologies import make
from dfedsam.topologies.underlay import (
    Underlay,
    bounded_tree_of,
    cycle_time,
    read_underlay,
    spanning_tree_of,
    tour_of,
    underlay_of,
)

MESSAGE, COMPUTATION = 44_961_717, 0.0254  # bits and seconds: iNaturalist in the authors' code
ACCESS, CORE = 1e10, 1e9
PUBLISHED = {  # sites; milliseconds a round of star, spanning tree and ring
    "gaia": (11, 390.9, 138.1, 118),
    "aws_north_america": (22, 288.1, 89.7, 81),
    "geant": (40, 634.4, 101.0, 109),
    "exodus": (79, 911.9, 145.3, 103),
    "ebone": (87, 901.7, 121.8, 95),
}


def milliseconds(underlay: Underlay, edges: list[tuple[int, int]]) -> float:
    """Cycle time of an overlay with these directed edges."""
    n = len(underlay.sites)
    senders, receivers = np.array(edges).T
    sent, received = np.bincount(senders, minlength=n)[senders], np.bincount(receivers, minlength=n)[receivers]
    core = MESSAGE / underlay.available_bandwidth(CORE)[senders, receivers]
    transmission = np.maximum.reduce([sent * MESSAGE / ACCESS, received * MESSAGE / ACCESS, core])
    delays = COMPUTATION + underlay.latency()[senders, receivers] + transmission
    everyone = np.arange(n)
    own = np.full(n, COMPUTATION)
    return 1e3 * cycle_time(n, np.r_[senders, everyone], np.r_[receivers, everyone], np.r_[delays, own])


def both_ways(edges):
    return [*edges, *((j, i) for i, j in edges)]


def weights(underlay: Underlay) -> np.ndarray:
    core = MESSAGE / underlay.available_bandwidth(CORE)
    return COMPUTATION + underlay.latency() + np.maximum(MESSAGE / ACCESS, core)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_cycle_times_of_marfoq_table_3(name):
    underlay = read_underlay(name)
    n, star, tree, ring = PUBLISHED[name]
    assert len(underlay.sites) == n
    up = milliseconds(underlay, both_ways([(0, j) for j in range(1, n)]))  # a server round goes up and down
    assert 2 * up - 1e3 * COMPUTATION == pytest.approx(star, rel=1e-3)
    assert milliseconds(underlay, both_ways(spanning_tree_of(weights(underlay)))) == pytest.approx(tree, rel=1e-3)
    rings = []
    for shorten in (False, True):
        tour = tour_of(weights(underlay), shorten=shorten)
        assert sorted(tour) == list(range(n))
        rings.append(milliseconds(underlay, list(zip(tour, tour[1:] + tour[:1], strict=True))))
    assert rings[0] == pytest.approx(ring, rel=0.01)
    assert 0.91 * rings[0] < rings[1] <= rings[0]


def test_the_cycle_time_is_the_largest_mean_of_a_circuit():
    rng = np.random.default_rng(0)
    for n in (2, 3, 5):
        delays = rng.random((n, n))
        senders, receivers = np.nonzero(delays > 0.3)
        circuits = (
            np.mean([delays[a, b] for a, b in zip(path, path[1:] + path[:1], strict=True)])
            for k in range(1, n + 1)
            for path in permutations(range(n), k)
            if all(delays[a, b] > 0.3 for a, b in zip(path, path[1:] + path[:1], strict=True))
        )
        expected = max(circuits, default=-np.inf)
        assert cycle_time(n, senders, receivers, delays[senders, receivers]) == pytest.approx(expected, rel=1e-12)


def test_a_bounded_tree_spans_and_keeps_its_degree():
    cost = weights(read_underlay("geant"))
    for degree in (2, 3, 5):
        tree = nx.Graph(bounded_tree_of(cost, degree))
        assert nx.is_tree(tree)
        assert len(tree) == len(cost)
        assert max(d for _, d in tree.degree()) <= degree


def test_coordinates_give_great_circle_distances_and_paths_add_up():
    graph = nx.path_graph(3)
    for i, longitude in enumerate((0.0, 90.0, 180.0)):
        graph.nodes[i].update(lat=0.0, lon=longitude)
    underlay = underlay_of(graph)
    quarter = np.pi / 2 * 6371
    np.testing.assert_allclose(underlay.kilometres[0], [0, quarter, 2 * quarter])
    np.testing.assert_array_equal(underlay.hops[0], [0, 1, 2])


def test_what_is_no_underlay_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"underlay is gia: it must be one of .*did you mean gaia"):
        read_underlay("gia")
    with pytest.raises(OptionError, match="distance between 0 and 1 in km"):
        underlay_of(nx.path_graph(2))
    graph = nx.Graph()
    graph.add_edges_from([(0, 1), (2, 3)], distance=1.0)
    with pytest.raises(OptionError, match="must be connected"):
        underlay_of(graph)
    (tmp_path / "odd.gml").write_text("graph [ node [")
    with pytest.raises(OptionError, match="must be a GML file"):
        read_underlay(tmp_path / "odd.gml")


def test_networks_of_topohub_are_underlays(tmp_path, monkeypatch):
    """They are read from the package's files, and the package is asked for where it is not installed."""
    monkeypatch.setattr("dfedsam.topologies.underlay.find_spec", lambda _: None)
    with pytest.raises(OptionError, match=r'needs the package topohub, which is not installed.*pip install "dfedsam'):
        read_underlay("topohub:topozoo/Abilene")
    monkeypatch.undo()
    folder = tmp_path / "topohub" / "data" / "topozoo"
    folder.mkdir(parents=True)
    (tmp_path / "topohub" / "__init__.py").write_text("raise RuntimeError('not to be imported')")
    nodes = [{"id": i, "name": name} for i, name in enumerate(("Oslo", "Bergen"))]
    network = {"graph": {}, "nodes": nodes, "edges": [{"source": 0, "target": 1, "dist": 300.5}]}
    (folder / "Norway.json").write_text(json.dumps(network))
    monkeypatch.syspath_prepend(tmp_path)
    assert read_underlay("topohub:topozoo/Norway").kilometres[1, 0] == 300.5
    with pytest.raises(OptionError, match=r"one of the 1 networks of topohub; did you mean topohub:topozoo/Norway\?"):
        read_underlay("topohub:topozoo/norway")


def test_designs_are_topologies_and_cost_less_than_chance():
    """Trees and rings on Géant: of the spanning trees the least costs least, and a ring by Christofides beats the
    ring in the order of the sites."""
    cost = read_underlay("geant").latency()

    def total(name, **options):
        return sum(cost[i, j] for i, j in make(name, 40, **options).graph(0).edges())

    trees = [total("mst", message=0), *(total("bounded_tree", message=0, degree=d) for d in (4, 3, 2))]
    assert trees == sorted(trees)
    assert total("christofides", message=0) < 0.8 * total("ring")
    assert max(d for _, d in make("bounded_tree", 40, degree=2).graph(0).degree()) == 2
    with pytest.raises(OptionError, match="underlay is gaia: it must have a site for each of 12 peers, but it has 11"):
        make("mst", 12, underlay="gaia")


def test_node_link_files_are_underlays(tmp_path):
    """A file as topohub's: kilometres as `dist`, names and places of the sites."""
    nodes = [{"id": 7 * i, "name": name, "pos": [0.0, 1.0 * i]} for i, name in enumerate(("Oslo", "Bergen", "Bodo"))]
    edges = [{"source": 0, "target": 7, "dist": 300.5}, {"source": 7, "target": 14, "dist": 900}]
    (tmp_path / "norway.json").write_text(json.dumps({"nodes": nodes, "edges": edges}))
    underlay = read_underlay(tmp_path / "norway.json")
    assert underlay.sites == ("Oslo", "Bergen", "Bodo")
    np.testing.assert_allclose(underlay.kilometres[0], [0, 300.5, 1200.5])
    (tmp_path / "bad.json").write_text("[1]")
    with pytest.raises(OptionError, match="must be a JSON file, but"):
        read_underlay(tmp_path / "bad.json")
