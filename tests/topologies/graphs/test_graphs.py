"""Contract of all graphs (the product graphs × sizes), and what makes each of them what it is."""

import re

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import (
    barbell,
    binary_tree,
    caveman,
    chordal_ring,
    circulant,
    complete_bipartite,
    from_edges,
    lollipop,
    make,
    metropolis,
    paley,
    slem,
    stochastic_block_model,
    tree,
    two_cliques,
    verify,
)
from dfedsam.topologies.graphs.random import erdos_renyi, random_geometric
from tests.topologies.sizes import DIRECTED_SIZES, SIZES, cases, graph_functions

RANDOM = (
    "erdos_renyi",
    "random_regular",
    "watts_strogatz",
    "barabasi_albert",
    "random_geometric",
    "stochastic_block_model",
)


def test_every_graph_is_in_a_contract_test():
    assert SIZES.keys() | DIRECTED_SIZES.keys() == graph_functions()


@pytest.mark.parametrize(("name", "n"), cases(SIZES))
def test_contract(name, n):
    topology = make(name, n, seed=3)
    n = topology.n
    graph, W = topology.graph(0), topology.weights(0)
    assert type(graph) is nx.Graph
    assert list(graph) == list(range(n)) == list(range(topology.n))
    assert nx.is_connected(graph)
    assert nx.number_of_selfloops(graph) == 0
    assert graph.graph["name"] == name
    assert topology.weights(5) is W

    assert W.format == "csr"
    assert W.dtype == np.float64
    assert W.shape == (n, n)
    assert W.has_sorted_indices
    dense = W.toarray()
    np.testing.assert_array_equal(dense, dense.T)
    np.testing.assert_allclose(dense.sum(axis=0), 1, rtol=0, atol=1e-14)
    assert (np.diag(dense) > 0).all()
    degrees = dict(graph.degree())
    for i in range(n):
        for j in range(n):
            if i != j:
                edge = 1 / (1 + max(degrees[i], degrees[j])) if graph.has_edge(i, j) else 0
                assert dense[i, j] == edge
    verify(topology)

    rebuilt = make(topology.description["class_path"], n, **topology.description["init_args"])
    assert set(rebuilt.graph(0).edges()) == set(graph.edges())


def test_grids_number_their_peers_row_by_row():
    graph = make("grid", 12, rows=3).graph(0)
    assert set(graph[5]) == {1, 4, 6, 9}
    assert set(graph[0]) == {1, 4}
    assert set(make("torus", 12, rows=3).graph(0)[0]) == {1, 3, 4, 8}
    assert make("grid", 12).graph(0).graph["rows"] == 3


@pytest.mark.parametrize("name", RANDOM)
def test_random_graphs_are_their_seeds(name):
    def edges(seed):
        return set(make(name, 32, seed=seed).graph(0).edges())

    assert edges(1) == edges(1) != edges(2)


def test_random_graphs_are_drawn_again_until_connected_and_say_which_seed_served():
    served = set()
    for seed in range(20):
        graph = erdos_renyi(20, p=0.12, seed=seed)
        assert nx.is_connected(graph)
        again = erdos_renyi(20, p=0.12, seed=graph.graph["seed"])
        assert set(again.edges()) == set(graph.edges())
        assert again.graph["seed"] == graph.graph["seed"]
        served.add(graph.graph["seed"])
    assert len(served) == 20  # neighbouring seeds do not fall back on each other's
    assert any(seed >= 20 for seed in served)


def test_a_seed_is_passed_only_where_it_is_asked_for():
    assert make("ring", 8, seed=5).description["init_args"] == {}
    assert make("erdos_renyi", 8, seed=5).description["init_args"] == {"p": 0.3, "seed": 5}
    assert make("erdos_renyi", 8, seed=5, p=0.9).description["init_args"] == {"p": 0.9, "seed": 5}
    own = make(erdos_renyi, 8, 5, p=0.9).graph(0).graph["seed"]
    assert own == 5


def test_geometric_graphs_keep_their_points():
    graph = random_geometric(20, radius=0.5)
    points = np.array([graph.nodes[i]["pos"] for i in range(20)])
    for i in range(20):
        for j in range(i):
            assert graph.has_edge(i, j) == (np.linalg.norm(points[i] - points[j]) <= 0.5)


@given(n=st.integers(2, 24), data=st.data())
@settings(max_examples=40, deadline=None)
def test_metropolis_weights_on_any_graph(n, data):
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
    graph = nx.path_graph(n)
    graph.add_edges_from(data.draw(st.lists(pairs, max_size=60)))
    W = metropolis(graph)
    verify(make(graph))
    assert (W.diagonal() >= 1 / (1 + max(degree for _, degree in graph.degree())) - 1e-15).all()
    assert slem(W) < 1
    np.testing.assert_array_equal(W.toarray(), W.T.toarray())


