"""Graphs to files and back, and what is wrong with a file."""

import json

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.topologies import (
    Drawn,
    Periodic,
    directed_ring,
    from_edges,
    from_file,
    make,
    metropolis,
    out_degree,
    random_geometric,
    ring,
    spectrum,
    to_dict,
    verify,
)
from dfedsam.topologies.graph import adjacency_matrix
from tests.topologies.graphs.file_cases import graph_of, graphml

WRITERS = {
    ".edgelist": nx.write_edgelist,
    ".edges": lambda graph, path: nx.write_edgelist(graph, path, data=False),
    ".txt": lambda graph, path: nx.write_edgelist(graph, path, delimiter=","),
    ".adjlist": nx.write_adjlist,
    ".graphml": nx.write_graphml,
    ".json": lambda graph, path: path.write_text(json.dumps(to_dict(graph))),
}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("name", ["ring", "star", "random_geometric"])
def test_round_trip(name, suffix, tmp_path):
    graph = make(name, 17).graph(0)
    for peer in graph:  # points are no matter of GraphML
        graph.nodes[peer].pop("pos", None)
    path = tmp_path / f"graph{suffix}"
    WRITERS[suffix](graph, path)
    read = graph_of(17, path)
    assert list(read) == list(range(17))
    assert set(map(frozenset, read.edges())) == set(map(frozenset, graph.edges()))


@pytest.mark.parametrize("suffix", [".edgelist", ".graphml", ".adjlist"])
def test_weights_and_names_in_a_file(suffix, tmp_path):
    club = nx.karate_club_graph()
    path = tmp_path / f"karate{suffix}"
    WRITERS[suffix](club, path)
    figures = spectrum(make(str(path)))
    assert figures["n"] == 34
    assert figures["gap"] == pytest.approx(0.031236, abs=5e-7)


def test_topology_json_keeps_points_names_and_what_stands_beside(tmp_path):
    graph = random_geometric(12, radius=0.6, seed=4)
    path = tmp_path / "topology.json"
    path.write_text(json.dumps(to_dict(graph, spectrum={"n": 12})))
    read = graph_of(None, path)
    assert nx.utils.graphs_equal(read, graph)
    assert json.loads(path.read_text())["spectrum"] == {"n": 12}
    path.write_text(json.dumps(to_dict(from_file(None, path))))
    assert nx.utils.graphs_equal(from_file(None, path), graph)


def test_networkx_node_link_files(tmp_path):
    path = tmp_path / "graph.json"
    data = {
        "directed": False,
        "nodes": [{"id": "b"}, {"id": "a"}],
        "links": [{"source": "a", "target": "b", "weight": 3}],
    }
    path.write_text(json.dumps(data))
    assert [graph_of(2, path).nodes[i]["label"] for i in range(2)] == ["b", "a"]


def test_comments_empty_lines_commas_and_both_directions(tmp_path):
    path = tmp_path / "graph.txt"
    path.write_text("# who knows whom\n\n10, 2\n2,10,0.5\n2 7 # colleagues\n")
    graph = graph_of(3, path)
    assert sorted(graph.edges()) == [(0, 1), (0, 2)]
    assert graph.nodes[2]["label"] == "10"
    path.write_text("1 2\n01 2\n")
    assert len(from_file(None, path)) == 3


def directed_file(suffix, path):
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 0), (1, 0)])
    WRITERS[suffix](graph, path)
    return set(graph.edges())


@pytest.mark.parametrize("suffix", WRITERS)
def test_directed_graphs(suffix, tmp_path):
    path = tmp_path / f"graph{suffix}"
    edges = directed_file(suffix, path)
    topology = make(str(path), 3, directed=True)
    assert topology.directed
    assert set(topology.graph(0).edges()) == edges
    assert topology.description["init_args"].items() >= {"path": str(path), "directed": True}.items()
    verify(topology)
    assert topology.weights(0).toarray()[1] == pytest.approx([1 / 2, 1 / 3, 0])  # 1 hears 0, which sends to one

    says_itself = suffix in (".graphml", ".json")
    assert graph_of(3, path).is_directed() == says_itself
    plain = graph_of(3, path, directed=False)
    assert not plain.is_directed()
    assert sorted(plain.edges()) == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("suffix", [".graphml", ".json"])
def test_an_undirected_file_is_not_taken_as_directed(suffix, tmp_path):
    path = tmp_path / f"graph{suffix}"
    WRITERS[suffix](ring(4), path)
    with pytest.raises(ValueError, match="says itself that it is undirected; leave out directed"):
        from_file(4, path, directed=True)


