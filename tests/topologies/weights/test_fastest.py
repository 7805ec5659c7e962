"""The weights that mix fastest: closed forms, known values, proofs of optimality, and what is refused."""

import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import (
    best_constant,
    complete,
    fastest,
    fastest_nonnegative,
    make,
    metropolis,
    path,
    random_geometric,
    random_regular,
    ring,
    star,
)
from dfedsam.topologies.weights.fastest import _Edges, _lower_bound, _solved
from tests.topologies.weights.known import GRAPHS, MODULI, PRINTED, connected_graphs, modulus

RULES = [fastest, fastest_nonnegative]
pytest.importorskip("cvxpy", reason="cvxpy, the extra sdp, is not installed")


@pytest.mark.parametrize("name", MODULI)
def test_known_moduli(name):
    for rule, expected in zip(RULES, MODULI[name][2:], strict=True):
        assert modulus(rule(GRAPHS[name])) == pytest.approx(expected, abs=PRINTED)


@pytest.mark.parametrize("n", [3, 8, 21])
def test_closed_forms(n):
    def near(value):
        return pytest.approx(value, rel=1e-6)

    for rule in RULES:
        assert modulus(rule(path(n))) == near(np.cos(np.pi / n))
        assert modulus(rule(complete(n))) == pytest.approx(0, abs=1e-6)
    assert modulus(fastest(star(n))) == near((n - 1) / (n + 1))
    assert modulus(fastest_nonnegative(star(n))) == near((n - 2) / (n - 1))
    for rule in RULES:  # on an edge-transitive graph no weights are better than equal ones
        assert modulus(rule(ring(2 * n))) == near(modulus(best_constant(ring(2 * n))))


@settings(deadline=None, max_examples=10)
@given(graph=connected_graphs(), nonnegative=st.booleans())
def test_no_rule_is_faster(graph, nonnegative):
    rule = fastest_nonnegative if nonnegative else fastest
    assert modulus(rule(graph)) <= modulus(metropolis(graph)) + 1e-6


@settings(deadline=None, max_examples=50)
@given(graph=connected_graphs(), seed=st.integers(0, 2**32))
def test_no_dual_variables_prove_too_much(graph, seed):
    i, j = np.array(sorted((min(edge), max(edge)) for edge in graph.edges())).T
    edges, rng = _Edges(len(graph), i, j), np.random.default_rng(seed)
    Z = rng.standard_normal((edges.n, edges.n))
    Z, r = Z + Z.T, rng.exponential(size=edges.n) * rng.choice([-1, 0.1, 1])
    feasible = rng.random(edges.m) / edges.incidence.sum(axis=1).max()
    assert _lower_bound(edges, Z, None) <= edges.modulus(rng.standard_normal(edges.m)) + 1e-12
    assert _lower_bound(edges, Z, r) <= edges.modulus(feasible) + 1e-12


@pytest.mark.parametrize("name", GRAPHS)
def test_sums_are_exact_and_signs_are_kept(name):
    for rule in RULES:
        W = rule(GRAPHS[name]).toarray()
        np.testing.assert_array_equal(W, W.T)
        np.testing.assert_array_equal(W.sum(axis=0), 1)
        assert rule is fastest or W.min() >= 0


def test_negative_weights_make_the_difference():
    for name, graph in GRAPHS.items():
        assert modulus(fastest(graph)) <= modulus(fastest_nonnegative(graph)) + 1e-6, name
    assert fastest(GRAPHS["davis"]).toarray().min() < 0


def test_edges_that_do_not_help_get_no_weight():
    W = fastest_nonnegative(GRAPHS["karate"])
    assert (W.nnz - np.count_nonzero(W.diagonal())) // 2 < GRAPHS["karate"].number_of_edges()
    assert W.data.all()


def test_larger_graphs_are_proved_to_be_near_the_optimum():
    graph = random_regular(50, degree=4, seed=1)
    assert modulus(fastest(graph)) <= modulus(best_constant(graph)) + 1e-6
    assert modulus(fastest(ring(60))) == pytest.approx(modulus(best_constant(ring(60))), rel=1e-5)


def test_a_graph_is_solved_once():
    _solved.cache_clear()
    first = fastest(ring(6))
    again = fastest(nx.Graph(reversed(list(ring(6).edges()))))
    assert again is first
    assert _solved.cache_info().misses == 1


def test_hard_graphs_converge():
    for graph in (random_geometric(28, radius=0.4, seed=1), nx.barbell_graph(7, 3), path(40), nx.wheel_graph(16)):
        for rule in RULES:
            rule(graph)  # or it would be refused


@pytest.mark.parametrize("rule", RULES)
def test_refusals(rule, monkeypatch):
    name = rule.__name__
    split = nx.disjoint_union(ring(3), ring(4))
    cases = [
        (ring(129), f"weights is {name}: it must have at most 128 peers and 1024 edges .*, but this graph has 129 and"),
        (complete(47), "this graph has 47 and 1081; take best_constant or metropolis"),
        (split, f"weights is {name}: it must have a connected graph, and this one has 2 parts; add edges"),
        (nx.DiGraph([(0, 1), (1, 0)]), "graph is directed: it must be undirected"),
    ]
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    cases.append((ring(7), f"weights is {name}: it needs the package cvxpy; pip install 'dfedsam\\[sdp\\]'"))
    for graph, message in cases:
        with pytest.raises(ValueError, match=message) as caught:
            rule(graph)
        assert "\n" not in str(caught.value)


def test_a_result_without_proof_is_refused(monkeypatch):
    _solved.cache_clear()
    module = sys.modules["dfedsam.topologies.weights.fastest"]
    monkeypatch.setattr(module, "_solve", lambda name, edges, _: (np.full(edges.m, 0.1), np.zeros((8, 8)), None))
    with pytest.raises(ValueError, match=r"weights is fastest: it must converge, .* proved is only λ ≥ 0\.0+; take"):
        fastest(ring(8))


def test_by_name():
    topology = make("star", 8, weights="fastest_nonnegative")
    assert modulus(topology.weights(0)) == pytest.approx(6 / 7, abs=1e-6)
    assert (topology.sums, topology.description["init_args"]) == ("both", {"weights": "fastest_nonnegative"})
