"""Static topologies, a schedule, a user's own functions, and the check before round 0."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.errors import OptionError
from dfedsam.topologies import (
    Topology,
    expected_contraction,
    from_edges,
    make,
    metropolis,
    path,
    ring,
    spectrum,
    verify,
)
from dfedsam.topologies.graph import normalize_graph
from dfedsam.topologies.placement import place


class Schedule(Topology):
    """Any matrices on any graphs in turn."""

    def __init__(self, matrices, graphs):
        self._matrices = [sp.csr_array(np.asarray(W, dtype=float)) for W in matrices]
        self._graphs = graphs
        self.n, self.period = self._matrices[0].shape[0], len(matrices)

    def weights(self, t):
        return self._matrices[t % self.period]

    def graph(self, t):
        return self._graphs[t % self.period]


def only(W, graph):
    topology = Schedule([W], [graph])
    topology.directed = graph.is_directed()
    return topology


def lazy_ring():
    return metropolis(ring(6)).toarray()


def test_a_sound_schedule_passes_though_no_round_is_connected():
    left, right = nx.Graph([(0, 1)]), nx.Graph([(1, 2), (3, 0)])
    for graph in (left, right):
        graph.add_nodes_from(range(4))
    left.add_edge(2, 3)
    ordered = [nx.Graph() for _ in range(2)]
    for new, old in zip(ordered, (left, right), strict=True):
        new.add_nodes_from(range(4))
        new.add_edges_from(old.edges())
    schedule = Schedule([metropolis(graph).toarray() for graph in ordered], ordered)
    verify(schedule)
    with pytest.raises(ValueError, match=r"peers 0 and 2 never hear of each other \(2 components\)"):
        verify(only(metropolis(ordered[0]).toarray(), ordered[0]))


def test_check_names_the_row_that_does_not_sum_to_one():
    W = lazy_ring()
    W[3, 3] += 1e-6
    with pytest.raises(ValueError, match=r"W_0: row 3 sums to 1\.000001: it must be 1"):
        verify(only(W, ring(6)))
    W = lazy_ring()
    W[2, 2] = np.nan
    with pytest.raises(ValueError, match="row 2 sums to nan"):
        verify(only(W, ring(6)))


def test_check_names_the_column_that_does_not_sum_to_one():
    W = lazy_ring()
    W[4, 3], W[4, 5] = W[4, 3] - 0.1, W[4, 5] + 0.1
    with pytest.raises(ValueError, match=r"column 3 sums to 0\.9"):
        verify(only(W, ring(6)))


def test_check_names_the_row_that_leaves_the_graph():
    with pytest.raises(ValueError, match=r"row 0 gives peer 5 the weight 0\.333, but no edge joins them"):
        verify(only(lazy_ring(), path(6)))


def test_check_names_the_row_that_is_not_symmetric():
    turn = np.eye(6) / 2 + np.roll(np.eye(6), 1, axis=1) / 2
    with pytest.raises(ValueError, match=r"row 0 gives peer 1 the weight 0\.5 and gets 0: W must be symmetric"):
        verify(only(turn, ring(6)))
    directed = nx.DiGraph()
    directed.add_nodes_from(range(6))
    directed.add_edges_from(((i + 1) % 6, i) for i in range(6))  # from sender to receiver
    verify(only(turn, directed))


def test_check_lets_negative_weights_be():
    W = lazy_ring()
    verify(only(1.5 * W - 0.5 * np.eye(6), ring(6)))


def test_check_wants_the_right_matrix_and_peers():
    dense = only(lazy_ring(), ring(6))
    vars(dense)["_matrices"] = [np.eye(6)]
    with pytest.raises(ValueError, match=r"W_0 must be .* shape \(6, 6\)"):
        verify(dense)
    with pytest.raises(ValueError, match="peers 0 to 5 in order"):
        verify(only(lazy_ring(), nx.relabel_nodes(ring(6), {0: "a"})))


def test_static_takes_any_networkx_graph():
    graph = nx.Graph([(7, 3), (3, 5)])
    assert list(make(graph).graph(0).edges()) == [(0, 1), (0, 2)]  # 3 is peer 0, 5 is peer 1, 7 is peer 2
    women = make(nx.davis_southern_women_graph())
    assert women.graph(0).nodes[0]["label"] == "Evelyn Jefferson"
    assert make(nx.grid_2d_graph(2, 3)).graph(0).nodes[5]["label"] == "(1, 2)"
    twice = nx.MultiGraph([(0, 1), (0, 1), (1, 2)])
    assert make(twice).graph(0).number_of_edges() == 2
    whole = ring(5)
    assert normalize_graph(whole) is whole
    with pytest.raises(ValueError, match="self-loop at 1"):
        make(nx.Graph([(0, 1), (1, 1)]))
    with pytest.raises(ValueError, match="must be undirected"):
        make(nx.DiGraph([(0, 1)]), weights=metropolis)
    with pytest.raises(ValueError, match="peers is 1"):
        make(nx.empty_graph(1))
    with pytest.raises(ValueError, match="never hear of each other"):
        verify(make(nx.Graph([(0, 1), (2, 3)])))


def half(graph):
    """A weight rule of our own: half of Metropolis."""
    return sp.csr_array(0.5 * metropolis(graph) + 0.5 * np.eye(len(graph)))


def test_a_static_topology_can_be_rebuilt_from_its_description():
    original = make(nx.petersen_graph())
    description = original.description
    again = make(description["class_path"], original.n, **description["init_args"])
    np.testing.assert_array_equal(again.weights(0).toarray(), original.weights(0).toarray())
    assert make(ring(5), weights=half).description["init_args"]["weights"].endswith("half")


def test_a_rule_of_ones_own():
    topology = make("ring", 6, weights=half)
    np.testing.assert_allclose(topology.weights(0).toarray(), lazy_ring() / 2 + np.eye(6) / 2)
    assert topology.description["init_args"]["weights"].endswith(".half")
    path = "dfedsam.topologies.weights.rules.metropolis"
    assert make("ring", 6, weights=path).description["init_args"] == {"weights": "metropolis"}


def wheel(n, spokes=1, **more):
    """A graph of a user's own."""
    return nx.wheel_graph(n)


