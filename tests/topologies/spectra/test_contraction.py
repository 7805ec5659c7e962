"""The expected contraction: exact over periods, within its standard error where it is sampled."""

from copy import copy

import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.topologies import Drawn, Periodic, expected_contraction, make
from dfedsam.topologies.spectra import extremes, rounds
from dfedsam.topologies.spectra.rounds import sample_rounds


class Matching(Drawn):
    """A uniform perfect matching in every round; it does not tell its formula, (n - 2)/(2(n - 1))."""

    def draw(self, rng):
        everyone, order = np.arange(self.n), rng.permutation(self.n)
        other = np.empty(self.n, dtype=int)
        other[order] = order.reshape(-1, 2)[:, ::-1].ravel()
        places = np.tile(everyone, 2), np.concatenate([everyone, other])
        return sp.csr_array((np.full(2 * self.n, 0.5), places), shape=(self.n, self.n))


def untold(topology):
    """The same topology, which keeps its formula to itself."""
    other = copy(topology)
    other.contraction = lambda: None
    return other


@pytest.mark.parametrize("n", [4, 30])
def test_sampled_matchings_within_four_standard_errors_of_the_formula(n):
    found = expected_contraction(Matching(n, seed=1))
    assert abs(found.value - (n - 2) / (2 * (n - 1))) < 4 * found.stderr
    assert not found.exact
    assert 0 < found.stderr < 0.03


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("random_matching", {}),
        ("pairwise", {"topology": "star"}),
        ("link_failures", {"topology": "ring", "p": 0.2}),
        ("link_failures", {"topology": "grid", "p": 0.5}),
        ("peer_dropout", {"topology": "torus", "p": 0.3}),
        ("od_equidyn", {"eta": 0.5}),
    ],
)
def test_sampled_figures_within_four_standard_errors_of_exact_ones(name, options):
    topology = make(name, 16, seed=3, **options)
    exact = expected_contraction(topology)
    assert (exact.stderr, exact.exact, exact.value) == (0, True, topology.contraction())
    found = expected_contraction(untold(topology))
    assert abs(found.value - exact.value) < 4 * found.stderr + 1e-12
    assert found.stderr < 0.2 * (1 - exact.value)


def test_the_largest_eigenvalue_of_a_sampled_mean_would_be_too_large():
    """Why the draws are cut in two."""
    n = 30
    matrices = sample_rounds(Matching(n, seed=1)).matrices[:60]
    naive = np.linalg.eigvalsh(sum((W.T @ W).toarray() for W in matrices) / 60 - 1 / n)[-1]
    assert naive > (n - 2) / (2 * (n - 1)) + 8 * expected_contraction(Matching(n, seed=1)).stderr


@pytest.mark.parametrize("name", ["ring", "star", "directed_exponential"])
@pytest.mark.parametrize("steps", [1, 3])
def test_one_matrix_contracts_by_its_norm_squared(name, steps):
    topology = make(name, 12)
    power = np.linalg.matrix_power(topology.weights(0).toarray(), steps)
    found = expected_contraction(topology, steps)
    assert found == (pytest.approx(np.linalg.norm(power - 1 / 12, 2) ** 2), 0, True)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("n", [64, 90])
def test_the_mean_over_a_period_is_exact(n, steps, dense, monkeypatch):
    topology = make("one_peer_exponential", n)
    powers = [np.linalg.matrix_power(topology.weights(t).toarray(), steps) for t in range(topology.period)]
    expected = np.linalg.eigvalsh(sum(W.T @ W for W in powers) / len(powers) - 1 / n)[-1]
    monkeypatch.setattr(extremes, "DENSE", 500 if dense else 50)
    found = expected_contraction(topology, steps)
    assert found == (pytest.approx(expected, rel=1e-6), 0, True)


@pytest.mark.parametrize("steps", [1, 2])
def test_sampled_matchings_of_many_peers(steps, monkeypatch):
    """A matching is a projection: W² = W."""
    monkeypatch.setattr(extremes, "DENSE", 50)
    monkeypatch.setattr(rounds, "ENTRIES", 10_000)
    found = expected_contraction(Matching(200, seed=2), steps)
    assert abs(found.value - 198 / (2 * 199)) < 4 * found.stderr


def test_columns_that_sum_to_one_alone():
    """(I - J) W (I - J) takes the place of W - J."""
    topology = make("random_out", 30, seed=1)
    centre, W = np.eye(30) - 1 / 30, topology.weights(0).toarray()
    assert topology.sums == "columns"
    assert expected_contraction(topology).value == pytest.approx(np.linalg.norm(centre @ W @ centre, 2) ** 2, rel=1e-5)


def test_peers_that_never_meet_contract_by_nothing(monkeypatch):
    halves = np.kron(np.eye(2), np.full((40, 40), 1 / 40))
    topology = Periodic([sp.csr_array(np.eye(80)), sp.csr_array(halves)])
    for limit in (500, 50):
        monkeypatch.setattr(extremes, "DENSE", limit)
        assert expected_contraction(topology).value == pytest.approx(1)
