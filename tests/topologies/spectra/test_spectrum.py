"""Figures of topologies against closed forms and published values."""

import json

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import (
    eigenvalues,
    make,
    metropolis,
    ring,
    slem,
    spectrum,
)
from dfedsam.topologies.spectra import extremes


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
    numbers = spectrum(make(graph))
    assert numbers["gap"] == pytest.approx(gap, abs=5e-7)


def test_davis_southern_women():
    numbers = spectrum(make(nx.davis_southern_women_graph()))
    assert (numbers["n"], numbers["edges"]) == (32, 89)
    assert numbers["lambda_min"] == pytest.approx(-0.434, abs=5e-4)
    assert numbers["mu_2"] == pytest.approx(0.932001, abs=5e-7)
    assert numbers["mu_n"] == pytest.approx(16.2578, abs=5e-5)


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
    numbers = spectrum(make("grid", 16))
    assert numbers["gap"] == pytest.approx(0.13136, abs=5e-6)
    graph = make("grid", 16).graph(0)
    same = sp.csr_array(np.eye(16) - nx.laplacian_matrix(graph).toarray() / 5)
    assert 1 - slem(same) == exact(4 / 5 * np.sin(np.pi / 8) ** 2)


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
        ("directed_exponential", 64, 0.714, None),
    ],
)
def test_lambda_and_its_power(name, n, value, fourth):
    numbers = spectrum(make(name, n), steps=4)
    assert numbers["lambda"] == pytest.approx(value, abs=6e-4)
    assert numbers["lambda_q"] == exact(numbers["lambda"] ** 4)
    if fourth is not None:
        assert numbers["lambda_q"] == pytest.approx(fourth, abs=6e-4)


def test_numbers_of_a_torus():
    numbers = spectrum(make("torus", 16), steps=3)
    assert json.loads(json.dumps(numbers)) == numbers
    expected = {
        "n": 16,
        "period": 1,
        "directed": False,
        "sums": "both",
        "biased": False,
        "edges": 32,
        "degree_min": 4,
        "degree_mean": 4,
        "degree_max": 4,
        "diameter": 4,
        "mu_2": exact(2),
        "mu_n": exact(8),
        "degree_round_mean": 4,
        "degree_round_max": 4,
        "vectors_per_round": 3 * 2 * 32,
        "lambda": exact(0.6),
        "gap": exact(0.4),
        "gap_2": exact(0.4),
        "gap_squared": exact(0.64),
        "lambda_2": exact(0.6),
        "lambda_min": exact(-0.6),
        "sigma_2": exact(0.6),
        "rho": exact(0.6),
        "periodic_rate": exact(0.6),
        "contraction": exact(0.36),
        "contraction_stderr": 0,
        "steps": 3,
        "lambda_q": exact(0.216),
        "finite_time": None,
        "mixing_time": 3,
        "rounds_to_1e-6": 10,  # 0.216^9 is still 1.02e-6
        "effective_neighbours": exact(10 / np.mean([10, *[0.36 / (1 - 0.9 * 0.36)] * 5, *[0.04 / (1 - 0.036)] * 10])),
        "approximate": [],
    }
    assert numbers == expected


def test_the_gaps_of_papers_are_apart():
    numbers = spectrum(make("complete_bipartite", 8))  # λ₂ = 1/5, λ_min = -3/5
    assert (numbers["gap"], numbers["gap_2"], numbers["gap_squared"]) == exact((2 / 5, 4 / 5, 16 / 25))


def test_large_graphs_agree_with_closed_forms():
    n = 4096
    W = metropolis(ring(n))
    assert 1 - slem(W) == pytest.approx(4 / 3 * np.sin(np.pi / n) ** 2, rel=1e-8)
    numbers = spectrum(make("torus", n))
    assert numbers["gap"] == pytest.approx(2 / 5 * (1 - np.cos(2 * np.pi / 64)), rel=1e-9)
    assert numbers["lambda_min"] == pytest.approx(-0.6, rel=1e-9)
    assert numbers["mu_2"] == pytest.approx(5 * numbers["gap"], rel=1e-8)
    assert numbers["diameter"] is numbers["mixing_time"] is None
    wave = np.cos(2 * np.pi * np.arange(64) / 64)
    values = ((1 + 2 * wave[:, None] + 2 * wave) / 5).ravel() ** 2
    assert numbers["effective_neighbours"] == pytest.approx(10 / np.mean(values / (1 - 0.9 * values)), rel=0.01)
    assert numbers["approximate"] == ["effective_neighbours"]


