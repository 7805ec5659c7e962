"""The weights that mix fastest: closed forms, known values, their certificate, cvxpy as an oracle, and what is kept."""

import importlib
import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfedsam import cache
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
from dfedsam.topologies.tidy import tidy
from dfedsam.topologies.weights import certificate
from dfedsam.topologies.weights import fastest as module
from dfedsam.topologies.weights.edges import Edges
from dfedsam.topologies.weights.interior_point import interior_point
from tests.topologies.weights.known import GRAPHS, MODULI, PRINTED, connected_graphs, modulus

RULES = [fastest, fastest_nonnegative]


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path))
    module._kept.cache_clear()
    yield tmp_path
    module._kept.cache_clear()


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


@settings(deadline=None, max_examples=20)
@given(graph=connected_graphs(), nonnegative=st.booleans())
def test_the_duality_gap_closes(graph, nonnegative):
    edges = Edges(tidy(graph))
    w, Z, r = interior_point(edges, nonnegative, 1e-7)
    bound = certificate.lower_bound(edges, Z, r)
    assert certificate.modulus(edges, w) - bound <= 1e-7 * (1 - bound)
    rule = fastest_nonnegative if nonnegative else fastest
    assert bound - 1e-9 <= modulus(rule(graph)) <= modulus(metropolis(graph)) + 1e-9


@settings(deadline=None, max_examples=50)
@given(graph=connected_graphs(), seed=st.integers(0, 2**32))
def test_no_dual_variables_prove_too_much(graph, seed):
    edges, rng = Edges(tidy(graph)), np.random.default_rng(seed)
    Z = rng.standard_normal((edges.n, edges.n))
    Z, r = Z + Z.T, rng.exponential(size=edges.n) * rng.choice([-1, 0.1, 1])
    feasible = rng.random(edges.m) / edges.degrees.max()
    assert certificate.lower_bound(edges, Z, None) <= certificate.modulus(edges, rng.standard_normal(edges.m)) + 1e-12
    assert certificate.lower_bound(edges, Z, r) <= certificate.modulus(edges, feasible) + 1e-12


@pytest.mark.parametrize("name", GRAPHS)
def test_sums_are_exact_and_signs_are_kept(name):
    for rule in RULES:
        W = rule(GRAPHS[name]).toarray()
        np.testing.assert_array_equal(W, W.T)
        np.testing.assert_array_equal(W.sum(axis=0), 1)
        assert rule is fastest or W.min() >= 0


def test_negative_weights_are_what_makes_the_difference():
    for name, graph in GRAPHS.items():
        unsigned = fastest(graph).toarray()
        assert modulus(fastest(graph)) <= modulus(fastest_nonnegative(graph)) + 1e-7, name
    assert unsigned.min() < 0


def test_edges_that_do_not_help_get_no_weight():
    W = fastest_nonnegative(GRAPHS["karate"])
    assert (W.nnz - np.count_nonzero(W.diagonal())) // 2 < GRAPHS["karate"].number_of_edges()
    assert W.data.all()


@pytest.mark.parametrize("name", ["davis", "karate"])
@pytest.mark.parametrize("rule", RULES)
def test_clarabel_agrees(name, rule):
    pytest.importorskip("cvxpy", reason="cvxpy, the extra sdp, is not installed")
    edges = Edges(tidy(GRAPHS[name]))
    solve = importlib.import_module("dfedsam.topologies.weights.fastest_cvxpy").solve
    w, Z, r = solve(rule.__name__, edges, rule is fastest_nonnegative)
    assert certificate.lower_bound(edges, Z, r) == pytest.approx(certificate.modulus(edges, w), abs=1e-6)
    assert modulus(rule(GRAPHS[name])) == pytest.approx(certificate.modulus(edges, w), abs=1e-7)


def test_scs_agrees_on_larger_graphs():
    pytest.importorskip("cvxpy", reason="cvxpy, the extra sdp, is not installed")
    graph = random_regular(50, degree=4, seed=1)
    assert modulus(fastest(graph, solver="cvxpy")) == pytest.approx(modulus(fastest(graph)), abs=1e-5)


