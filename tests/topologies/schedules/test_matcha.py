"""MATCHA: its matchings, probabilities with their certificate, and weights, against closed forms and all draws."""

import sys
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import make, verify
from dfedsam.topologies.schedules.edge_colouring import matchings_of
from dfedsam.topologies.schedules.matcha import Matcha, best_probabilities, best_step, laplacian, second_moment


def davis():
    return nx.convert_node_labels_to_integers(nx.davis_southern_women_graph())


@settings(deadline=None, max_examples=60)
@given(n=st.integers(2, 20), p=st.floats(0.05, 1), seed=st.integers(0, 2**32), bipartite=st.booleans())
def test_edges_are_divided_into_few_matchings(n, p, seed, bipartite):
    graph = nx.bipartite.random_graph(n, n + 2, p, seed=seed) if bipartite else nx.gnp_random_graph(n, p, seed=seed)
    matchings = matchings_of(graph)
    edges = [edge for matching in matchings for edge in matching]
    assert sorted(edges) == sorted((min(edge), max(edge)) for edge in graph.edges())
    for matching in matchings:
        assert len({peer for edge in matching for peer in edge}) == 2 * len(matching) > 0
    most = max(degree for _, degree in graph.degree())
    assert most <= len(matchings) <= (most if nx.is_bipartite(graph) else most + 1)


@pytest.mark.parametrize(
    ("graph", "matchings", "connectivity"),
    [
        (nx.cycle_graph(8), 2, lambda b: b * (2 - 2 * np.cos(np.pi / 4))),  # both alike, by symmetry and concavity
        (nx.star_graph(6), 6, lambda b: b),
        (nx.hypercube_graph(3), 3, lambda b: 2 * b),
        (nx.path_graph(2), 1, lambda b: 2 * b),
    ],
)
@pytest.mark.parametrize("budget", [0.1, 0.5, 1.0])
def test_probabilities_reach_the_closed_form(graph, matchings, connectivity, budget):
    graph = nx.convert_node_labels_to_integers(graph)
    found = best_probabilities(len(graph), matchings_of(graph), budget)
    assert len(found.probabilities) == matchings
    assert found.connectivity == pytest.approx(connectivity(budget), rel=1e-6)
    np.testing.assert_allclose(found.probabilities, budget, rtol=1e-5)


@pytest.mark.parametrize("graph", [davis(), nx.karate_club_graph(), nx.barbell_graph(5, 3)])
@pytest.mark.parametrize("budget", [0.2, 0.5])
def test_probabilities_are_proved_to_be_the_best(graph, budget):
    matchings = matchings_of(graph)
    found = best_probabilities(len(graph), matchings, budget)
    p = found.probabilities
    assert (p >= 0).all()
    assert (p <= 1).all()
    assert p.sum() <= budget * len(matchings) * (1 + 1e-12)
    values = np.linalg.eigvalsh(laplacian(len(graph), matchings, p))
    assert found.connectivity == pytest.approx(values[1], abs=1e-12)
    assert found.connectivity <= found.bound * (1 + 1e-12)
    assert found.bound - found.connectivity <= 1e-6 * found.bound


def test_probabilities_agree_with_a_solver():
    cp = pytest.importorskip("cvxpy")
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(3, 4))
    matchings, n = matchings_of(graph), 12
    p, s = cp.Variable(len(matchings)), cp.Variable()
    mean = sum(p[k] * laplacian(n, [matching], np.ones(1)) for k, matching in enumerate(matchings))
    limits = [mean - s * (np.eye(n) - 1 / n) >> 0, p >= 0, p <= 1, cp.sum(p) <= 0.5 * len(matchings)]
    best = cp.Problem(cp.Maximize(s), limits).solve(solver="CLARABEL")
    assert best_probabilities(n, matchings, 0.5).connectivity == pytest.approx(best, rel=1e-6)


def test_davis_at_half_the_budget():
    topology = matcha(32, topology="davis")
    assert len(topology.matchings) == 14  # the largest degree: it is bipartite
    assert topology.probabilities.sum() == pytest.approx(7, abs=1e-5)
    assert topology.contraction() == pytest.approx(0.7859, abs=1e-4)
    verify(topology)


def test_davis_in_matchings_of_another_choice():
    """α and ρ depend on how the edges are divided: 0.195 and 0.8105 belong to a greedy division; ours mixes faster."""
    graph = davis()
    neighbours = nx.line_graph(graph)
    order = [tuple(edge) for edge in np.random.default_rng(284).permutation(sorted(graph.edges())).tolist()]
    order.sort(key=neighbours.degree, reverse=True)
    colours = nx.greedy_color(neighbours, lambda *_: order)
    matchings = [[edge for edge in order if colours[edge] == k] for k in range(max(colours.values()) + 1)]
    assert len(matchings) == 14
    alpha, rho = best_step(32, matchings, best_probabilities(32, matchings, 0.5).probabilities)
    assert alpha == pytest.approx(0.195, abs=5e-4)
    assert rho == pytest.approx(0.8105, abs=1e-4)


def matcha(n: int | None, seed: int = 0, **options) -> Matcha:
    topology = make("matcha", n, seed, **options)
    assert isinstance(topology, Matcha)
    return topology


