"""Contract of all graphs (the product graphs × sizes), their exact gaps, and what they refuse."""

from math import comb

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topologies.sizes import DIRECTED_SIZES, SIZES, cases, graph_functions
from topologies import check, eigenvalues, from_edges, make, metropolis, redraw, slem
from topologies.random_graphs import erdos_renyi, random_geometric, random_regular, watts_strogatz
from topologies.topology import Static

RANDOM = ("erdos_renyi", "random_regular", "watts_strogatz", "barabasi_albert", "random_geometric")


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
    check(topology)

    rebuilt = make(topology.description["class_path"], n, **topology.description["init_args"])
    assert set(rebuilt.graph(0).edges()) == set(graph.edges())


def gap(name, n, **options):
    return 1 - slem(make(name, n, **options).weights(0))


def exact(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n", [4, 5, 16, 33, 100, 256])
def test_gaps_in_closed_form(n):
    assert gap("ring", n) == exact(4 / 3 * np.sin(np.pi / n) ** 2)
    assert gap("path", n) == exact(4 / 3 * np.sin(np.pi / (2 * n)) ** 2)
    assert gap("star", n) == exact(1 / n)
    assert gap("complete", n) == exact(1)


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (3, 7), (4, 4), (10, 10), (8, 5)])
def test_gap_of_a_torus(rows, columns):
    expected = 2 / 5 * (1 - np.cos(2 * np.pi / max(rows, columns)))
    assert gap("torus", rows * columns, rows=rows) == exact(expected)


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_spectrum_of_a_hypercube(k):
    W = make("hypercube", 2**k).weights(0)
    expected = [1 - 2 * j / (k + 1) for j in range(k + 1) for _ in range(comb(k, j))]
    np.testing.assert_allclose(eigenvalues(W), expected, atol=1e-13)
    assert gap("hypercube", 2**k) == exact(2 / (k + 1) if k > 1 else 1)


@pytest.mark.parametrize("n", [5, 12, 16, 33, 64])
def test_exponential_graph_is_a_circulant(n):
    offsets = {o for j in range((n - 1).bit_length()) for o in (2**j, n - 2**j)}
    weights = np.zeros(n)
    weights[[0, *offsets]] = 1 / (1 + len(offsets))
    expected = np.sort(np.fft.fft(weights).real)
    np.testing.assert_allclose(np.linalg.eigvalsh(make("exponential", n).weights(0).toarray()), expected, atol=1e-13)


@pytest.mark.parametrize(("n", "k"), [(16, 4), (33, 6), (40, 2)])
def test_unmoved_small_world_is_the_ring_lattice(n, k):
    W = make("watts_strogatz", n, neighbours=k, p=0).weights(0)
    expected = np.sin((k + 1) * np.pi / n) / ((k + 1) * np.sin(np.pi / n))
    assert np.linalg.eigvalsh(W.toarray())[-2] == exact(expected)


def test_gap_of_random_regular_graphs_is_friedmans():
    gaps = [gap("random_regular", 256, seed=seed) for seed in range(5)]
    assert np.mean(gaps) == pytest.approx(1 - (1 + 2 * np.sqrt(3)) / 5, rel=0.15)
    degrees = {degree for _, degree in random_regular(64, degree=5).degree()}
    assert degrees == {5}


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


ERRORS = [
    ("ring", 1, {}, "peers is 1: it must be a whole number of at least 2"),
    ("ring", 2.5, {}, "peers is 2.5"),
    ("grid", 13, {}, r"peers is 13: .*sizes nearby that fit: 10 \(2×5\), 12 \(3×4\), 14 \(2×7\), 15 \(3×5\)"),
    ("grid", 3, {}, r"peers is 3: .*4 \(2×2\)"),
    ("grid", 16, {"rows": 5}, "rows is 5: it must divide 16 peers .*; use one of 2, 4, 8"),
    ("grid", 16, {"rows": 16}, "rows is 16"),
    ("grid", 16, {"rows": 0}, "rows is 0: .*use one of 2, 4, 8"),
    ("torus", 10, {}, r"peers is 10: .*sides of at least 3 for a torus; .*9 \(3×3\), 12 \(3×4\)"),
    ("torus", 12, {"rows": 2}, "rows is 2: .*use one of 3, 4"),
    ("hypercube", 12, {}, "peers is 12: it must be a power of two for a hypercube; use 8 or 16"),
    ("erdos_renyi", 16, {"p": 0}, "p is 0: it must be above 0 and at most 1"),
    ("erdos_renyi", 16, {"p": 1.5}, "p is 1.5"),
    ("erdos_renyi", 16, {"p": float("nan")}, "p is nan"),
    ("erdos_renyi", 16, {"p": "much"}, "p is much"),
    ("erdos_renyi", 16, {"seed": -1}, "seed is -1"),
    (
        "erdos_renyi",
        60,
        {"p": 0.001},
        "p is 0.001: it must make .* connected, and none of 100 draws was; it is too small",
    ),
    ("random_regular", 16, {"degree": 16}, "degree is 16: it must be below the number of peers"),
    ("random_regular", 15, {"degree": 3}, "degree is 3: it must be even for an odd number of peers .*2 or 4"),
    ("random_regular", 16, {"degree": 0}, "degree is 0"),
    ("random_regular", 16, {"degree": 1}, "degree is 1: .*too small"),
    ("watts_strogatz", 16, {"neighbours": 3}, "neighbours is 3: it must be even"),
    ("watts_strogatz", 4, {}, "neighbours is 4: it must be below the number of peers"),
    ("watts_strogatz", 16, {"p": -0.1}, "p is -0.1: it must be at least 0"),
    ("barabasi_albert", 16, {"edges": 16}, "edges is 16"),
    ("barabasi_albert", 16, {"edges": 0}, "edges is 0"),
    ("random_geometric", 16, {"radius": 0}, "radius is 0"),
    ("random_geometric", 64, {"radius": 0.01}, "radius is 0.01: .*too small"),
    ("ring", 16, {"rows": 4}, "topology ring does not take these options: .*rows.*its options are: none"),
    ("grid", 16, {"row": 4}, "topology grid .*row.*its options are: rows"),
]


@pytest.mark.parametrize(("name", "n", "options", "message"), ERRORS)
def test_what_cannot_be_is_refused_in_one_line(name, n, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(name, n, **options)
    assert "\n" not in str(caught.value)


def test_a_small_world_that_falls_apart_is_refused(monkeypatch):
    monkeypatch.setattr(redraw, "DRAWS", 1)
    with pytest.raises(ValueError, match=r"p is 1\.0: .* none of 1 draws was; it is too large for so few neighbours"):
        watts_strogatz(1000, neighbours=2, p=1)


@given(n=st.integers(2, 24), data=st.data())
@settings(max_examples=40, deadline=None)
def test_metropolis_weights_on_any_graph(n, data):
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
    graph = nx.path_graph(n)
    graph.add_edges_from(data.draw(st.lists(pairs, max_size=60)))
    W = metropolis(graph)
    check(Static(graph))
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