def test_graph_from_edges():
    graph = from_edges(3, [[2, 1], [0, 1]])
    assert list(graph) == [0, 1, 2]
    with pytest.raises(ValueError, match="in 2 parts"):
        from_edges(4, [[0, 1], [2, 3]])
    with pytest.raises(ValueError, match=r"edges is \[0, 3\]: it must be pairs of peers from 0 to 2"):
        from_edges(3, [[0, 3]])
    with pytest.raises(ValueError, match="self-loop"):
        from_edges(3, [[0, 0]])


def made_or_refused(name, n, **options):
    """The topology, or what is said against it."""
    try:
        return make(name, n, **options), ""
    except ValueError as error:
        return None, str(error)


@given(name=st.sampled_from(sorted(SIZES)), n=st.integers(2, 40), seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_any_size_gives_a_sound_graph_or_a_line_that_says_what_fits(name, n, seed):
    topology, refusal = made_or_refused(name, n, seed=seed)
    if topology is None:
        assert re.match(r"(peers|neighbours|degree|edges|blocks|offsets|p|p_out|radius) is .*; ", refusal)
        assert "\n" not in refusal
        return
    graph = topology.graph(0)
    assert list(graph) == list(range(n))
    assert nx.is_connected(graph)
    assert nx.number_of_selfloops(graph) == 0
    assert not graph.is_multigraph()
    verify(topology)


@pytest.mark.parametrize("name", ["grid", "torus", "hypercube", "paley", "margulis", "caveman", "chordal_ring"])
def test_sizes_that_are_named_do_fit(name):
    for n in range(2, 60):
        topology, refusal = made_or_refused(name, n)
        if topology is None:
            assert refusal.startswith(f"peers is {n}: it must be")
            sizes = re.findall(r"\d+", re.sub(r"\([^)]*\)", "", refusal.rpartition(";")[2]))
            assert sizes
            assert [make(name, int(size)).n for size in sizes] == [int(size) for size in sizes]


def test_trees():
    graph = binary_tree(12)
    assert set(graph[4]) == {1, 9, 10}
    assert nx.is_tree(graph)
    assert max(nx.single_source_shortest_path_length(graph, 0).values()) == 3
    assert nx.is_isomorphic(binary_tree(15), nx.balanced_tree(2, 3))
    for children in (1, 2, 3, 5):
        assert nx.utils.graphs_equal(bare(tree(40, children)), nx.full_rary_tree(children, 40))


def bare(graph):
    """Without its name."""
    return nx.Graph(graph.edges())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (complete_bipartite(7, 3), nx.complete_bipartite_graph(3, 4)),
        (barbell(11), nx.barbell_graph(4, 3)),
        (barbell(9, between=1), nx.barbell_graph(4, 1)),
        (barbell(8, between=0), nx.barbell_graph(4, 0)),
        (two_cliques(8), nx.barbell_graph(4, 0)),
        (two_cliques(8, bridges=4), nx.cartesian_product(nx.complete_graph(4), nx.complete_graph(2))),
        (lollipop(11), nx.lollipop_graph(6, 5)),
        (lollipop(11, clique=4), nx.lollipop_graph(4, 7)),
        (lollipop(7, clique=7), nx.complete_graph(7)),
        (caveman(20), nx.connected_caveman_graph(5, 4)),
        (caveman(20, clique=10), nx.connected_caveman_graph(2, 10)),
        (circulant(12, [1, 3]), nx.circulant_graph(12, [1, 3])),
        (paley(5), nx.cycle_graph(5)),
        (chordal_ring(6), nx.complete_bipartite_graph(3, 3)),
    ],
)
def test_graphs_that_networkx_has_too(ours, theirs):
    assert nx.is_isomorphic(ours, theirs)


def test_numbers_of_cliques():
    graph = two_cliques(9, bridges=2)
    assert {(u, v) for u, v in graph.edges() if u < 4 <= v} == {(0, 4), (1, 5)}
    assert graph.subgraph(range(4)).number_of_edges() == 6
    assert graph.subgraph(range(4, 9)).number_of_edges() == 10
    sizes = [(n, (n - sum(degree <= 2 for _, degree in barbell(n).degree())) // 2) for n in (12, 15, 30)]
    assert sizes == [(12, 4), (15, 5), (30, 10)]  # a third in each clique


def test_blocks():
    only_within = stochastic_block_model(30, blocks=3, p_in=1, p_out=0.05)
    blocks = [range(10), range(10, 20), range(20, 30)]
    assert all(only_within.subgraph(block).number_of_edges() == 45 for block in blocks)
    whole = stochastic_block_model(7, blocks=2, p_in=0, p_out=1)
    assert nx.is_isomorphic(bare(whole), nx.complete_bipartite_graph(4, 3))
