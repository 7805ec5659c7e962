"""Norms of products, mixing times and rounds to an error, against plain loops over dense products."""

import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.topologies import Periodic, make
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.contraction import long_run, norm, radius
from dfedsam.topologies.spectra.rounds import finite_time, mixing_time, rounds_to, sample_rounds


def de_bruijn(n):
    """Peer i hears 2i and 2i + 1: for n = 2^k, W^k = J, though W is not symmetric and never changes."""
    W = np.zeros((n, n))
    for i in range(n):
        W[i, 2 * i % n] = W[i, (2 * i + 1) % n] = 0.5
    return Periodic([sp.csr_array(W)], directed=True)


def plainly(topology, done, most=3000):
    """The first round after which the product is done."""
    product = np.eye(topology.n)
    for t in range(most):
        product = topology.weights(t) @ product
        if done(product):
            return t + 1
    return None


SCHEDULES = ["one_peer_exponential", "one_peer_ring", "directed_ring", "directed_exponential", "base", "latency"]
STATIC = ["ring", "star", "complete", "torus", "directed_ring", "directed_exponential"]


@pytest.mark.parametrize("name", [*SCHEDULES, "ring", "star"])
@pytest.mark.parametrize("error", [1e-6, 0.3])
def test_rounds_to_an_error_from_the_worst_start(name, error):
    topology = make(name, 12)
    needed = rounds_to(sample_rounds(topology), error)
    assert needed == plainly(topology, lambda product: np.linalg.norm(product - 1 / 12, 2) <= error)


def test_rounds_with_several_steps_each():
    topology = make("latency", 12)
    doubled = [topology.weights(t) @ topology.weights(t) for t in range(topology.period)]
    assert rounds_to(sample_rounds(topology), 1e-6, steps=2) == rounds_to(sample_rounds(Periodic(doubled)), 1e-6)


@pytest.mark.parametrize("name", [*STATIC, "one_peer_exponential", "one_peer_ring", "latency"])
@pytest.mark.parametrize("n", [9, 16])
def test_mixing_time_in_total_variation(name, n):
    topology = make(name, n)
    far = lambda product: np.abs(product - 1 / n).sum(axis=1).max() / 2  # noqa: E731
    assert mixing_time(sample_rounds(topology)) == plainly(topology, lambda product: far(product) <= 0.25 + 1e-12)


def test_mixing_time_is_bounded_by_the_gap():
    """(1/gap - 1) ln 2 ≤ t_mix ≤ ln(4n)/gap for reversible chains (Levin and Peres 2017, theorems 12.4 and 12.5)."""
    for name in ("ring", "star", "grid", "barbell", "erdos_renyi"):
        topology = make(name, 36, seed=1)
        gap = 1 - radius(sample_rounds(topology).matrices)
        assert (1 / gap - 1) * np.log(2) <= mixing_time(sample_rounds(topology)) <= np.log(4 * 36) / gap


def test_mixing_time_to_a_limit_that_is_not_uniform():
    topology = make("random_out", 12, seed=1)
    W = topology.weights(0).toarray()
    limit = np.linalg.matrix_power(W, 500)[:, 0]
    expected = plainly(topology, lambda product: np.abs(product.T - limit).sum(axis=1).max() <= 0.5)
    assert mixing_time(sample_rounds(topology)) == expected
    turned = Periodic([sp.csr_array(W.T)], directed=True, sums="rows")
    assert mixing_time(sample_rounds(turned)) == expected


def test_what_never_mixes():
    swap = sample_rounds(Periodic([sp.csr_array(np.eye(6)[::-1])]))
    apart = sample_rounds(Periodic([sp.csr_array(np.kron(np.eye(2), np.full((3, 3), 1 / 3)))]))
    for rounds in (swap, apart):
        assert mixing_time(rounds) is None
        assert rounds_to(rounds, 1e-6) is None
        assert (norm(rounds.matrices), radius(rounds.matrices)) == pytest.approx((1, 1))
    negative = sp.csr_array(np.array([[1.2, -0.2], [-0.2, 1.2]]))
    assert mixing_time(sample_rounds(Periodic([negative]))) is None
    assert mixing_time(sample_rounds(make("random_matching", 6))) is None


