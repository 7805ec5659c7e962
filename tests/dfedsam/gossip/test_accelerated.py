"""Rates of several gossip steps against their closed forms, on one process; the mean is kept."""

import numpy as np
import pytest

from dfedsam import topologies
from dfedsam.communication import SingleProcess
from dfedsam.gossip import Channel, Chebyshev, FiniteTime, GossipState, Plain, SecondOrder
from dfedsam.random import RandomStream

KEY = RandomStream(0, "gossip", 0, 0, range(1))  # of no use here

GRAPHS = {"ring": 16, "torus": 16, "davis": None, "path": 9, "star": 7}


def made(name):
    import networkx as nx

    if name == "davis":
        return topologies.make(nx.davis_southern_women_graph())
    return topologies.make(name, GRAPHS[name])


def matrix(gossip, topology):
    """P(W): the gossip of the unit vectors."""
    eye = np.eye(topology.n)
    return gossip(eye.copy(), gossip.init(eye), Channel(topology.weights(0), SingleProcess(topology.n), KEY))[0]


def left(gossip, topology):
    """‖P(W) − J‖₂."""
    return np.linalg.norm(matrix(gossip, topology) - 1 / topology.n, 2)


def chebyshev_bound(y, steps):
    return 1 / np.cosh(steps * np.arccosh(y))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("steps", [1, 2, 5, 10])
def test_rates(name, steps):
    topology = made(name)
    W = topology.weights(0).toarray()
    values = np.linalg.eigvalsh(W)
    low, high, lam = values[0], values[-2], max(-values[0], values[-2])
    assert left(Plain(steps=steps), topology) == pytest.approx(lam**steps, rel=1e-6)
    plain = Chebyshev(steps=steps, shifted=False)
    assert left(plain, topology) == pytest.approx(chebyshev_bound(1 / lam, steps), rel=1e-6)
    c = lam / (1 + np.sqrt(1 - lam**2))
    assert left(plain, topology) == pytest.approx(2 * c**steps / (1 + c ** (2 * steps)), rel=1e-6)
    if high - low > 1e-9:
        expected = chebyshev_bound((2 - low - high) / (high - low), steps)
        assert left(Chebyshev(steps=steps), topology) == pytest.approx(expected, rel=1e-6)
    assert left(SecondOrder(steps=steps), topology) <= c**steps * (1 + steps * np.sqrt(1 - lam**2)) * (1 + 1e-9)


@pytest.mark.parametrize(("steps", "rate"), [(5, 0.378), (10, 0.0770)])
def test_ring_of_sixteen(steps, rate):
    assert left(Chebyshev(steps=steps, shifted=False), made("ring")) == pytest.approx(rate, abs=5e-4)


def test_shifted_is_better_where_the_spectrum_leans_to_one_side():
    topology = made("davis")
    assert left(Chebyshev(steps=5), topology) == pytest.approx(0.173, abs=5e-4)
    assert left(Chebyshev(steps=5, shifted=False), topology) == pytest.approx(0.241, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "n", "steps"),
    [("ring", 9, 4), ("hypercube", 16, 4), ("star", 8, 2), ("complete", 6, 1), ("petersen", None, 2)],
)
def test_finite_time_is_exact(name, n, steps):
    topology = topologies.make(name, n)
    communicator = SingleProcess(topology.n)
    x = np.random.default_rng(0).standard_normal((topology.n, 5))
    y, _ = FiniteTime()(x.copy(), GossipState(), Channel(topology.weights(0), communicator, KEY))
    np.testing.assert_allclose(y, np.tile(x.mean(axis=0), (topology.n, 1)), atol=1e-14)
    assert communicator.messages == steps * topology.support().nnz


def test_finite_time_is_refused_with_its_reason():
    with pytest.raises(ValueError, match="W with at most 12 distinct eigenvalues"):
        FiniteTime().check(made("davis"))
    with pytest.raises(ValueError, match="W with at most 12 distinct eigenvalues"):
        FiniteTime().check(topologies.make("ring", 27))
    FiniteTime().check(topologies.make("ring", 25))