def test_results_are_solved_once_and_kept(empty_cache, monkeypatch):
    first = fastest(GRAPHS["davis"])
    (kept,) = (empty_cache / "weights").iterdir()
    monkeypatch.setattr(module, "interior_point", None)  # cannot be called again
    np.testing.assert_array_equal(fastest(GRAPHS["davis"]).data, first.data)
    module._kept.cache_clear()
    np.testing.assert_array_equal(fastest(GRAPHS["davis"]).data, first.data)
    relabelled = nx.relabel_nodes(nx.Graph(reversed(list(ring(6).edges()))), {i: i for i in range(6)})
    monkeypatch.undo()
    monkeypatch.setenv("DFEDSAM_CACHE", str(empty_cache))
    fastest(ring(6))
    fastest(relabelled)
    fastest_nonnegative(ring(6))
    assert len(list((empty_cache / "weights").iterdir())) == 3
    assert kept.exists()


def test_the_same_bits_without_a_cache(empty_cache, monkeypatch):
    first = fastest_nonnegative(GRAPHS["davis"])
    (empty_cache / "file").touch()
    monkeypatch.setenv("DFEDSAM_CACHE", str(empty_cache / "file"))  # no folder: nothing can be kept there
    module._kept.cache_clear()
    np.testing.assert_array_equal(fastest_nonnegative(GRAPHS["davis"]).data, first.data)


@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_damaged_files_are_made_again(content, empty_cache):
    first = fastest(star(6))
    (kept,) = (empty_cache / "weights").iterdir()
    whole = kept.read_bytes()
    if content is None:  # other weights, without proof
        np.save(kept, np.concatenate([[0.0], np.full(5, 0.01)]))
    else:
        kept.write_bytes(content)
    module._kept.cache_clear()
    np.testing.assert_array_equal(fastest(star(6)).data, first.data)
    assert kept.read_bytes() == whole
    assert [file.name for file in (empty_cache / "weights").iterdir()] == [kept.name]


def test_of_several_that_write_at_once_the_first_has_its_way(tmp_path):
    path = tmp_path / "folder" / "file"
    cache.store(path, b"first", replace=False)
    cache.store(path, b"second", replace=False)
    assert path.read_bytes() == b"first"
    cache.store(path, b"third", replace=True)
    assert path.read_bytes() == b"third"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("rule", RULES)
def test_refusals(rule, empty_cache, monkeypatch):
    name = rule.__name__
    apart = nx.disjoint_union(ring(3), ring(4))
    cases = [
        (
            ring(513),
            {},
            f"weights is {name}: it takes at most 512 peers and 2048 edges, and this graph has 513 and 513",
        ),
        (complete(65), {}, "this graph has 65 and 2080; take best_constant or metropolis"),
        (apart, {}, f"weights is {name}: it needs a connected graph, and this one has 2 parts"),
        (ring(4), {"solver": "mosek"}, "solver is mosek: it must be one of interior_point, cvxpy"),
        (nx.DiGraph([(0, 1), (1, 0)]), {}, "graph is directed: it must be undirected"),
    ]
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    cases.append((ring(4), {"solver": "cvxpy"}, r"solver is cvxpy: it must be installed; pip install 'dfedsam\[sdp\]'"))
    for graph, options, message in cases:
        with pytest.raises(ValueError, match=message) as caught:
            rule(graph, **options)
        assert "\n" not in str(caught.value)
    assert not list(empty_cache.iterdir())


def test_too_large_for_cvxpy():
    pytest.importorskip("cvxpy", reason="cvxpy, the extra sdp, is not installed")
    with pytest.raises(ValueError, match="solver is cvxpy: it takes at most 128 peers, and this graph has 129"):
        fastest(ring(129), solver="cvxpy")


def test_a_result_without_proof_is_refused(empty_cache, monkeypatch):
    monkeypatch.setattr(module, "interior_point", lambda edges, *_: (np.full(edges.m, 0.1), np.zeros((8, 8)), None))
    with pytest.raises(ValueError, match=r"solver interior_point did not converge .*λ ≥ 0\.0+\); take solver cvxpy"):
        fastest(ring(8))
    assert not list(empty_cache.iterdir())


def test_hard_graphs_converge():
    for graph in (random_geometric(28, radius=0.4, seed=1), nx.barbell_graph(7, 3), path(40), nx.wheel_graph(16)):
        for rule in RULES:
            rule(graph)  # or it would be refused


def test_by_name_with_options():
    weights = {"class_path": "fastest_nonnegative", "init_args": {"solver": "interior_point"}}
    topology = make("star", 8, weights=weights)
    assert modulus(topology.weights(0)) == pytest.approx(6 / 7, abs=1e-6)
    assert topology.sums == "both"
