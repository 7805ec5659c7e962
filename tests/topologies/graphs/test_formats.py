"""Formats of other programs: names, coordinates, comments, matrices; what is dropped with a note."""

import json

import networkx as nx
import numpy as np
import pytest

from dfedsam.topologies import (
    make,
    to_dict,
)
from tests.topologies.graphs.file_cases import graph_of, graphml, read

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
