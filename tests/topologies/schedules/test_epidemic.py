"""Epidemic Learning: its closed forms, over all draws where there are few, and W's sums."""

from itertools import combinations, product

import numpy as np
import pytest

from dfedsam.topologies import el_local, el_oracle, make, spectrum, verify
from dfedsam.topologies.schedules.randomized import _from_arcs


def factor(matrices):
    """E ‖Wx - x̄‖² / ‖x - x̄‖² for the worst x."""
    n = len(matrices[0])
    return np.linalg.eigvalsh(np.mean([W.T @ W for W in matrices], axis=0) - 1 / n)[-1]


@pytest.mark.parametrize(("n", "degree"), [(2, 1), (3, 1), (3, 2), (4, 2), (5, 1)])
def test_local_contracts_as_its_formula_says_over_all_draws(n, degree):
    choices = [list(combinations([j for j in range(n) if j != i], degree)) for i in range(n)]
    draws = []
    for chosen in product(*choices):
        receivers = np.array([j for peers in chosen for j in peers])
        draws.append(_from_arcs(n, receivers, np.repeat(np.arange(n), degree)).toarray())
    assert factor(draws) == pytest.approx(el_local(n, degree).contraction(), abs=1e-13)
    mean = np.mean(draws, axis=0)
    np.testing.assert_allclose(mean.sum(axis=0), 1, atol=1e-13)  # unbiased in the mean
    np.testing.assert_allclose(mean.sum(axis=1), 1, atol=1e-13)


@pytest.mark.parametrize(("n", "degree"), [(2, 1), (8, 3), (16, 1), (16, 15)])
@pytest.mark.parametrize("name", ["el_oracle", "el_local"])
def test_drawn_rounds_agree_with_the_formula(name, n, degree):
    topology = make(name, n, seed=3, degree=degree)
    verify(topology)
    x = np.random.default_rng(0).standard_normal(n)
    x -= x.mean()
    left = [np.sum((topology.weights(t) @ x) ** 2) / np.sum(x**2) for t in range(2000)]
    assert abs(np.mean(left) - topology.contraction()) <= 5 * np.std(left) / np.sqrt(2000) + 1e-12


def test_oracle_is_regular_and_its_senders_are_uniform():
    topology = el_oracle(12, 3)
    heard = np.zeros((12, 12))
    for t in range(3000):
        W = topology.weights(t).toarray()
        np.testing.assert_allclose(W.sum(axis=0), 1, atol=1e-14)
        np.testing.assert_allclose(W[W != 0], 1 / 4)
        assert ((W != 0).sum(axis=0) == 4).all()
        heard += W != 0
    off = heard[~np.eye(12, dtype=bool)] / 3000
    assert off.min() > 3 / 11 - 0.045
    assert off.max() < 3 / 11 + 0.045  # more than five standard deviations


def test_local_sends_to_as_many_as_it_should():
    topology = el_local(64)
    assert (topology.sums, topology.unbiased_in_mean, topology.directed) == ("rows", True, True)
    for t in range(5):
        W = topology.weights(t).toarray()
        np.testing.assert_array_equal((W != 0).sum(axis=0), 7)  # ⌊log₂ 64⌋ others, and itself
        np.testing.assert_allclose(W.sum(axis=1), 1, atol=1e-14)


def test_spectra():
    oracle, local = spectrum(el_oracle(16, 4)), spectrum(el_local(16, 4))
    assert oracle["contraction"] == pytest.approx((1 - 4 / 15) / 5)
    assert local["contraction"] == pytest.approx((1 - (11 / 15) ** 16) / 4 - 1 / 15)
    for numbers in (oracle, local):
        assert numbers["lambda"] == pytest.approx(float(numbers["contraction"]) ** 0.5)
        assert numbers["gap"] == 1 - numbers["lambda"]
        assert not numbers["biased"]
        assert numbers["vectors_per_round"] == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degree": 8}, r"degree is 8: it must be below the number of peers \(8\)"),
        ({"degree": 0}, "degree is 0: it must be a whole number of at least 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
@pytest.mark.parametrize("name", ["el_oracle", "el_local"])
def test_wrong_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        make(name, 8, **options)
