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


def graph_of(*args, **options) -> nx.Graph:
    graph = from_file(*args, **options)
    assert isinstance(graph, nx.Graph)
    return graph


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


def graphml(edges, directed="undirected"):
    nodes = "".join(f'<node id="{i}"/>' for i in range(3))
    lines = "".join(f'<edge source="{u}" target="{v}"/>' for u, v in edges)
    head = '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    return f'{head}<graph edgedefault="{directed}">{nodes}{lines}</graph></graphml>'


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


LABELLED = nx.Graph([("Ann Lee", "Bo"), ("Bo", "Cy"), ("Cy", "Ann Lee"), ("Cy", "Di")])
FORMATS = {
    ".gml": nx.write_gml,
    ".gexf": nx.write_gexf,
    ".net": nx.write_pajek,
    ".graphml": nx.write_graphml,
    ".tsv": lambda graph, path: nx.write_edgelist(graph, path, delimiter="\t", data=False),
    ".csv": lambda graph, path: nx.write_edgelist(graph, path, delimiter=",", data=False),
    ".gml.gz": nx.write_gml,
    ".edgelist.bz2": lambda graph, path: nx.write_edgelist(graph, path, delimiter="\t"),
    ".adjlist.gz": lambda graph, path: nx.write_adjlist(graph, path, delimiter="\t"),
    ".json": lambda graph, path: path.write_text("\ufeff" + json.dumps(nx.adjacency_data(graph)), encoding="utf-8"),
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_keeps_the_peers_names(suffix, tmp_path):
    path = tmp_path / f"friends{suffix}"
    FORMATS[suffix](LABELLED, path)
    graph = make(str(path)).graph(0)
    names = nx.get_node_attributes(graph, "label")
    assert {frozenset((names[u], names[v])) for u, v in graph.edges()} == set(map(frozenset, LABELLED.edges()))
    assert graph.graph["name"] == "friends"


def test_cytoscape_and_d3(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(nx.cytoscape_data(nx.path_graph(4))))
    assert graph_of(4, path).number_of_edges() == 3
    nodes = [{"name": name} for name in "abc"]
    path.write_text(json.dumps({"nodes": nodes, "links": [{"source": 0, "target": 1}, {"source": 1, "target": 2}]}))
    assert graph_of(3, path).nodes[2]["label"] == "c"


def test_graph6_and_sparse6(tmp_path):
    for write, suffix in ((nx.write_graph6, "g6"), (nx.write_sparse6, "s6")):
        write(nx.petersen_graph(), tmp_path / f"a.{suffix}")
        assert graph_of(10, tmp_path / f"a.{suffix}").number_of_edges() == 15


def read(tmp_path, name, text, **options):
    path = tmp_path / name
    path.write_text(text)
    topology = make(str(path), **options)
    verify(topology)
    return topology


def test_coordinates_are_kept_for_drawings(tmp_path):
    gml = """graph [ node [ id 0 label "NL" Longitude 4.9 Latitude 52.4 ] node [ id 1 label "BE" graphics [ x 1 y 2 ] ]
    edge [ source 0 target 1 ] ]"""
    graph = read(tmp_path, "zoo.gml", gml).graph(0)
    assert graph.nodes[0] == {"label": "NL", "pos": [4.9, 52.4]}
    assert graph.nodes[1]["pos"] == [1, 2]


def test_comments_and_headers_of_repositories(tmp_path):
    konect = read(tmp_path, "out.edges", "% sym unweighted\n1 2\n2 3\n")
    assert konect.n == 3
    named = read(tmp_path, "a.csv", "source,target,weight\n0,1,3\n1,2,4\n")
    assert (named.n, named.notes) == (3, ("a.csv: its first line, source target weight, is taken as names of columns",))
    with pytest.raises(ValueError, match="has 2 parts"):  # names like any others
        read(tmp_path, "b.csv", "Person A,Person B\nx,y\ny,z\n")
    assert read(tmp_path, "c.tsv", "node\tfriend\n0\t1\n1\t2\n").n == 3


def test_files_of_decentralizepy(tmp_path):
    edges = read(tmp_path, "4_nodes.edges", "4\n0 1\n1 2\n2 3\n1 0\n")
    assert (edges.n, edges.graph(0).number_of_edges()) == (4, 3)
    lists = read(tmp_path, "star.txt", "4\n1 2 3\n0\n0\n0\n")
    assert set(lists.graph(0).edges()) == {(0, 1), (0, 2), (0, 3)}
    ring_of_four = "4\n1 3\n0 2\n1 3\n0 2\n"
    with pytest.raises(ValueError, match="4 edges, or the neighbours of 4 peers; set form to edges or neighbours"):
        read(tmp_path, "ring.txt", ring_of_four)
    assert read(tmp_path, "ring.txt", ring_of_four, form="neighbours").graph(0).number_of_edges() == 4


def test_names_with_blanks_in_neighbour_lists_are_not_guessed(tmp_path):
    path = tmp_path / "davis.adjlist"
    nx.write_adjlist(nx.davis_southern_women_graph(), path)
    with pytest.raises(ValueError, match=r"names have blanks in them; write it with delimiter='\\t'"):
        make(str(path))
    nx.write_adjlist(nx.davis_southern_women_graph(), path, delimiter="\t")
    assert (make(str(path)).n, make(str(path)).graph(0).number_of_edges()) == (32, 89)


CYCLE = "0,1,0,1\n1,0,1,0\n0,1,0,1\n1,0,1,0\n"


def test_adjacency_matrices(tmp_path):
    assert set(read(tmp_path, "a.csv", CYCLE).graph(0).edges()) == {(0, 1), (0, 3), (1, 2), (2, 3)}
    np.save(tmp_path / "a.npy", np.eye(3, k=1) + np.eye(3, k=-2) + np.eye(3, k=-1))
    turning = make(str(tmp_path / "a.npy"))
    assert turning.directed
    assert set(turning.graph(0).edges()) == {(0, 1), (1, 2), (2, 0), (1, 0), (2, 1)}
    strengths = "0,5,1\n5,0,2\n1,2,0\n"
    with pytest.raises(ValueError, match=r"rows that sum to 1 .*; or set form to adjacency"):
        read(tmp_path, "b.txt", strengths, form="weights")
    assert read(tmp_path, "b.txt", strengths, form="adjacency").graph(0).number_of_edges() == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1\n1,0\n", "2 edges, or a matrix of 2 × 2; set form to edges, adjacency or weights"),
        ("0,1,0\n0,0,1\n1,0,0\n", "3 edges, or a matrix of 3 × 3; set form"),
        ("0,1,0,0\n0,0,1,0\n0,0,0,1\n1,0,0,0\n", "an adjacency matrix, or W; set form to adjacency or weights"),
    ],
)
def test_what_can_be_read_in_two_ways_is_asked(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, "a.csv", text)
    assert read(tmp_path, "a.csv", text, form="adjacency").graph(0).number_of_edges() >= 1


