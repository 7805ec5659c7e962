"""Numbers of schedules, of directed matrices, and of W drawn in each round."""

import json

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.topologies import (
    Drawn,
    Periodic,
    make,
    metropolis,
    ring,
    slem,
    spectrum,
    weight_rule,
)


def exact(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@weight_rule(sums="rows")
def uniform(graph):
    """D̃⁻¹(A + I): every peer takes the plain mean of itself and its neighbours."""
    A = nx.to_numpy_array(graph, weight=None) + np.eye(len(graph))
    return sp.csr_array(A / A.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("n", "residual"), [(6, 0.217), (12, 0.209), (16, 0), (33, 0.031)])
def test_numbers_of_a_schedule(n, residual):
    numbers = spectrum(make("one_peer_exponential", n))
    period = (n - 1).bit_length()
    assert (numbers["period"], numbers["directed"]) == (period, True)
    assert numbers["lambda"] == numbers["periodic_rate"]
    assert numbers["lambda"] ** period == pytest.approx(residual, abs=6e-4)
    assert numbers["gap"] == 1 - numbers["lambda"]
    assert numbers["vectors_per_round"] == n
    assert numbers["edges"] == make("directed_exponential", n).graph(0).number_of_edges()
    assert (numbers["degree_max"], numbers["degree_round_max"], numbers["degree_round_mean"]) == (period, 1, 1)
    assert numbers["finite_time"] == (period if residual == 0 else None)
    assert numbers["lambda_2"] is numbers["gap_2"] is numbers["sigma_2"] is None
    assert numbers["approximate"] == []


@pytest.mark.parametrize("n", [8, 24, 64])
def test_static_exponential_graph(n):
    numbers = spectrum(make("directed_exponential", n))
    degree = (n - 1).bit_length()
    assert (numbers["sigma_2"], numbers["rho"], numbers["lambda"]) == exact(((degree - 1) / (degree + 1),) * 3)
    assert numbers["lambda_2"] is None
    assert (numbers["edges"], numbers["degree_mean"]) == (n * degree, degree)


def test_weights_whose_rows_alone_sum_to_one_are_marked_and_have_no_gap():
    """On Davis' graph they look faster than Metropolis weights, but aim at another average."""
    graph = nx.davis_southern_women_graph()
    numbers = spectrum(make(graph, weights=uniform))
    assert (numbers["sums"], numbers["biased"]) == ("rows", True)
    assert numbers["lambda"] == numbers["rho"] == pytest.approx(0.828, abs=5e-4)
    assert numbers["gap"] is numbers["gap_squared"] is numbers["gap_2"] is None
    assert numbers["lambda"] < spectrum(make(graph))["lambda"]


def test_push_sum_has_the_rate_of_its_second_eigenvalue():
    topology = make("random_out", 30, seed=1)
    values = np.sort(np.abs(np.linalg.eigvals(topology.weights(0).toarray())))
    numbers = spectrum(topology, steps=2)
    assert (numbers["sums"], numbers["biased"], numbers["directed"]) == ("columns", False, True)
    assert numbers["lambda"] == numbers["rho"] == exact(values[-2])
    assert numbers["lambda_q"] == exact(values[-2] ** 2)
    assert numbers["gap"] == 1 - numbers["lambda"]
    assert numbers["effective_neighbours"] is None


def test_drawn_rounds_by_their_expected_contraction():
    n = 8
    numbers = spectrum(make("random_matching", n))
    assert json.loads(json.dumps(numbers)) == numbers
    contraction = (n - 2) / (2 * (n - 1))
    assert (numbers["period"], numbers["contraction_stderr"]) == (None, 0)
    assert (numbers["contraction"], 1 - numbers["gap_squared"]) == exact((contraction, contraction))
    assert numbers["lambda"] == exact(np.sqrt(contraction))
    assert numbers["rounds_to_1e-6"] == np.ceil(np.log(1e-12) / np.log(contraction))
    assert (numbers["edges"], numbers["diameter"], numbers["mu_2"]) == (n * (n - 1) // 2, 1, n)
    assert (numbers["degree_round_max"], numbers["vectors_per_round"]) == (1, n)
    assert numbers["approximate"] == ["effective_neighbours"]
    assert numbers["finite_time"] is numbers["mixing_time"] is numbers["periodic_rate"] is None


def test_drawn_rounds_without_a_formula_are_said_to_be_estimates():
    numbers = spectrum(make("random_neighbours", 20), steps=2)
    assert numbers["contraction_stderr"] > 0
    assert {"lambda", "gap", "contraction", "lambda_q", "rounds_to_1e-6"} < set(numbers["approximate"])
    assert numbers["lambda_q"] < numbers["lambda"]


class Half(Drawn):
    """Push-sum where each peer sends in half of the rounds, round a directed ring."""

    sums, directed = "columns", True

    def draw(self, rng):
        sends = rng.random(self.n) < 0.5
        W = np.diag(np.where(sends, 0.5, 1)) + np.roll(np.diag(np.where(sends, 0.5, 0)), 1, axis=0)
        return sp.csr_array(W)


def test_drawn_push_sum_by_the_long_run():
    ring_of_8 = sp.csr_array(np.roll(np.eye(8), 1, axis=0)).astype(bool)
    numbers = spectrum(Half(8, 1, ring_of_8))
    assert numbers["lambda"] == numbers["rho"]
    assert {"lambda", "rho", "gap"} <= set(numbers["approximate"])
    product = np.eye(8)
    for t in range(200):
        product = Half(8, 2, ring_of_8).weights(t).toarray() @ product
    left = np.linalg.norm(product - product.mean(axis=1, keepdims=True))
    assert numbers["lambda"] == pytest.approx(left ** (1 / 200), rel=0.02)
    assert (numbers["edges"], numbers["degree_max"], numbers["diameter"]) == (8, 1, 7)
    assert 0 < numbers["degree_round_mean"] < 1


def test_a_period_too_long_to_look_at_whole_is_sampled():
    W, nothing = metropolis(ring(6)), sp.csr_array(np.eye(6))
    numbers = spectrum(Periodic([W, nothing] * 600))
    assert numbers["period"] == 1200
    assert numbers["periodic_rate"] is None
    mean = (slem(W) ** 2 + 1) / 2
    assert abs(numbers["contraction"] - mean) < 4 * numbers["contraction_stderr"]


def test_a_matrix_that_pushes_peers_apart():
    W = sp.csr_array(np.array([[1.2, -0.2], [-0.2, 1.2]]))
    numbers = spectrum(Periodic([W]))
    assert numbers["lambda"] == exact(1.4)
    assert numbers["effective_neighbours"] is numbers["rounds_to_1e-6"] is numbers["mixing_time"] is None


def test_a_directed_matrix_that_pushes_peers_apart():
    shift = np.roll(np.eye(5), 1, axis=1)
    for matrices in ([3 * np.eye(5) - 2 * shift], [3 * np.eye(5) - 2 * shift, np.eye(5)]):
        numbers = spectrum(Periodic([sp.csr_array(W) for W in matrices], directed=True))
        assert numbers["lambda"] > 1
        assert numbers["effective_neighbours"] is numbers["rounds_to_1e-6"] is numbers["finite_time"] is None


def test_a_directed_matrix_is_refused():
    W = sp.csr_array(np.roll(np.eye(4), 1, axis=1))
    with pytest.raises(ValueError, match="W must be symmetric"):
        slem(W)
