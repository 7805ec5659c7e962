"""The effective number of neighbours against its formula, and against the random walk that defines it."""

import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.topologies import effective_neighbours, eigenvalues, make, metropolis, ring
from dfedsam.topologies.spectra import extremes, neighbours
from dfedsam.topologies.spectra.neighbours import from_eigenvalues, schedule_neighbours


def exact(value):
    return pytest.approx(value, rel=1e-9)


def test_ring_of_32():
    W = metropolis(ring(32))
    for gamma, value in ((0.5, 3.72), (0.9, 6.63), (0.99, 17.08)):
        assert effective_neighbours(W, gamma) == pytest.approx(value, abs=0.005)


@pytest.mark.parametrize("gamma", [0, 0.5, 0.9])
def test_alone_one_and_with_all_n(gamma):
    alone, all_of_nine = sp.csr_array(np.eye(9)), make("complete", 9).weights(0)
    assert effective_neighbours(alone, gamma) == exact(1)
    assert effective_neighbours(all_of_nine, gamma) == exact(9)
    assert schedule_neighbours([alone], gamma) == exact(1)
    assert schedule_neighbours([all_of_nine], gamma) == exact(9)


def test_gamma_out_of_range():
    with pytest.raises(ValueError, match=r"gamma is 1: .*below 1"):
        effective_neighbours(metropolis(ring(5)), gamma=1)


@pytest.mark.parametrize("gamma", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("name", ["ring", "davis", "star"])
def test_the_walk_comes_to_rest_where_the_eigenvalues_say(name, gamma):
    W = make(name, None if name == "davis" else 20).weights(0)
    assert schedule_neighbours([W], gamma) == exact(effective_neighbours(W, gamma))
    assert schedule_neighbours([W, W, W], gamma) == exact(effective_neighbours(W, gamma))


@pytest.mark.parametrize("gamma", [0.5, 0.9])
def test_a_directed_circulant_by_its_eigenvalues_moduli(gamma):
    W = make("directed_exponential", 24).weights(0)
    squares = np.sort(np.abs(np.linalg.eigvals(W.toarray())))[:-1] ** 2
    assert effective_neighbours(W, gamma) == exact(24 / (1 + (1 - gamma) * np.sum(squares / (1 - gamma * squares))))


def test_a_schedule_by_its_series():
    topology = make("one_peer_exponential", 12)
    matrices, gamma = [topology.weights(t).toarray() for t in range(4)], 0.8
    variance = 0.0
    for t in range(4):  # Σ_j γʲ ‖W_t W_{t-1} … W_{t-j}‖² of the walk that ends with round t
        product = np.eye(12)
        for j in range(150):
            product = product @ matrices[(t - j) % 4]
            variance += gamma**j * np.sum(product**2) / 12 / 4
    assert schedule_neighbours([sp.csr_array(W) for W in matrices], gamma) == exact(1 / (1 - gamma) / variance)


def test_rows_that_sum_to_one_alone():
    A = make("star", 7).weights(0).toarray() > 0
    W = A / A.sum(axis=1, keepdims=True)
    gamma, variance, product = 0.9, 0.0, np.eye(7)
    for j in range(400):
        product = product @ W
        variance += gamma**j * np.sum(product**2) / 7
    assert effective_neighbours(sp.csr_array(W), gamma) == exact(1 / (1 - gamma) / variance)


@pytest.mark.parametrize(
    ("name", "gamma", "error"),
    [
        *((name, 0.9, 1e-2) for name in ("ring", "random_regular", "barabasi_albert", "star", "torus", "grid")),
        *(("ring", gamma, error) for gamma, error in ((0, 1e-9), (0.5, 2e-3), (0.99, 4e-2))),
    ],
)
def test_estimates_of_large_graphs(name, gamma, error, monkeypatch):
    W = make(name, 225, seed=1).weights(0)
    expected = from_eigenvalues(eigenvalues(W), gamma)
    monkeypatch.setattr(extremes, "DENSE", 100)
    assert effective_neighbours(W, gamma) == pytest.approx(expected, rel=error)


def test_one_random_vector_of_very_many_peers(monkeypatch):
    W = make("random_regular", 20_000, seed=1).weights(0)
    many = effective_neighbours(W)
    monkeypatch.setattr(extremes, "LARGE", 1000)
    assert effective_neighbours(W) == pytest.approx(many, rel=5e-3)


def test_the_square_of_w_is_taken_some_rows_at_a_time(monkeypatch):
    W = make("erdos_renyi", 600, seed=1).weights(0)
    whole = effective_neighbours(W)
    monkeypatch.setattr(neighbours, "CHUNK", 1000)
    assert effective_neighbours(W) == exact(whole)


def test_estimates_where_the_square_of_w_is_full(monkeypatch):
    W = make("complete_bipartite", 150).weights(0)
    expected = effective_neighbours(W)
    monkeypatch.setattr(extremes, "DENSE", 100)
    assert effective_neighbours(W) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("name", ["one_peer_exponential", "directed_exponential", "base"])
def test_simulated_walks_of_large_schedules(name, monkeypatch):
    topology = make(name, 150)
    matrices = [topology.weights(t) for t in range(topology.period)]
    expected = schedule_neighbours(matrices)
    monkeypatch.setattr(extremes, "DENSE", 100)
    assert schedule_neighbours(matrices) == pytest.approx(expected, rel=0.02)


def test_just_above_the_limit_it_is_what_it_was_below():
    below, above = (make("torus", n) for n in (500, 525))
    few, many = (effective_neighbours(topology.weights(0)) for topology in (below, above))
    assert many == pytest.approx(few, rel=0.01)
    a, b = 21, 25
    wave = 1 + 2 * np.cos(2 * np.pi * np.arange(a) / a)[:, None] + 2 * np.cos(2 * np.pi * np.arange(b) / b)
    assert many == pytest.approx(from_eigenvalues(np.sort((wave / 5).ravel())[::-1]), rel=0.005)