def test_self_loops_are_dropped_with_a_note(tmp_path):
    topology = read(tmp_path, "a.edgelist", "0 0\n0 1\n1 2\n")
    assert topology.graph(0).number_of_edges() == 2
    assert topology.notes == ("a.edgelist: self-loops dropped: 1",)


def test_the_largest_part_on_request(tmp_path):
    text = "a b\nb c\nd e\n"
    with pytest.raises(ValueError, match=r"2 parts .*set largest to true"):
        read(tmp_path, "a.edgelist", text)
    topology = read(tmp_path, "a.edgelist", text, largest=True)
    assert [facts["label"] for _, facts in topology.graph(0).nodes(data=True)] == ["a", "b", "c"]
    assert topology.notes == ("a.edgelist: the largest part, 3 of 5 peers, is taken",)


def test_directions_that_would_cut_peers_off_are_dropped_with_a_note(tmp_path):
    topology = read(tmp_path, "zoo.graphml", graphml([(0, 1), (1, 2)], "directed"))
    assert not topology.directed
    assert "its directions would cut peers off" in topology.notes[0]
    both = read(tmp_path, "both.graphml", graphml([(0, 1), (1, 0), (1, 2), (2, 1)], "directed"))
    assert (both.directed, both.notes) == (False, ())
    with pytest.raises(ValueError, match="connected both ways, for it is directed"):
        read(tmp_path, "zoo.graphml", graphml([(0, 1), (1, 2)], "directed"), directed=True)


def test_a_schedule_is_written_without_networkx(monkeypatch):
    steps = make("one_peer_exponential", 2**12)
    monkeypatch.setattr(nx.Graph, "add_edges_from", None)
    data = to_dict(steps)
    assert len(data["edges"]) == 2**12 * 12 == len({(edge["source"], edge["target"]) for edge in data["edges"]})


def test_files_that_claim_more_than_they_hold(tmp_path):
    header = np.lib.format.header_data_from_array_1_0(np.empty((2, 2)))
    with (tmp_path / "w.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (10**6, 10**6)})
    (tmp_path / "a.json").write_text("[" * 100_000)
    for name in ("w.npy", "a.json"):
        with pytest.raises(ValueError, match="must hold a graph or a matrix, but"):
            make(str(tmp_path / name))