@pytest.mark.parametrize("n", [2, 8, 64, 2048])
def test_finite_time_of_one_peer_exponential_and_de_bruijn(n):
    k = n.bit_length() - 1
    assert finite_time(sample_rounds(make("one_peer_exponential", n))) == k
    assert finite_time(sample_rounds(de_bruijn(n))) == k
    assert norm(sample_rounds(make("one_peer_exponential", n)).matrices) == 0


@pytest.mark.parametrize(("n", "length"), [(5, 5), (6, 4), (7, 5), (12, 5), (25, 9), (100, 11)])
def test_finite_time_of_base_graphs(n, length):
    assert finite_time(sample_rounds(make("base", n, degree=1))) == length


@pytest.mark.parametrize("name", ["one_peer_exponential", "ring", "erdos_renyi", "random_matching", "one_peer_ring"])
def test_what_only_nears_the_mean_has_no_finite_time(name):
    assert finite_time(sample_rounds(make(name, 18, seed=1))) is None


def test_a_rate_of_a_hundredth_a_round_is_not_an_end():
    W = np.full((30, 30), 1 / 30) + 0.01 * (np.eye(30) - 1 / 30)
    assert finite_time(sample_rounds(Periodic([sp.csr_array(W)]))) is None


@pytest.mark.parametrize("n", [8, 9, 24, 33])
def test_static_exponential_graphs(n):
    """Even n: ρ = σ₂ = (τ - 1)/(τ + 1); odd n: less."""
    W, degree = make("directed_exponential", n).weights(0), (n - 1).bit_length()
    values = np.sort(np.abs(np.linalg.eigvals(W.toarray())))
    sigma, rho = norm([W]), radius([W])
    assert sigma == pytest.approx(np.linalg.svd(W.toarray(), compute_uv=False)[1])
    assert rho == pytest.approx(values[-2])
    if n % 2 == 0:
        assert (sigma, rho) == pytest.approx(((degree - 1) / (degree + 1),) * 2)
    else:
        assert max(sigma, rho) < (degree - 1) / (degree + 1)


@pytest.mark.parametrize("name", ["random_out", *SCHEDULES[:2], "one_peer_grid", "directed_exponential", "base"])
@pytest.mark.parametrize("steps", [1, 2])
def test_sparse_products_agree_with_dense_ones(name, steps, monkeypatch):
    n = 72
    matrices = sample_rounds(make(name, n, seed=2)).matrices
    dense = norm(matrices, steps), radius(matrices, steps)
    monkeypatch.setattr(extremes, "DENSE", 20)
    assert norm(matrices, steps) == pytest.approx(dense[0], rel=1e-6)
    sparse = radius(matrices, steps)
    if dense[1] > 1e-6:  # else it is rounding
        assert sparse == pytest.approx(dense[1], rel=1e-5)


@pytest.mark.parametrize("n", [8, 40, 3000])
def test_a_thin_schedule_by_its_formula(n):
    """Two rounds of matchings round a ring leave cos(2π/n)."""
    assert 1 - norm(sample_rounds(make("one_peer_ring", n)).matrices) == pytest.approx(
        1 - np.cos(2 * np.pi / n), rel=1e-7
    )


def test_the_long_run_of_one_matrix_is_its_second_eigenvalue():
    for topology in (make("random_out", 20, seed=1), make("ring", 9), make(make("star", 6).graph(0))):
        matrices = sample_rounds(topology).matrices * 200
        assert long_run(matrices) == pytest.approx(radius(matrices[:1]), rel=0.01)
    assert long_run(sample_rounds(make("one_peer_exponential", 16)).matrices * 3) == 0
