"""Gaps of graphs with Metropolis weights, against closed forms and published values."""

from math import comb

import networkx as nx
import numpy as np
import pytest

from dfedsam.topologies import (
    circulant,
    davis,
    eigenvalues,
    karate,
    les_miserables,
    make,
    margulis,
    metropolis,
    paley,
    random_regular,
    slem,
    spectrum,
    two_cliques,
)
from dfedsam.topologies.graph import adjacency_matrix
from dfedsam.topologies.graphs.expanders import margulis_weights


def gap(name, n, **options):
    return 1 - slem(make(name, n, **options).weights(0))


def exact(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n", [4, 5, 16, 33, 100, 256])
def test_ring_path_star_complete(n):
    assert gap("ring", n) == exact(4 / 3 * np.sin(np.pi / n) ** 2)
    assert gap("path", n) == exact(4 / 3 * np.sin(np.pi / (2 * n)) ** 2)
    assert gap("star", n) == exact(1 / n)
    assert gap("complete", n) == exact(1)


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (3, 7), (4, 4), (10, 10), (8, 5)])
def test_torus(rows, columns):
    expected = 2 / 5 * (1 - np.cos(2 * np.pi / max(rows, columns)))
    assert gap("torus", rows * columns, rows=rows) == exact(expected)


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (4, 4), (5, 8)])
def test_grid(rows, columns):
    graph = make("grid", rows * columns, rows=rows).graph(0)
    fifth = np.eye(len(graph)) - nx.laplacian_matrix(graph).toarray() / 5
    closed = 4 / 5 * np.sin(np.pi / (2 * max(rows, columns))) ** 2
    assert 1 - np.linalg.eigvalsh(fifth)[-2] == exact(closed)
    assert gap("grid", rows * columns, rows=rows) > closed  # Metropolis weights do better at the rim


def test_grid_of_16():
    assert gap("grid", 16) == pytest.approx(0.13136, abs=5e-6)


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_hypercube(k):
    W = make("hypercube", 2**k).weights(0)
    expected = [1 - 2 * j / (k + 1) for j in range(k + 1) for _ in range(comb(k, j))]
    np.testing.assert_allclose(eigenvalues(W), expected, atol=1e-13)
    assert gap("hypercube", 2**k) == exact(2 / (k + 1) if k > 1 else 1)


def circulant_eigenvalues(n, offsets):
    """Those of (I + A)/(d + 1), where s runs over all ±offsets, falling."""
    s = np.array(sorted({o % n for offset in offsets for o in (offset, -offset)}))
    k = np.arange(n)
    return np.sort((1 + np.cos(2 * np.pi * np.outer(k, s) / n).sum(axis=1)) / (len(s) + 1))[::-1]


@pytest.mark.parametrize("n", [5, 12, 16, 33, 64])
def test_exponential_graph_is_a_circulant(n):
    offsets = [2**j for j in range((n - 1).bit_length())]
    values = eigenvalues(make("exponential", n).weights(0))
    np.testing.assert_allclose(values, circulant_eigenvalues(n, offsets), atol=1e-13)


@pytest.mark.parametrize(("n", "offsets"), [(12, [1, 6]), (16, [3, 4]), (17, [2, 5, 8]), (9, [3, 1, 10]), (10, [-3])])
def test_circulant(n, offsets):
    values = eigenvalues(metropolis(circulant(n, offsets)))
    np.testing.assert_allclose(values, circulant_eigenvalues(n, offsets), atol=1e-13)


@pytest.mark.parametrize(("n", "k"), [(16, 4), (33, 6), (40, 2), (9, 8)])
def test_ring_lattice(n, k):
    expected = np.sin((k + 1) * np.pi / n) / ((k + 1) * np.sin(np.pi / n))
    for name, options in (("ring_lattice", {}), ("watts_strogatz", {"p": 0})):
        W = make(name, n, neighbours=k, **options).weights(0)
        assert eigenvalues(W)[1] == exact(expected)
    assert gap("ring_lattice", n, neighbours=2) == exact(gap("ring", n))