AUTHORS = [[(1, 5), (6, 7), (0, 4), (2, 3)], [(1, 7), (3, 6)], [(0, 1), (3, 7), (5, 6)], [(1, 2), (0, 7)], [(1, 3)]]


@pytest.mark.parametrize(
    ("budget", "rho"), [(0.1, 0.9368), (0.2, 0.8577), (0.3, 0.7765), (0.4, 0.7051), (0.5, 0.6440), (0.8, 0.6150)]
)
def test_the_matchings_of_the_papers_first_figure(budget, rho):
    """Half of the budget mixes better than all of it."""
    edges = [list(edge) for matching in AUTHORS for edge in matching]
    graph = nx.from_edgelist(edges)
    topology = matcha(None, topology=graph, budget=budget, matchings=AUTHORS)
    assert topology.matchings == AUTHORS
    assert topology.contraction() == pytest.approx(rho, abs=2e-4)
    verify(topology)


def test_the_same_probability_for_each_of_those_matchings():
    assert best_step(8, AUTHORS, np.full(5, 0.5))[1] == pytest.approx(0.7907, abs=2e-4)
    whole = best_step(8, AUTHORS, np.ones(5))[1]
    half = best_step(8, AUTHORS, best_probabilities(8, AUTHORS, 0.5).probabilities)[1]
    assert half < whole < 0.6548


def test_more_peers_than_the_interior_point_solver_takes():
    n = 64
    found = best_probabilities(n, matchings_of(nx.cycle_graph(n)), 0.5)
    assert found.connectivity == pytest.approx(1 - np.cos(2 * np.pi / n), rel=1e-4)
    assert found.bound - found.connectivity <= 1e-4 * found.bound


def test_without_cvxpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(ValueError, match=r"topology is matcha: it needs .* cvxpy; .*`pip install 'dfedsam\[sdp\]'`"):
        matcha(8)
    assert matcha(200, budget=1).probabilities.tolist() == [1, 1]  # nothing to optimise


@pytest.mark.parametrize(("name", "n", "budget"), [("ring", 5, 0.4), ("grid", 6, 0.5), ("petersen", 10, 0.3)])
def test_contraction_is_that_of_all_draws(name, n, budget):
    topology = matcha(n, topology=name, budget=budget)
    m, p = len(topology.matchings), topology.probabilities
    second = np.zeros((n, n))
    for up in product([False, True], repeat=m):
        L = laplacian(n, topology.matchings, np.array(up, float))
        W = np.eye(n) - topology.alpha * L
        second += np.prod(np.where(up, p, 1 - p)) * W @ W
    assert topology.contraction() == pytest.approx(np.linalg.eigvalsh(second - 1 / n)[-1], abs=1e-12)
    rho = second_moment(n, topology.matchings, p)
    assert all(rho(topology.alpha) <= rho(topology.alpha * factor) for factor in (0.9, 0.99, 1.01, 1.1))


def test_the_whole_budget_is_the_best_constant_weight():
    topology = matcha(8, topology="path", budget=1)
    mu = np.linalg.eigvalsh(nx.laplacian_matrix(nx.path_graph(8)).toarray())
    assert topology.alpha == pytest.approx(2 / (mu[1] + mu[-1]), rel=1e-5)
    assert topology.contraction() == pytest.approx(((mu[-1] - mu[1]) / (mu[-1] + mu[1])) ** 2, rel=1e-4)
    np.testing.assert_array_equal(topology.weights(0).toarray(), topology.weights(9).toarray())


def test_rounds_are_weighted_matchings_drawn_from_the_seed():
    topology, other = (matcha(12, 4, topology="star") for _ in range(2))
    verify(topology)
    seen = [0] * 11
    for t in range(200):
        W = topology.weights(t)
        up = [bool(W[i, j]) for ((i, j),) in topology.matchings]
        np.testing.assert_allclose(
            W.toarray(),
            np.eye(12) - topology.alpha * laplacian(12, topology.matchings, np.array(up, float)),
            atol=1e-15,
        )
        assert W.nnz == 12 + 2 * sum(up)
        seen = [count + one for count, one in zip(seen, up, strict=True)]
    assert all(60 < count < 140 for count in seen)  # of 200 at ½: above five standard deviations
    np.testing.assert_array_equal(other.weights(17).toarray(), topology.weights(17).toarray())


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (8, {"budget": 0}, "budget is 0: it must be above 0 and at most 1"),
        (8, {"budget": 1.5}, "budget is 1.5"),
        (8, {"topology": "one_peer_exponential"}, "must be undirected and the same in every round for matcha"),
        (129, {}, "peers is 129: it must be at most 128 for matcha"),
        (4, {"matchings": [[[0, 1], [2, 3]]]}, r"matchings is wrong at the edge \[0, 3\]: it must hold every edge"),
        (3, {"matchings": [[[0, 1], [1, 2]], [[0, 2]]]}, "must hold at least one edge, and no peer twice"),
        (3, {"matchings": [[[0, 1]], [[1, 2]], [[0, 2]], [[1, 0]]]}, r"wrong at the edge \[0, 1\]"),
        (3, {"matchings": 3}, "matchings is 3: it must be lists of pairs of peers"),
    ],
)
def test_wrong_options(n, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        matcha(n, **options)
    assert "\n" not in str(caught.value)