ALL = [Plain(steps=3), Chebyshev(), Chebyshev(shifted=False, steps=7), SecondOrder(steps=6), FiniteTime()]


@pytest.mark.parametrize("gossip", ALL, ids=str)
def test_the_mean_is_kept_and_the_multipliers_are_those_of_the_matrix(gossip):
    topology = topologies.make("ring", 12)
    P = matrix(gossip, topology)
    np.testing.assert_allclose(P.sum(axis=0), 1, atol=1e-13)
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-13)
    W = topology.weights(0)
    values, vectors = np.linalg.eigh(W.toarray())
    expected = vectors.T @ P @ vectors
    np.testing.assert_allclose(np.diag(gossip.multipliers(values, W)), expected, atol=1e-12)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("gossip", ALL, ids=str)
def test_the_effective_rate_is_that_of_the_matrix(gossip, name):
    topology = made("ring" if isinstance(gossip, FiniteTime) and name in ("davis", "path") else name)
    steps = gossip.num_steps(topology)
    mixing = gossip.mixing_summary(topology, topologies.spectrum(topology, steps)["lambda_q"])
    assert mixing["lambda_q"] == pytest.approx(left(gossip, topology), rel=1e-6, abs=1e-12)
    assert mixing["plain"] == pytest.approx(left(Plain(steps=steps), topology), rel=1e-6, abs=1e-12)
    communicator = SingleProcess(topology.n)
    gossip(np.eye(topology.n), GossipState(), Channel(topology.weights(0), communicator, KEY))
    assert communicator.messages == steps * topology.support().nnz


@pytest.mark.parametrize("gossip", ALL[1:], ids=str)
def test_one_symmetric_matrix_is_needed(gossip):
    W = [topologies.metropolis(topologies.ring(6)), topologies.metropolis(topologies.star(6))]
    with pytest.raises(ValueError, match="this topology's changes from round to round; choose the gossip plain"):
        gossip.check(topologies.Periodic(W))
    with pytest.raises(
        ValueError,
        match="but this topology is directed; choose the gossip plain",
    ):
        gossip.check(topologies.Periodic(W[:1], directed=True))
    with pytest.raises(ValueError, match=r"but only the columns of this topology's W sum to one; .* push_sum"):
        gossip.check(topologies.make("random_out", 9, seed=0))


def test_one_step_on_the_complete_graph_is_the_mean():
    assert left(Chebyshev(steps=1), topologies.make("complete", 5)) < 1e-14


@pytest.mark.parametrize(
    "gossip", [Plain(), Plain(steps=3), Chebyshev(steps=4), SecondOrder(steps=3), FiniteTime()], ids=repr
)
@pytest.mark.parametrize("name", ["torus", "davis", "star"])
def test_differences_are_what_the_phase_adds_and_vanish_where_peers_agree(gossip, name):
    topology = made(name)
    communicator = SingleProcess(topology.n)
    channel = Channel(topology.weights(0), communicator, KEY)
    x = np.random.default_rng(0).standard_normal((topology.n, 3))
    mixed, _ = gossip(x.copy(), GossipState(), channel)
    sent = communicator.bytes
    difference, _ = gossip.difference(x, GossipState(), channel)
    np.testing.assert_allclose(x + difference, mixed, atol=1e-12)
    assert communicator.bytes == 2 * sent
    single = x.astype(np.float32)
    difference, _ = gossip.difference(single, GossipState(), channel)
    np.testing.assert_allclose(single + difference, mixed, atol=1e-5)
    agreed = np.tile(single[:1], (topology.n, 1))
    difference, _ = gossip.difference(agreed, GossipState(), channel)
    assert np.abs(difference).max() < 1e-13
    assert communicator.bytes == 3 * sent
