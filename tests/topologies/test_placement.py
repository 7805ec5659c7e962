"""Which rank plays which peer: everyone somewhere, evenly, and fewer edges across."""

import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.communication import block
from dfedsam.topologies import make, random_geometric
from dfedsam.topologies.placement import _even, check_placement, crossings, place
from dfedsam.topologies.schedule import Drawn, Periodic

METHODS = ["contiguous", "reorder", "metis"]


def shuffled(graph, seed=0):
    """The graph with its peers' numbers drawn anew."""
    order = np.random.default_rng(seed).permutation(len(graph)).tolist()
    again = nx.Graph()
    again.add_nodes_from(range(len(graph)))
    again.add_edges_from((order[u], order[v]) for u, v in graph.edges())
    return make(again)


@pytest.mark.parametrize("placement", METHODS)
@settings(max_examples=40)
@given(n=st.integers(2, 30), p=st.floats(0, 1), size=st.integers(1, 9), seed=st.integers(0, 99))
def test_every_rank_has_as_many_peers_as_in_contiguous_blocks(placement, n, p, size, seed):
    size = min(n, size)
    topology = make(nx.gnp_random_graph(n, p, seed=seed))
    owner = place(topology, size, placement)
    assert list(np.bincount(owner)) == [len(block(n, size, rank)) for rank in range(size)]
    assert np.array_equal(owner, place(topology, size, placement))
    support = topology.support()
    runs = place(topology, size, "contiguous")
    assert crossings(support, owner) <= crossings(support, runs)
    assert (np.diff(runs) >= 0).all()


@pytest.mark.parametrize(("placement", "most"), [("reorder", 0.2), ("metis", 0.1)])
def test_few_edges_of_a_geometric_graph_cross(placement, most):
    topology = make(random_geometric(2000, 0.05, seed=1))
    support = topology.support()
    across = crossings(support, place(topology, 4, placement))
    assert across < most * crossings(support, place(topology, 4, "contiguous"))


def test_a_shuffled_path_is_found_again():
    topology = shuffled(nx.path_graph(40))
    for placement in ("reorder", "metis"):
        assert crossings(topology.support(), place(topology, 4, placement)) == 2 * 3


def test_edges_count_in_both_directions():
    support = make(nx.cycle_graph(6)).support()
    assert crossings(support, np.array([0, 0, 0, 1, 1, 1])) == 4
    assert crossings(support, np.array([0, 1, 0, 1, 0, 1])) == 12
    assert crossings(support, np.zeros(6, int)) == 0


def test_parts_are_made_even_at_the_least_loss():
    graph = make(nx.path_graph(6)).support().astype(np.int32)
    lengths = np.array([2, 2, 2])
    assert list(_even(graph, np.array([0, 0, 0, 0, 0, 0]), lengths)).count(1) == 2
    assert list(_even(graph, np.array([1, 1, 1, 0, 2, 2]), lengths)) == [0, 0, 2, 2, 1, 1]


def test_a_schedule_is_placed_by_all_its_rounds():
    edges = [shuffled(nx.path_graph(12)).weights(0), shuffled(nx.star_graph(11)).weights(0)]
    owner = place(Periodic(edges), 3, "reorder")
    assert list(np.bincount(owner)) == [4, 4, 4]


class Anybody(Drawn):
    """Any two peers may meet."""

    def draw(self, rng):
        raise AssertionError("no round is looked at")


def test_where_anybody_may_meet_all_placements_are_alike():
    for placement in METHODS:
        assert list(place(Anybody(7, 0, None), 3, placement)) == [0, 0, 0, 1, 1, 2, 2]


def test_an_unknown_placement():
    with pytest.raises(ValueError, match="placement is spread: it must be one of contiguous, reorder, metis"):
        check_placement("spread")


def test_without_pymetis(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymetis", None)
    topology = shuffled(nx.path_graph(8))
    assert len(place(topology, 2, "reorder")) == 8
    with pytest.raises(ValueError, match=r"placement is metis: it needs .* by `pip install 'dfedsam\[metis\]'`"):
        place(topology, 2, "metis")
