"""Circulant matrices: their closed forms against numpy and against dense spectra, and what is none."""

import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.topologies import make, spectrum
from dfedsam.topologies.matrices import circulant
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.circulant import Circulant


@pytest.mark.parametrize("n", [2, 12, 13])
def test_eigenvalues_of_a_circulant(n):
    weights = np.random.default_rng(n).dirichlet(np.ones(n))[1:]
    W = circulant(n, np.arange(1, n), weights)
    both = sp.csr_array((W + W.T) / 2)
    one, symmetric = Circulant.of(W), Circulant.of(both)
    assert one is not None
    assert symmetric is not None
    k = np.arange(n)
    np.testing.assert_allclose(
        np.sort(one.squares(k)), np.sort(np.abs(np.linalg.eigvals(W.toarray())) ** 2), atol=1e-14
    )
    mu = np.linalg.eigvalsh(np.eye(n) - both.toarray())
    assert symmetric.laplacian_ends() == pytest.approx((mu[1], mu[-1]), rel=1e-12)


def test_what_is_not_circulant():
    ring = make("ring", 9).weights(0)
    other = ring.copy()
    other.data[10] += 1e-12
    assert Circulant.of(ring) is not None
    assert Circulant.of(other) is None
    for name in ("path", "random_regular", "torus"):
        assert Circulant.of(make(name, 16).weights(0)) is None


@pytest.mark.parametrize(
    ("name", "n"),
    [("ring", 48), ("one_peer_exponential", 64), ("one_peer_exponential", 50), ("directed_exponential", 33)],
)
def test_closed_forms_agree_with_dense_spectra(name, n, monkeypatch):
    topology = make(name, n)
    dense = spectrum(topology)
    monkeypatch.setattr(extremes, "DENSE", 4)
    closed = spectrum(topology)
    for key in ("lambda", "mu_2", "mu_n", "lambda_2", "rho", "periodic_rate", "contraction", "effective_neighbours"):
        if dense[key] is not None:
            assert closed[key] == pytest.approx(dense[key], rel=1e-10, abs=1e-12), key
    assert closed["finite_time"] == dense["finite_time"]
    assert "effective_neighbours" not in closed["approximate"]


def test_the_smallest_gap_has_all_its_digits():
    n = 1_000_003
    ring = Circulant(n, np.array([n - 1, 1]), np.ones(2))
    assert ring.laplacian_ends()[0] == pytest.approx(4 * np.sin(np.pi / n) ** 2, rel=1e-13)