@pytest.mark.parametrize(
    "name",
    [
        *("star", "random_regular", "barabasi_albert", "exponential", "path", "complete"),
        *("directed_ring", "directed_exponential", "random_out", "one_peer_exponential", "base", "random_matching"),
    ],
)
def test_sparse_and_dense_numbers_agree(name, monkeypatch):
    topology = make(name, 150, seed=1)
    dense = spectrum(topology)
    monkeypatch.setattr(extremes, "DENSE", 100)
    sparse = spectrum(topology)
    apart = {"diameter", "mixing_time", "approximate", "effective_neighbours", "rounds_to_1e-6"}
    for key in dense.keys() - apart:
        if isinstance(dense[key], float):
            assert sparse[key] == pytest.approx(dense[key], rel=1e-6, abs=1e-7), key
        else:
            assert sparse[key] == dense[key], key
    assert sparse["mixing_time"] is None
    if dense["effective_neighbours"] is not None:
        assert sparse["effective_neighbours"] == pytest.approx(dense["effective_neighbours"], rel=0.02)
    few, bound = dense["rounds_to_1e-6"], sparse["rounds_to_1e-6"]
    assert few == bound if "rounds_to_1e-6" not in sparse["approximate"] else 0.8 * few <= bound <= 1.2 * few + 8


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 40), p=st.floats(0.1, 1), seed=st.integers(0, 1000))
def test_random_graphs_agree_with_numpy_and_networkx(n, p, seed):
    graph = nx.gnp_random_graph(n, p, seed=seed)
    graph.add_edges_from(nx.path_graph(n).edges())
    topology = make(graph)
    numbers = spectrum(topology)
    values = np.linalg.eigvalsh(topology.weights(0).toarray())
    mu = nx.laplacian_spectrum(graph, weight=None)
    assert (numbers["lambda_2"], numbers["lambda_min"]) == exact((values[-2], values[0]))
    assert (numbers["mu_2"], numbers["mu_n"]) == exact((mu[1], mu[-1]))
    assert numbers["diameter"] == nx.diameter(graph)
    assert numbers["edges"] == graph.number_of_edges()
    degrees = [degree for _, degree in graph.degree()]
    assert (numbers["degree_min"], numbers["degree_max"]) == (min(degrees), max(degrees))
    power = np.linalg.matrix_power(topology.weights(0).toarray() - 1 / n, numbers["rounds_to_1e-6"])
    assert np.linalg.norm(power, 2) <= 1.000001e-6


def test_parts_that_never_meet_have_no_gap():
    two = nx.disjoint_union(ring(300), ring(300))
    assert slem(metropolis(two)) == exact(1)
    small = spectrum(make(nx.disjoint_union(ring(3), ring(3))))
    assert small["diameter"] is small["rounds_to_1e-6"] is small["mixing_time"] is None
    assert small["gap"] == exact(0)


def test_many_steps():
    ring_16 = make("ring", 16)
    rate = spectrum(ring_16)["lambda"]
    assert spectrum(ring_16, steps=10**9)["lambda_q"] == exact(rate ** (10**9))
    assert spectrum(make("one_peer_ring", 8), steps=1000)["lambda_q"] == exact(
        spectrum(make("one_peer_ring", 8))["lambda"]
    )
    for name in ("one_peer_exponential", "random_matching", "random_out"):
        with pytest.raises(ValueError, match="steps is 1000000000: it must be at most 1,000 for this schedule"):
            spectrum(make(name, 30, seed=1), steps=10**9)


def test_steps_must_be_whole():
    with pytest.raises(ValueError, match="steps is 0"):
        spectrum(make("ring", 5), steps=0)
