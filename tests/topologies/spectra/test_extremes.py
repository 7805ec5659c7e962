"""Outer eigenvalues of sparse Laplacians against closed forms and numpy, on graphs that mix and on thin ones."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import make, matrices
from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.extremes import (
    LARGEST,
    SMALLEST,
    extremal_eigenpairs,
    extreme_eigenvalues,
    fiedler,
    largest,
    second_smallest,
)


def laplacian(graph):
    return sp.csr_array(nx.laplacian_matrix(graph, weight=None).astype(float))


@pytest.mark.parametrize("n", [3000, 20_000])
def test_a_path_where_lanczos_would_crawl(n):
    L = laplacian(nx.path_graph(n))
    low, high = extreme_eigenvalues(lambda: L)
    assert low == pytest.approx(4 * np.sin(np.pi / (2 * n)) ** 2, rel=1e-8)
    assert high == pytest.approx(4 * np.cos(np.pi / (2 * n)) ** 2, rel=1e-6)
    assert (second_smallest(L), largest(L)) == pytest.approx((low, high), rel=1e-6)


def test_a_lattice_whose_largest_eigenvalue_is_far_below_the_rows_sums():
    n, offsets = 3000, np.arange(1, 4)
    L = laplacian(nx.circulant_graph(n, list(offsets)))
    mu = 6 - 2 * np.cos(2 * np.pi * np.outer(np.arange(n), offsets) / n).sum(axis=1)
    assert extreme_eigenvalues(lambda: L) == pytest.approx((np.sort(mu)[1], mu.max()), rel=1e-6)


@pytest.mark.parametrize(
    "graph",
    [
        nx.complete_graph(60),
        nx.star_graph(60),
        nx.hypercube_graph(6),
        nx.petersen_graph(),
        nx.path_graph(2),
        nx.complete_bipartite_graph(5, 30),
    ],
    ids=str,
)
def test_few_distinct_eigenvalues_end_the_search_early(graph):
    L = laplacian(graph)
    mu = np.linalg.eigvalsh(L.toarray())
    assert extreme_eigenvalues(lambda: L) == pytest.approx((mu[1], mu[-1]), rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 60), p=st.floats(0.05, 1), seed=st.integers(0, 1000))
def test_any_graph_agrees_with_numpy_and_networkx(n, p, seed):
    graph = nx.gnp_random_graph(n, p, seed=seed)
    graph.add_edges_from(nx.path_graph(n).edges() if seed % 2 else [(0, 1)])
    L = laplacian(graph)
    mu = np.linalg.eigvalsh(L.toarray())
    low, high = extreme_eigenvalues(lambda: L)
    assert low == pytest.approx(mu[1], rel=1e-6, abs=1e-10)
    assert high == pytest.approx(mu[-1], rel=1e-6)
    if nx.is_connected(graph):
        assert low == pytest.approx(nx.algebraic_connectivity(graph, method="tracemin_lu"), rel=1e-4)


@pytest.mark.parametrize("name", ["random_regular", "erdos_renyi", "grid"])
def test_the_error_of_very_many_peers_is_bounded(name, monkeypatch):
    monkeypatch.setattr(extremes, "LARGE", 100)
    L = laplacian(make(name, 600, seed=2).graph(0))
    mu = np.linalg.eigvalsh(L.toarray())
    assert extreme_eigenvalues(lambda: L) == pytest.approx((mu[1], mu[-1]), rel=2e-5)


def test_float32_products_keep_small_eigenvalues(monkeypatch):
    monkeypatch.setattr(extremes, "LARGE", 100)
    monkeypatch.setattr(matrices, "_CACHED", 150)
    W = make("erdos_renyi", 600, seed=2, p=0.1).weights(0)
    L = sp.csr_array(diagonal(np.ones(600)) - W)
    exact, x = np.linalg.eigvalsh(L.toarray()), np.random.default_rng(0).standard_normal(600)
    short = matrices.blocked_product(L.astype(np.float32))
    np.testing.assert_allclose(short(x), L @ x, atol=1e-6)
    assert np.abs(short(np.ones(600))).max() <= 1e-6
    monkeypatch.setattr(extremes, "_search", None)  # it does without
    assert extreme_eigenvalues(lambda: L) == pytest.approx((exact[1], exact[-1]), rel=2e-5)


@pytest.mark.parametrize("impatient", [False, True])
@pytest.mark.parametrize("name", ["grid", "random_geometric", "ring", "barabasi_albert"])
def test_the_inverse_gives_what_lanczos_gives(name, impatient, monkeypatch):
    if impatient:  # nothing settles: all is left to the factorisation
        monkeypatch.setattr(extremes, "PATIENCE", 1)
        monkeypatch.setattr("dfedsam.topologies.spectra.extremes._is_thin", lambda L: True)
    L = laplacian(make(name, 400, seed=3).graph(0))
    mu = np.linalg.eigvalsh(L.toarray())
    assert extreme_eigenvalues(lambda: L) == pytest.approx((mu[1], mu[-1]), rel=1e-6)
    value, v = fiedler(L)
    assert value == pytest.approx(mu[1], rel=1e-6)
    assert np.linalg.norm(L @ v - mu[1] * v) <= 1e-5 * mu[1]
    assert abs(v.sum()) < 1e-10


def test_very_many_peers_that_never_meet(monkeypatch):
    monkeypatch.setattr(extremes, "LARGE", 10)
    for parts in ([20, 20], [39, 1]):  # with and without an empty row
        L = laplacian(nx.disjoint_union_all([nx.complete_graph(n) for n in parts]))
        assert extreme_eigenvalues(lambda made=L: made) == (0, pytest.approx(max(parts)))


def test_parts_that_never_meet():
    L = laplacian(nx.disjoint_union(nx.cycle_graph(30), nx.complete_graph(20)))
    assert extreme_eigenvalues(lambda: L) == (0, pytest.approx(20))
    value, v = fiedler(L)
    assert value == 0
    assert np.linalg.norm(L @ v) == pytest.approx(0, abs=1e-12)
    assert (np.linalg.norm(v), v.sum()) == pytest.approx((1, 0), abs=1e-12)


def test_an_operator_that_is_nothing():
    found = extremal_eigenpairs(lambda x: 0 * x, 50, (SMALLEST, LARGEST), lambda value: 0.0)
    assert [found[side].value for side in (SMALLEST, LARGEST)] == [0, 0]


def test_what_does_not_settle_says_so(monkeypatch):
    monkeypatch.setattr(extremes, "MOST", 30)
    L = laplacian(nx.path_graph(2000))
    found = extremal_eigenpairs(lambda x: L @ x, 2000, (SMALLEST,), lambda mu: 1e-6 * mu)
    assert not found[SMALLEST].converged
