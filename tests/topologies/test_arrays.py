"""Graphs as arrays: the same as networkx's by the seed, and made into one of networkx only when someone asks."""

import json

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.topologies import (
    Static,
    files as files_module,
    from_file,
    make,
    metropolis,
    ring,
    spectrum,
    to_dict,
    verify,
)
from dfedsam.topologies.graph import Graph
from dfedsam.topologies.graphs import generators, random as graphs
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.weights.rules import WeightRule

SQUARE = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])


@pytest.mark.parametrize(("n", "p", "seed"), [(2, 0.5, 1), (40, 0.2, 3), (300, 0.02, 4), (50, 1.0, 0)])
def test_erdos_renyi_is_networkx_s_edge_for_edge(n, p, seed):
    expected = nx.fast_gnp_random_graph(n, p, seed=seed)
    drawn = Graph(n, generators.gnp(n, p, seed)).networkx
    assert list(drawn.edges()) == list(expected.edges())


@pytest.mark.parametrize(("n", "degree", "seed"), [(6, 3, 0), (10, 8, 5), (50, 5, 1), (50, 5, 2), (400, 4, 3)])
def test_random_regular_is_networkx_s(n, degree, seed):
    expected = {(min(edge), max(edge)) for edge in nx.random_regular_graph(degree, n, seed=seed).edges()}
    assert set(map(tuple, generators.regular(n, degree, seed).tolist())) == expected


def test_random_geometric_is_networkx_s():
    expected = nx.random_geometric_graph(200, 0.15, seed=7)
    drawn = graphs._geometric(200, 0.15, 7).networkx
    assert set(map(frozenset, drawn.edges())) == set(map(frozenset, expected.edges()))
    assert all(list(expected.nodes[i]["pos"]) == drawn.nodes[i]["pos"] for i in expected)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ring", {}),
        ("torus", {}),
        ("random_regular", {}),
        ("erdos_renyi", {"p": 0.02}),
        ("directed_exponential", {}),
        ("one_peer_exponential", {}),
        ("link_failures", {"topology": "ring"}),
    ],
)
def test_no_graph_of_networkx_is_made_unless_asked_for(name, options, monkeypatch):
    monkeypatch.setattr(graphs, "_NETWORKX", 100)
    monkeypatch.setattr(files_module, "_WRITTEN", 100)
    monkeypatch.setattr(nx.Graph, "add_edges_from", lambda *_: pytest.fail("a graph of networkx is made"))
    topology = make(name, 1024, seed=1, **options)
    verify(topology)
    spectrum(topology)
    written = json.loads(json.dumps(to_dict(topology)))
    assert written["left_out"]["nodes"] == 1024
    assert written["edges"] == []


def test_what_was_left_out_cannot_be_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "_WRITTEN", 5)
    path = tmp_path / "topology.json"
    path.write_text(json.dumps(to_dict(make("ring", 9))))
    with pytest.raises(ValueError, match=r"they were left out; use the topology of the run's config\.yaml"):
        from_file(None, path)


@pytest.mark.parametrize(
    "given",
    [SQUARE, sp.csr_array(nx.to_scipy_sparse_array(nx.cycle_graph(4))), metropolis(ring(4)), nx.cycle_graph(4)],
    ids=["edges", "adjacency", "W", "networkx"],
)
def test_a_topology_from_arrays(given):
    topology = make(given, 4)
    verify(topology)
    assert np.array_equal(topology.weights(0).toarray(), metropolis(ring(4)).toarray())
    assert sorted(map(sorted, topology.graph(0).edges())) == [[0, 1], [0, 3], [1, 2], [2, 3]]