class Changing(Drawn):
    """Any two peers of a path may be joined in a round."""

    def draw(self, rng):
        i = int(rng.integers(self.n - 1))
        W = np.eye(self.n)
        W[i : i + 2, i : i + 2] = 0.5
        return sp.csr_array(W)


def test_topology_json_of_a_schedule_holds_the_union_and_is_refused(tmp_path):
    chain = [metropolis(from_edges(3, [[0, 1], [1, 2]])), metropolis(from_edges(3, [[0, 2], [1, 2]]))]
    path = tmp_path / "topology.json"
    steps = Periodic(chain)
    assert to_dict(steps)["schedule"] == {"period": 2, "any_pair": False}
    assert to_dict(steps)["edges"] == [{"source": i, "target": j} for i, j in [(0, 1), (0, 2), (1, 2)]]

    allowed = adjacency_matrix(nx.path_graph(4)) > 0
    for support, edges in ((allowed, 3), (None, 0)):
        topology = Changing(4, 0, support)
        data = to_dict(topology, spectrum={})
        assert data["schedule"] == {"period": None, "any_pair": support is None}
        assert [node["id"] for node in data["nodes"]] == [0, 1, 2, 3]
        assert len(data["edges"]) == edges
        path.write_text(json.dumps(data))
        with pytest.raises(ValueError, match=r"changes from round to round.*use the topology of the run's config.yaml"):
            from_file(4, path)


def test_topology_json_of_one_way_rounds():
    one_way = Periodic([out_degree(directed_ring(3))], directed=True)
    one_way.period = 2
    data = to_dict(one_way)
    assert data["directed"] is True
    assert {(edge["source"], edge["target"]) for edge in data["edges"]} == {(0, 1), (1, 2), (2, 0)}


def test_topology_json_of_a_static_topology(tmp_path):
    data = to_dict(make("karate"))
    assert "schedule" not in data
    path = tmp_path / "topology.json"
    path.write_text(json.dumps(data))
    assert spectrum(make(str(path), 34))["gap"] == pytest.approx(0.031236, abs=5e-7)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.edgelist", "0 1\n2\n", "line 2 must hold two peers"),
        ("a.edgelist", "0 1 2 3\n", "line 1 must hold two peers and at most a weight"),
        ("a.edgelist", "0 1 near\n", "line 1 must hold two peers and at most a weight"),
        ("a.edgelist", "", "peers is 0: it must be at least 2"),
        ("a.edgelist", "0 1\n2 3\n4 3\n", r"must be connected, but it has 2 parts \(of 3, 2 peers\)"),
        ("a.edgelist", "0 1\n1 2\n2 3\n", "peers is 3: it must be 4, as in .*give --peers 4"),
        ("a.adjlist", "0 1\n1\n2\n", "must be connected, but it has 2 parts"),
        ("a.graphml", "<graphml>", "it must hold a graph or a matrix, but"),
        ("a.graphml", "<a/>", "it must hold a graph or a matrix, but"),
        ("a.graphml", graphml([(0, 1)], "directed"), r"must be connected, but it has 2 parts .*largest"),
        ("a.json", "{", "it must hold a graph or a matrix, but"),
        ("a.json", "[1, 2]", "must be an object with lists of nodes and edges"),
        ("a.json", '{"nodes": [{"id": 0}], "edges": [{"source": 0, "target": 1}]}', "not among the nodes"),
        ("a.json", '{"nodes": [{"id": 0}], "edges": [{"from": 0}]}', "graph or a matrix, but: 'source'"),
        ("a.json", '{"nodes": [3], "edges": []}', "graph or a matrix, but"),
        ("a.json", '{"directed": true, "nodes": [{"id": 0}, {"id": 1}], "edges": []}', "both ways, .* it has 2 parts"),
        (
            "a.json",
            '{"schedule": {"period": 2}, "nodes": [], "edges": []}',
            "from round to round.*the run's config.yaml",
        ),
        ("a.edgelist", b"\xff\xfe\x00", "graph or a matrix, but"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_file(file, text, message, tmp_path):
    path = tmp_path / file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message) as caught:
        from_file(3, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"none.txt: it must be a file that can be read, but: No such file"):
        from_file(3, tmp_path / "none.txt")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(ValueError, match="must be a file that can be read"):
        from_file(3, tmp_path / "folder.txt")
