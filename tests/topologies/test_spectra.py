"""Figures of spectra against closed forms, published values, and a direct simulation."""

import json

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

from topologies import (
    Static,
    Topology,
    effective_neighbours,
    eigenvalues,
    make,
    metropolis,
    ring,
    slem,
    spectra,
    spectrum,
    steady_consensus,
    torus,
)
from topologies.extremes import largest, second_smallest


def exact(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("graph", "gap"),
    [
        (nx.davis_southern_women_graph(), 0.082098),
        (nx.karate_club_graph(), 0.031236),
        (nx.florentine_families_graph(), 0.057441),
        (nx.les_miserables_graph(), 0.007287),
    ],
)
def test_known_social_graphs_whatever_weights_their_edges_carry(graph, gap):
    figures = spectrum(Static(graph))
    assert figures["gap"] == pytest.approx(gap, abs=5e-7)


def test_davis_southern_women():
    figures = spectrum(Static(nx.davis_southern_women_graph()))
    assert (figures["n"], figures["edges"]) == (32, 89)
    assert figures["lambda_min"] == pytest.approx(-0.434, abs=5e-4)
    assert figures["mu_2"] == pytest.approx(0.932001, abs=5e-7)


def test_petersen_and_paley():
    assert slem(metropolis(nx.petersen_graph())) == exact(1 / 2)
    for q in (5, 13, 29):
        assert slem(metropolis(nx.paley_graph(q).to_undirected())) == exact((1 + np.sqrt(q)) / (q + 1))


@pytest.mark.parametrize(("a", "b"), [(2, 3), (4, 4), (3, 7)])
def test_complete_bipartite(a, b):
    m = 1 + max(a, b)
    expected = np.sort(1 - np.array([0] + [a] * (b - 1) + [b] * (a - 1) + [a + b]) / m)
    np.testing.assert_allclose(eigenvalues(metropolis(nx.complete_bipartite_graph(a, b)))[::-1], expected, atol=1e-13)


def test_grid_lies_a_little_above_the_uniform_rule():
    figures = spectrum(make("grid", 16))
    assert figures["gap"] == pytest.approx(0.13136, abs=5e-6)
    graph = make("grid", 16).graph(0)
    uniform = sp.csr_array(np.eye(16) - nx.laplacian_matrix(graph).toarray() / 5)
    assert 1 - slem(uniform) == exact(4 / 5 * np.sin(np.pi / 8) ** 2)


@pytest.mark.parametrize(
    ("name", "n", "value", "fourth"),
    [
        ("ring", 16, 0.949, 0.812),
        ("grid", 16, 0.869, 0.569),
        ("torus", 16, 0.600, 0.130),
        ("complete", 16, 0, 0),
        ("ring", 64, 0.997, None),
        ("grid", 64, 0.968, None),
        ("torus", 64, 0.883, None),
        ("ring", 100, 0.9987, None),
        ("grid", 100, 0.980, None),
        ("torus", 100, 0.924, None),
    ],
)
def test_lambda_and_its_power(name, n, value, fourth):
    figures = spectrum(make(name, n), steps=4)
    assert figures["lambda"] == pytest.approx(value, abs=6e-4)
    assert figures["lambda_q"] == exact(figures["lambda"] ** 4)
    if fourth is not None:
        assert figures["lambda_q"] == pytest.approx(fourth, abs=6e-4)


def test_figures_of_a_torus():
    figures = spectrum(make("torus", 16), steps=3)
    assert json.loads(json.dumps(figures)) == figures
    assert {key: figures[key] for key in ("n", "edges", "degree_min", "degree_mean", "degree_max", "diameter")} == {
        "n": 16,
        "edges": 32,
        "degree_min": 4,
        "degree_mean": 4,
        "degree_max": 4,
        "diameter": 4,
    }
    assert figures["lambda_min"] == exact(-0.6)
    assert figures["mu_2"] == exact(2)
    assert figures["vectors_per_round"] == 3 * 2 * 32
    assert figures["approximate"] == []


def test_effective_neighbours():
    W = metropolis(ring(32))
    for gamma, value in ((0.5, 3.72), (0.9, 6.63), (0.99, 17.08)):
        assert effective_neighbours(W, gamma) == pytest.approx(value, abs=0.005)
    assert effective_neighbours(sp.csr_array(np.eye(9))) == exact(1)
    assert effective_neighbours(make("complete", 9).weights(0)) == exact(9)
    with pytest.raises(ValueError, match=r"gamma is 1: .*below 1"):
        effective_neighbours(W, gamma=1)


def test_large_graphs_agree_with_closed_forms():
    n = 4096
    W = metropolis(ring(n))
    assert 1 - slem(W) == pytest.approx(4 / 3 * np.sin(np.pi / n) ** 2, rel=1e-8)
    figures = spectrum(make("torus", n))
    assert figures["gap"] == pytest.approx(2 / 5 * (1 - np.cos(2 * np.pi / 64)), rel=1e-9)
    assert figures["lambda_min"] == pytest.approx(-0.6, rel=1e-9)
    assert figures["mu_2"] == pytest.approx(5 * figures["gap"], rel=1e-8)
    assert figures["diameter"] is None
    wave = np.cos(2 * np.pi * np.arange(64) / 64)
    values = ((1 + 2 * wave[:, None] + 2 * wave) / 5).ravel() ** 2
    assert figures["effective_neighbours"] == pytest.approx(10 / np.mean(values / (1 - 0.9 * values)), rel=0.01)
    assert figures["approximate"] == ["effective_neighbours"]