def test_arrays_and_their_weights():
    own = WeightRule(lambda graph: sp.csr_array(np.full((len(graph), len(graph)), 1 / len(graph))))  # gets networkx's
    assert make(nx.to_scipy_sparse_array(nx.complete_graph(3)), weights=own).weights(0)[0, 1] == 1 / 3
    assert np.array_equal(Static(SQUARE, metropolis(ring(4))).weights(0).toarray(), metropolis(ring(4)).toarray())
    arcs = Graph(3, np.array([[0, 1], [1, 2], [2, 0], [0, 2]]), directed=True)
    topology = make(arcs)
    verify(topology)
    assert (topology.directed, topology.sums) == (True, "columns")
    assert topology.weights(0)[2, 0] == pytest.approx(1 / 3)  # peer 2 hears peer 0
    assert make("from_edges", 5, edges=[[0, 1], [1, 2], [2, 3], [3, 4]]).description["class_path"] == "from_edges"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.array([[0, 1, 2]]), "pairs of peers"),
        (np.array([[0.0, 1.0]]), "pairs of peers"),
        (np.array([[0, 1], [2, 2]]), "self-loop at 2"),
        (np.array([[0, -1]]), "pairs of peers"),
        (sp.csr_array(np.ones((2, 3))), "2 × 3"),
    ],
)
def test_arrays_that_are_no_graph(given, message):
    with pytest.raises(ValueError, match=message):
        make(given)


def test_edges_from_files(tmp_path, monkeypatch):
    monkeypatch.setattr("dfedsam.topologies.tables._LARGE", 0)
    monkeypatch.setattr("dfedsam.topologies.tables._Table", None)  # the long way is not gone
    np.savez(tmp_path / "a.npz", edges=SQUARE)
    np.savez(tmp_path / "n.npz", edges=SQUARE[:3], n=4)
    np.save(tmp_path / "a.npy", SQUARE)
    (tmp_path / "a.edges").write_text("# from to\n" + "".join(f"{i}\t{j}\n" for i, j in SQUARE.tolist()))
    (tmp_path / "w.el").write_text("".join(f"{10 * i} {10 * j} 0.5\n" for i, j in SQUARE.tolist()))
    for name in ("a.npz", "a.npy", "a.edges", "w.el"):
        assert make(str(tmp_path / name)).weights(0).nnz == 12, name
    assert make(str(tmp_path / "w.el")).graph(0).nodes[2]["label"] == "20"
    assert make(str(tmp_path / "n.npz"), 4).weights(0).nnz == 10
    assert make(str(tmp_path / "a.npz"), directed=True).directed
    np.savez(tmp_path / "bad.npz", edges=SQUARE, n=3)
    with pytest.raises(ValueError, match="peers from 0 to 2"):
        make(str(tmp_path / "bad.npz"))


def test_multiline_adjacency_lists(tmp_path):
    graph = nx.petersen_graph()
    nx.write_multiline_adjlist(graph, tmp_path / "p.adjlist")
    assert set(map(frozenset, make(str(tmp_path / "p.adjlist"), 10).graph(0).edges())) == set(
        map(frozenset, graph.edges())
    )
    (tmp_path / "bad.adjlist").write_text("0 2\n1 {}\n")
    with pytest.raises(ValueError, match="line 1 must be followed by 2 lines"):
        from_file(None, tmp_path / "bad.adjlist")


def test_peers_without_an_edge_are_dropped_from_files(tmp_path):
    graph = nx.path_graph(3)
    graph.add_node("alone")
    nx.write_graphml(graph, tmp_path / "g.graphml")
    topology = make(str(tmp_path / "g.graphml"))
    assert topology.n == 3
    assert "1 peers without an edge are dropped" in topology.notes[0]
    with pytest.raises(ValueError, match="must be connected"):
        make(str(tmp_path / "g.graphml"), 4)


@pytest.mark.parametrize(("name", "gap"), [("ring", 4 / 3 * np.sin(np.pi / 700) ** 2), ("hypercube", 2 / 11)])
def test_what_saves_memory_gives_the_same_numbers(name, gap, monkeypatch):
    n = 1024 if name == "hypercube" else 700
    few = {key: spectrum(make(key, n)) for key in (name, "one_peer_exponential")}
    monkeypatch.setattr(extremes, "LARGE", 600)
    for key, expected in few.items():
        numbers = spectrum(make(key, n))
        for metric in ("gap", "mu_2", "mu_n", "rho", "contraction"):
            assert numbers[metric] == pytest.approx(expected[metric], rel=1e-5), (key, metric)
        assert numbers["effective_neighbours"] == pytest.approx(expected["effective_neighbours"], rel=1e-2), key
    assert spectrum(make(name, n))["gap"] == pytest.approx(gap, rel=1e-6)