def test_a_function_with_any_arguments():
    topology = make(lambda n, *rest, **more: nx.cycle_graph(n), 5, colour="red")
    assert (topology.n, topology.description["init_args"]) == (5, {"colour": "red"})


def test_a_function_of_ones_own():
    topology = make(wheel, 7, seed=1, spokes=2, colour="red")
    assert topology.graph(0).degree(0) == 6
    assert topology.description["init_args"] == {"spokes": 2, "colour": "red"}
    schedule = make(lambda n: Schedule([np.eye(n)], [ring(n)]), 4)
    assert schedule.n == 4
    assert schedule.description["init_args"] == {}
    with pytest.raises(
        ValueError, match=r"peers is 7: it must be 5, the number of peers of topology .*; give --peers 5"
    ):
        make(lambda n: ring(5), 7)
    with pytest.raises(ValueError, match="gave a int: it must be a networkx graph or a Topology"):
        make(lambda n: n, 7)
    assert from_edges.__name__ in make(from_edges, 2, edges=[[0, 1]]).description["class_path"]


@pytest.mark.parametrize("function", [spectrum, verify, expected_contraction, lambda topology: place(topology, 2)])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ring", 'topology is ring: it must be a Topology; make one: make("ring", 16)'),
        (nx.cycle_graph(4), "topology is of type Graph: it must be a Topology; make one: make(graph)"),
    ],
)
def test_a_name_or_a_graph_in_place_of_a_topology_is_refused_with_what_makes_one(function, value, message):
    with pytest.raises(OptionError) as caught:
        function(value)
    assert str(caught.value) == message