@pytest.mark.parametrize("name", ["star", "random_regular", "barabasi_albert", "exponential", "path", "complete"])
def test_sparse_and_dense_figures_agree(name, monkeypatch):
    topology = make(name, 150)
    dense = spectrum(topology)
    monkeypatch.setattr(spectra, "DENSE", 100)
    sparse = spectrum(topology)
    for key in ("lambda", "lambda_2", "lambda_min", "gap", "mu_2"):
        assert sparse[key] == pytest.approx(dense[key], rel=1e-8, abs=1e-10)
    assert sparse["effective_neighbours"] == pytest.approx(dense["effective_neighbours"], rel=0.05)


def test_ends_where_lanczos_would_crawl():
    n = 3000
    L = sp.csr_array(nx.laplacian_matrix(nx.path_graph(n), weight=None).astype(float))
    assert second_smallest(L) == pytest.approx(4 * np.sin(np.pi / (2 * n)) ** 2, rel=1e-7)
    assert largest(L) == pytest.approx(4 * np.cos(np.pi / (2 * n)) ** 2, rel=1e-9)


def test_parts_that_never_meet_have_no_gap():
    two = nx.disjoint_union(ring(300), ring(300))
    assert slem(metropolis(two)) == exact(1)
    small = nx.disjoint_union(ring(3), ring(3))
    assert spectrum(Static(small))["diameter"] is None
    assert spectrum(Static(small))["gap"] == exact(0)


class OnePeer(Topology):
    """One-peer exponential: W_t = (I + P^(2^(t mod τ)))/2 (Ying et al. 2021)."""

    def __init__(self, n):
        self.n, self.period = n, (n - 1).bit_length()

    def weights(self, t):
        return sp.csr_array((np.eye(self.n) + np.roll(np.eye(self.n), 2 ** (t % self.period), axis=1)) / 2)

    def graph(self, t):
        graph = nx.empty_graph(self.n, create_using=nx.DiGraph)
        graph.add_edges_from((i, (i + 2 ** (t % self.period)) % self.n) for i in range(self.n))
        return graph


@pytest.mark.parametrize(("n", "residual"), [(6, 0.217), (12, 0.209), (16, 0), (33, 0.031)])
def test_figures_of_a_schedule(n, residual):
    figures = spectrum(OnePeer(n))
    assert figures["period"] == (n - 1).bit_length()
    assert figures["lambda"] ** figures["period"] == pytest.approx(residual, abs=6e-4)
    assert figures["gap"] == 1 - figures["lambda"]
    assert figures["vectors_per_round"] == n
    assert figures["edges"] == make("exponential", n).graph(0).number_of_edges()
    assert figures["lambda_2"] is figures["effective_neighbours"] is figures["diameter"] is None


def test_a_directed_matrix_is_refused():
    W = sp.csr_array(np.roll(np.eye(4), 1, axis=1))
    with pytest.raises(ValueError, match="W must be symmetric"):
        slem(W)


def exact_distance(W, centres, lr, noise, steps, *, before_gossip):
    """The stationary mean and covariance of the whole process, solved as linear equations: no eigenvectors involved."""
    n, d = centres.shape
    M = np.linalg.matrix_power(W.toarray(), steps)
    centre = np.eye(n) - 1 / n
    transition = (1 - lr) * centre @ M  # of the deviations from the mean, after gossip
    mean = np.linalg.solve(np.eye(n) - transition, lr * centre @ M @ centres)
    kick = lr * noise * centre @ M
    covariance = np.linalg.solve(np.eye(n * n) - np.kron(transition, transition), (kick @ kick.T).ravel()).reshape(n, n)
    if before_gossip:
        mean = (1 - lr) * mean + lr * centre @ centres
        covariance = (1 - lr) ** 2 * covariance + (lr * noise) ** 2 * centre
    return (np.sum(mean**2) + d * np.trace(covariance)) / n


@pytest.mark.parametrize("before_gossip", [False, True])
@pytest.mark.parametrize(("steps", "noise", "lr"), [(1, 0.0, 0.1), (1, 1.0, 0.1), (4, 0.5, 0.7), (2, 0.3, 1.5)])
def test_steady_consensus_is_the_fixed_point_of_the_process(steps, noise, lr, before_gossip):
    W = make("erdos_renyi", 12, seed=1).weights(0)
    centres = np.random.default_rng(0).standard_normal((12, 3))
    expected = exact_distance(W, centres, lr, noise, steps, before_gossip=before_gossip)
    assert steady_consensus(W, centres, lr, noise, steps, before_gossip=before_gossip) == exact(expected)


def test_steady_consensus_against_a_simulation():
    W = metropolis(torus(16))
    rng = np.random.default_rng(1)
    centres, lr, noise = rng.standard_normal((16, 200)), 0.2, 0.8
    x = np.zeros((16, 200))
    distances = []
    for t in range(1500):
        x = W @ (x - lr * (x - centres + noise * rng.standard_normal(x.shape)))
        if t >= 100:
            distances.append(np.sum((x - x.mean(axis=0)) ** 2) / 16)
    assert np.mean(distances) == pytest.approx(steady_consensus(W, centres, lr, noise), rel=0.01)


def test_steady_consensus_refuses():
    W = metropolis(ring(6))
    with pytest.raises(ValueError, match="lr is 2"):
        steady_consensus(W, np.zeros((6, 2)), lr=2)
    with pytest.raises(ValueError, match="steps is 0"):
        steady_consensus(W, np.zeros((6, 2)), lr=0.1, steps=0)
    with pytest.raises(ValueError, match="must be connected"):
        steady_consensus(sp.csr_array(np.eye(3)), np.zeros((3, 2)), lr=0.1)