@pytest.mark.parametrize(("n", "chord"), [(16, None), (6, 3), (64, 9), (30, 7), (30, 27)])
def test_chordal_ring(n, chord):
    graph = make("chordal_ring", n, chord=chord).graph(0)
    chord = chord or 5
    omega = np.exp(2j * np.pi / (n // 2))
    modes = [abs(1 + omega**k + omega ** (k * (chord + 1) // 2)) for k in range(n // 2)]
    expected = np.sort([(1 + sign * mode) / 4 for mode in modes for sign in (1, -1)])[::-1]
    np.testing.assert_allclose(eigenvalues(metropolis(graph)), expected, atol=1e-13)
    assert {degree for _, degree in graph.degree()} == {3}


@pytest.mark.parametrize(("n", "left"), [(16, None), (9, 2), (9, 8), (5, 1), (12, 6)])
def test_complete_bipartite(n, left):
    a = left or n // 2
    b, m = n - a, 1 + max(a, n - a)
    expected = np.sort([1, 1 - n / m, *[1 - a / m] * (b - 1), *[1 - b / m] * (a - 1)])[::-1]
    np.testing.assert_allclose(eigenvalues(make("complete_bipartite", n, left=left).weights(0)), expected, atol=1e-13)


@pytest.mark.parametrize("q", [5, 9, 13, 17, 25, 29, 49, 81, 121, 125])
def test_paley(q):
    graph = paley(q)
    assert slem(metropolis(graph)) == exact((1 + np.sqrt(q)) / (q + 1))
    A = adjacency_matrix(graph).toarray()
    strongly_regular = (q - 1) / 4 * (np.eye(q) + np.ones((q, q))) - A  # neighbours in common: one less for neighbours
    np.testing.assert_array_equal(A @ A, strongly_regular)


def test_paley_of_a_prime_is_networkxs():
    assert nx.utils.edges_equal(paley(13).edges(), nx.Graph(nx.paley_graph(13)).edges())


def test_petersen():
    W = make("petersen").weights(0)
    assert slem(W) == exact(1 / 2)
    np.testing.assert_allclose(eigenvalues(W), [1, *[1 / 2] * 5, *[-1 / 4] * 4], atol=1e-13)
    assert nx.is_isomorphic(make("petersen", 10).graph(0), nx.petersen_graph())


@pytest.mark.parametrize("m", [2, 3, 4, 5, 8, 11])
def test_margulis_with_and_without_its_parallel_edges(m):
    multigraph = nx.margulis_gabber_galil_graph(m)
    A = np.zeros((m * m, m * m))
    for (a, b), (c, d) in multigraph.edges():  # a self-loop counts twice, as it has two ends
        A[a * m + b, c * m + d] += 1
        A[c * m + d, a * m + b] += 1
    graph = margulis(m * m)
    np.testing.assert_array_equal(adjacency_matrix(graph).toarray(), (A - np.diag(np.diag(A)) > 0))
    W = margulis_weights(graph)
    np.testing.assert_array_equal(W.toarray(), A / 8)
    assert eigenvalues(W)[1] <= 5 * np.sqrt(2) / 8
    assert slem(metropolis(graph)) <= 1 - (8 - 5 * np.sqrt(2)) / 18
    assert (A.sum(axis=0) == 8).all()
    topology = make("margulis", m * m, weights="dfedsam.topologies.graphs.expanders.margulis_weights")
    np.testing.assert_array_equal(topology.weights(0).toarray(), A / 8)


def test_margulis_weights_are_of_no_other_graph():
    for name, n in (("ring", 9), ("torus", 16), ("ring", 10)):
        with pytest.raises(ValueError, match=r"weights is margulis_weights: it must be used on .* margulis alone"):
            make(name, n, weights="dfedsam.topologies.graphs.expanders.margulis_weights")


@pytest.mark.parametrize("m", [2, 3, 5, 8])
def test_two_cliques(m):
    for bridges in range(1, m + 1):
        expected = (m + 2 - np.sqrt((m + 2) ** 2 - 8 * bridges)) / (2 * (m + 1))
        assert 1 - slem(metropolis(two_cliques(2 * m, bridges))) == exact(expected)
    assert gap("two_cliques", 2 * m) == exact(gap("barbell", 2 * m, between=0))


def test_random_regular_graphs_are_friedmans():
    gaps = [gap("random_regular", 256, seed=seed) for seed in range(5)]
    assert np.mean(gaps) == pytest.approx(1 - (1 + 2 * np.sqrt(3)) / 5, rel=0.15)
    degrees = {degree for _, degree in random_regular(64, degree=5).degree()}
    assert degrees == {5}


@pytest.mark.parametrize(
    ("name", "peers", "edges", "expected"),
    [
        ("davis", 32, 89, 0.082098),
        ("karate", 34, 78, 0.031236),
        ("florentine", 15, 20, 0.057441),
        ("les_miserables", 77, 254, 0.007287),
    ],
)
def test_real_networks(name, peers, edges, expected):
    topology = make(name, peers)
    figures = spectrum(topology)
    assert (figures["n"], figures["edges"]) == (peers, edges)
    assert figures["gap"] == pytest.approx(expected, abs=6e-7)


def test_davis_in_full():
    figures = spectrum(make("davis"))
    assert figures["lambda_min"] == pytest.approx(-0.434, abs=5e-4)
    assert figures["mu_2"] == pytest.approx(0.932001, abs=5e-7)
    laplacian = nx.laplacian_matrix(davis()).toarray()
    assert np.linalg.eigvalsh(laplacian)[-1] == pytest.approx(16.2578, abs=5e-5)
    assert all((u < 18) != (v < 18) for u, v in davis().edges())
    assert davis().nodes[0]["label"] == "Evelyn Jefferson"


@pytest.mark.parametrize("graph", [karate(), les_miserables()])
def test_strengths_of_ties_are_dropped(graph):
    assert nx.algebraic_connectivity(graph) == pytest.approx(nx.algebraic_connectivity(graph, weight=None))
    assert not any(data for _, _, data in graph.edges(data=True))


@pytest.mark.parametrize(
    ("n", "figures"),
    [
        (16, {"ring": 0.949, "grid": 0.869, "torus": 0.600, "exponential": 0.500, "complete": 0}),
        (64, {"ring": 0.997, "grid": 0.968, "torus": 0.883, "exponential": 0.667}),
        (100, {"ring": 0.9987, "grid": 0.980, "torus": 0.924, "exponential": 0.733}),
    ],
)
def test_published_lambdas(n, figures):
    for name, value in figures.items():
        assert slem(make(name, n).weights(0)) == pytest.approx(value, abs=1e-3 if value < 0.998 else 1e-4)
