"""Weight rules against closed forms and known values; what all of them keep to; what they refuse."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import (
    best_constant,
    directed_exponential,
    directed_ring,
    find_rule,
    lazy,
    make,
    max_degree,
    metropolis,
    out_degree,
    path,
    random_out,
    ring,
    rules,
    star,
    torus,
    uniform,
    verify,
)
from tests.topologies.weights.known import GRAPHS, MODULI, PRINTED, connected_graphs, modulus

RULES = {name: rule for name, rule in rules().items() if name != "weights_from_file"}
SYMMETRIC = [rule for name, rule in RULES.items() if name not in ("uniform", "out_degree")]


def exact(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def laplacian(graph):
    return nx.laplacian_matrix(graph, weight=None).toarray()


@pytest.mark.parametrize("name", MODULI)
def test_known_moduli(name):
    for rule, expected in zip((metropolis, best_constant), MODULI[name], strict=False):
        assert modulus(rule(GRAPHS[name])) == pytest.approx(expected, abs=PRINTED)


@pytest.mark.parametrize("n", [4, 5, 8, 33])
def test_best_constant_in_closed_form(n):
    c = np.cos(2 * np.pi / n)
    least = 2 - 2 * np.cos(2 * np.pi * (n // 2) / n)  # the largest eigenvalue of the ring's Laplacian
    assert modulus(best_constant(path(n))) == exact(np.cos(np.pi / n))
    assert modulus(best_constant(ring(n))) == exact((least - 2 + 2 * c) / (least + 2 - 2 * c))
    assert modulus(best_constant(star(n))) == exact((n - 1) / (n + 1))
    if n % 2 == 0:
        assert modulus(best_constant(ring(n))) == exact((1 + c) / (3 - c))


def test_best_constant_is_the_best_one():
    graph, L = GRAPHS["davis"], laplacian(GRAPHS["davis"])
    J = np.full(L.shape, 1 / len(L))
    tried = [np.linalg.norm(np.eye(len(L)) - alpha * L - J, 2) for alpha in np.linspace(0.05, 0.2, 61)]
    assert modulus(best_constant(graph)) <= min(tried)


@pytest.mark.parametrize(
    ("graph", "smallest", "largest"),
    [
        (torus(30 * 24), 2 - 2 * np.cos(2 * np.pi / 30), 8),
        (ring(3000), 2 - 2 * np.cos(2 * np.pi / 3000), 4),
        (star(700), 1, 700),
    ],
)
def test_best_constant_of_many_peers_from_the_ends_of_the_spectrum(graph, smallest, largest):
    alpha = best_constant(graph)[0, 1]
    gap = min(alpha * smallest, 2 - alpha * largest)  # of the eigenvalues 1 - αμ
    assert gap == pytest.approx(2 * smallest / (smallest + largest), rel=1e-5)


def test_sums_of_very_many_entries():
    graph = star(20_000)
    for rule in (max_degree, lazy, out_degree):
        verify(make(graph, weights=rule))


@pytest.mark.parametrize("n", [3, 8, 33])
def test_max_degree_on_a_path(n):
    np.testing.assert_allclose(max_degree(path(n)).toarray(), np.eye(n) - laplacian(path(n)) / 3, rtol=0, atol=1e-15)


@pytest.mark.parametrize("graph", [ring(7), torus(16), star(9), path(6)])
def test_max_degree_is_metropolis_on_regular_graphs_paths_and_stars(graph):
    np.testing.assert_allclose(max_degree(graph).toarray(), metropolis(graph).toarray(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_lazy_of_any_rule(rule):
    graph = star(7)
    half = find_rule({"class_path": "lazy", "init_args": {"weights": rule}})
    W = find_rule(rule)(graph).toarray()
    np.testing.assert_allclose(half(graph).toarray(), (np.eye(7) + W) / 2, rtol=0, atol=1e-15)
    topology = make(graph, weights=half)
    assert topology.sums == make(graph, weights=find_rule(rule)).sums
    verify(topology)


def test_lazy_of_a_rule_with_options_and_of_itself():
    twice = {
        "class_path": "lazy",
        "init_args": {"weights": {"class_path": "lazy", "init_args": {"weights": "uniform"}}},
    }
    W = find_rule(twice)(star(5)).toarray()
    np.testing.assert_allclose(W, 0.75 * np.eye(5) + uniform(star(5)).toarray() / 4, rtol=0, atol=1e-15)
    assert make("star", 5, weights=twice).sums == "rows"
    np.testing.assert_array_equal(lazy(ring(5)).toarray(), lazy(ring(5), metropolis).toarray())


def test_uniform_aims_at_the_mean_weighted_by_degrees():
    graph = GRAPHS["davis"]
    W = uniform(graph).toarray()
    aim = np.array([1 + degree for _, degree in graph.degree()], dtype=float)
    aim /= aim.sum()
    np.testing.assert_allclose(aim @ W, aim, rtol=0, atol=1e-15)
    np.testing.assert_allclose(np.linalg.matrix_power(W, 400), np.tile(aim, (32, 1)), rtol=0, atol=1e-12)
    second = np.sort(np.abs(np.linalg.eigvals(W)))[-2]
    assert second == pytest.approx(0.828, abs=5e-4)
    assert second < MODULI["davis"][0]  # it looks faster than Metropolis weights


def test_uniform_is_marked_as_biased_where_it_is():
    assert make("star", 6, weights="uniform").sums == "rows"
    assert make("torus", 16, weights="uniform").sums == "both"
    verify(make("star", 6, weights="uniform"))


def test_uniform_on_a_directed_graph_averages_what_is_heard():
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 0), (0, 2)])
    expected = [[1 / 2, 0, 1 / 2], [1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(uniform(graph).toarray(), expected, rtol=0, atol=1e-15)
    topology = make(graph, weights=uniform)
    assert topology.sums == "rows"
    verify(topology)
    assert make(directed_exponential(8), weights=uniform).sums == "both"


def test_push_sums_weights_stay_column_stochastic_when_lazy():
    topology = make("random_out", 12, seed=1, weights={"class_path": "lazy", "init_args": {"weights": "out_degree"}})
    assert topology.sums == "columns"
    verify(topology)


@pytest.mark.parametrize("rule", RULES)
def test_weights_on_edges_are_not_looked_at(rule):
    club, plain = nx.karate_club_graph(), nx.Graph(nx.karate_club_graph().edges())
    assert any(data["weight"] != 1 for _, _, data in club.edges(data=True))
    plain = nx.relabel_nodes(plain, {i: i for i in sorted(plain)})
    np.testing.assert_array_equal(find_rule(rule)(club).toarray(), find_rule(rule)(plain).toarray())


@pytest.mark.parametrize("rule", RULES)
def test_parallel_edges_count_once(rule):
    double = nx.MultiGraph([(0, 1), (1, 0), (1, 2)])
    np.testing.assert_array_equal(find_rule(rule)(double).toarray(), find_rule(rule)(path(3)).toarray())


@settings(deadline=None, max_examples=25)
@given(graph=connected_graphs(), rule=st.sampled_from(SYMMETRIC))
def test_every_symmetric_rule_on_random_graphs(graph, rule):
    W = rule(graph)
    assert W.format == "csr"
    assert W.dtype == np.float64
    assert W.indices.dtype == np.int32
    assert W.has_sorted_indices
    verify(make(graph, weights=rule))
    dense = W.toarray()
    np.testing.assert_array_equal(dense, dense.T)
    off = ~np.eye(len(graph), dtype=bool) & (nx.to_numpy_array(graph, nodelist=sorted(graph)) == 0)
    assert not dense[off].any()
    assert modulus(W) < 1
    if rule not in (rules()["fastest"], best_constant):
        assert dense.min() >= 0


@settings(deadline=None, max_examples=25)
@given(graph=connected_graphs())
def test_best_constant_is_never_slower_than_max_degree(graph):
    assert modulus(best_constant(graph)) <= modulus(max_degree(graph)) + 1e-10


@pytest.mark.parametrize("rule", SYMMETRIC)
def test_a_directed_graph_where_a_symmetric_matrix_is_needed(rule):
    with pytest.raises(ValueError, match=r"graph is directed: it must be undirected; .*out_degree") as caught:
        rule(directed_ring(5))
    assert "\n" not in str(caught.value)
    verify(make(random_out(9, seed=0), weights=out_degree))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("metroplis", "weights is metroplis: it must be one of metropolis, .*did you mean metropolis?"),
        ("max-degre", "did you mean max_degree?"),
        ("zzzzzz", "weights is zzzzzz: it must be one of"),
        ({"class_path": "lazy", "init_args": {"weights": "unifrom"}}, "did you mean uniform?"),
        ("nowhere.at.all", "weights is nowhere.at.all: it must be importable"),
    ],
)
def test_unknown_rules(rule, message):
    with pytest.raises(ValueError, match=message) as caught:
        make("ring", 4, weights=rule)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", ["uniform", {"class_path": "lazy", "init_args": {"weights": "max_degree"}}])
def test_rules_in_a_description_build_the_same_again(weights):
    first = make(nx.lollipop_graph(4, 2), None, weights=weights)
    again = make(first.description, 6)
    np.testing.assert_array_equal(again.weights(0).toarray(), first.weights(0).toarray())
    assert again.sums == first.sums
