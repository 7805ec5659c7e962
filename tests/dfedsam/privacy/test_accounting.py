"""ε and δ as other accountants give them, and what a graph adds, against published tables."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from dfedsam import make
from dfedsam.errors import OptionError
from dfedsam.privacy import accounting
from dfedsam.privacy.accounting import (
    by_distance,
    correlated_leak,
    epsilon,
    epsilon_of_zcdp,
    noise_for,
    pairwise_losses,
)

DELTA = 1e-5
RELEASES = [  # rate, σ, releases, and ε by Rényi divergences and by privacy loss distributions
    (1.0, 10.0, 100, 4.7285, 4.3772),
    (1.0, 50.0, 1000, 2.8137, 2.5944),
    (0.01, 1.0, 1000, 2.1014, 1.8282),
    (0.1, 2.0, 500, 6.0343, 5.5555),  # dp-accounting, which ends its series early, has 6.0346
]


@pytest.mark.parametrize(("rate", "sigma", "releases", "rdp", "pld"), RELEASES)
def test_epsilon_is_that_of_two_accountants_to_four_digits(rate, sigma, releases, rdp, pld):
    ours = epsilon("gaussian", sigma, releases, DELTA, rate=rate)
    assert ours == pytest.approx(rdp, abs=6e-5)
    theirs = pytest.importorskip("dp_accounting")
    event = theirs.GaussianDpEvent(sigma)
    accountant = theirs.rdp.RdpAccountant()
    accountant.compose(event if rate == 1 else theirs.PoissonSampledDpEvent(rate, event), releases)
    assert ours == pytest.approx(accountant.get_epsilon(DELTA), rel=2e-4)
    if releases == 100:  # the others take long
        assert epsilon("gaussian", sigma, releases, DELTA, rate=rate, accountant="pld") == pytest.approx(pld, abs=1e-4)


def test_divergences_of_a_poisson_sample_are_the_integral_that_defines_them():
    """(α − 1) D = log E[(1 − q + q e^{(2z − 1)/2σ²})^α] for z ~ N(0, σ²), at orders that are whole and that are not."""
    sigma, rate, orders = 2.0, 0.1, np.array([4.0, 4.4, 7.3])

    def density(z, order):
        ratio = 1 - rate + rate * np.exp((2 * z - 1) / (2 * sigma**2))
        return np.exp(order * np.log(ratio) - z**2 / (2 * sigma**2)) / np.sqrt(2 * np.pi * sigma**2)

    moments = [quad(density, -40, 60, args=(order,), limit=400, epsabs=0, epsrel=1e-12)[0] for order in orders]
    found = accounting.rdp_sampled_gaussian(sigma, rate, orders)
    np.testing.assert_allclose(found, np.log(moments) / (orders - 1), rtol=1e-10)


def test_epsilon_of_zero_concentrated_privacy():
    assert epsilon_of_zcdp(100 / (2 * 10**2), DELTA) == pytest.approx(5.2985, abs=1e-4)
    assert epsilon_of_zcdp(1000 / (2 * 50**2), DELTA) == pytest.approx(3.2349, abs=1e-4)


def test_laplace_adds_up_and_sampling_amplifies():
    assert epsilon("laplace", 2.0, 10, DELTA) == pytest.approx(5)
    assert epsilon("laplace", 2.0, 10, DELTA, rate=0.1) == pytest.approx(10 * math.log(1 + 0.1 * (math.exp(0.5) - 1)))
    assert epsilon("gaussian", 2.0, 0, DELTA) == 0


@pytest.mark.parametrize(("budget", "releases", "rate"), [(3.0, 100, 1.0), (0.5, 200, 0.05)])
def test_the_noise_of_a_budget_spends_it(budget, releases, rate):
    def spent(sigma):
        return epsilon("gaussian", sigma, releases, DELTA, rate=rate)

    sigma = noise_for(budget, spent)
    assert spent(sigma) <= budget
    assert spent(sigma) == pytest.approx(budget, rel=1e-4)
    with pytest.raises(OptionError, match="too small for any noise"):
        noise_for(1e-9, lambda sigma: 1 + 1 / sigma)


def test_orders_whose_series_do_not_end_are_left_out():
    orders = np.array([1.1, 2.0, 3.0])
    assert np.isinf(accounting.rdp_sampled_gaussian(10.0, 0.5, orders)[0])
    assert np.isfinite(accounting.rdp_sampled_gaussian(10.0, 0.5, orders)[1:]).all()


@pytest.mark.parametrize(("own", "shared", "local"), [(5.14, 19.14, 14.09), (4.02, 24.98, 14.19), (6.39, 15.27, 14.12)])
def test_correlated_noise_protects_as_published_on_a_ring(own, shared, local):
    leak = correlated_leak(make("ring", 64).weights(0), own, shared).max()
    assert leak**-0.5 == pytest.approx(local, abs=0.006)
    assert leak**-0.5 == pytest.approx((own**4 + 4 * own**2 * shared**2) ** 0.25, rel=1e-4)


@pytest.mark.parametrize(
    ("graph", "steps", "published"),
    [
        ("ring", 5, [2.061, 2.687, 1.052, 0.2077, 0.0215, 0.0009]),
        ("ring", 20, [7.380, 7.508, 4.628, 2.361, 1.092, 0.456, 0.175, 0.068, 0.042]),
        ("hypercube", 5, [1.900, 2.378, 1.053, 0.5155, 0.2066]),
        ("complete", 5, [4 * 15 / 16, 4.75]),
        ("complete", 20, [19 * 15 / 16, 18.8125]),
    ],
)
def test_what_peers_learn_about_each_other_by_distance(graph, steps, published):
    W = make(graph, 16).weights(0)
    found, _ = by_distance(W, pairwise_losses(W, steps))
    np.testing.assert_allclose(found[: len(published)], published, atol=6e-4)
