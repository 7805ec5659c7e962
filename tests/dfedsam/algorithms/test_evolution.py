"""BBT, FedAvgBBT, FedBPT and GossipCMAES against plain CMA-ES, the package cmaes, and each other."""

from typing import get_args

import cmaes
import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam import BBT, FedAvgBBT, FedBPT, GossipCMAES, Quadratic, simulate, topologies
from dfedsam.checkpoint import load
from dfedsam.communication.single_process import SingleProcess
from dfedsam.gossip import Chebyshev
from dfedsam.random import RandomStream
from dfedsam.zeroth_order import cma

DIM = 9


class Alone(topologies.Topology):
    """One peer: no communicator, so it passes no check of one."""

    n, period, description = 1, 1, {"class_path": "Alone", "init_args": {}}

    def weights(self, t):
        return sp.csr_array([[1.0]])

    def graph(self, t):
        return nx.empty_graph(1)


def state_after(rounds, algorithm, folder, peers=6, **options):
    """The arrays of a run's last checkpoint, and its rows."""
    settings = {"objective": Quadratic(dim=DIM), "topology": topologies.make("complete", peers), "dtype": "float64"}
    result = simulate(**{**settings, **options}, algorithm=algorithm, rounds=rounds, out=folder)
    return load(folder / "checkpoint.safetensors", SingleProcess(result.topology.n))[0], result.rows


def plain(function, population, generations, peer, purpose_round, sigma=0.5, start=None):
    """CMA-ES of one peer with the random numbers of its generations: (mean, shape)."""
    x = np.zeros((1, DIM)) if start is None else start
    shape = cma.start(x, sigma, "full")
    for k in range(generations):
        t, step = purpose_round(k)
        normal = RandomStream(0, "candidates", t, step, range(peer, peer + 1)).normal((population, DIM), x.dtype)
        candidates = cma.ask(x, shape, normal)
        x, shape = cma.tell(x, shape, candidates, function(candidates), cma.parameters(DIM, population))
    return x, shape


def losses_of(peers):
    """Each peer's f_i of candidates (…, dim), as a function (peer, candidates)."""
    optima = Quadratic(dim=DIM).build(peers, range(peers), 0, np.float64).optima
    return lambda i, x: 0.5 * np.square(x - optima[i]).sum(axis=-1)


def test_bbt_is_cma_es_on_the_mean_of_all_peers_losses(tmp_path):
    state, rows = state_after(12, BBT(population=7, sigma=0.5), tmp_path / "a")
    f = losses_of(6)
    x, shape = plain(lambda c: np.mean([f(i, c) for i in range(6)], axis=0), 7, 12, 0, lambda k: (k, 0))
    np.testing.assert_allclose(state["x"], np.repeat(x, 6, axis=0), rtol=1e-9)
    assert rows[-1]["sigma"] == pytest.approx(float(shape.sigma[0]))
    assert rows[-1]["consensus_distance"] < 1e-25


def test_fedavg_bbt_is_the_mean_of_plain_searches_and_gossip_on_a_complete_graph_gives_the_same(tmp_path):
    f = losses_of(6)
    searches = [plain(lambda c, i=i: f(i, c), 5, 4, i, lambda k: (0, k)) for i in range(6)]
    server, _ = state_after(1, FedAvgBBT(generations=4, sigma=0.5), tmp_path / "server")
    gossip, _ = state_after(1, GossipCMAES(generations=4, sigma=0.5), tmp_path / "gossip")
    mean = np.mean([x[0] for x, _ in searches], axis=0)
    for state in (server, gossip):
        np.testing.assert_allclose(state["x"], np.tile(mean, (6, 1)), rtol=1e-9)
    own = np.array([shape.sigma[0] for _, shape in searches])
    np.testing.assert_allclose(server["search.sigma"], own, rtol=1e-9)
    np.testing.assert_allclose(gossip["search.sigma"], np.exp(np.log(own).mean()), rtol=1e-9)
    covariance = np.mean([shape.covariance[0] for _, shape in searches], axis=0)
    np.testing.assert_allclose(gossip["search.covariance"], np.tile(covariance, (6, 1, 1)), atol=1e-12)
    basis = gossip["search.basis"] * gossip["search.scales"][:, None]
    np.testing.assert_allclose(basis @ basis.swapaxes(1, 2), gossip["search.covariance"], atol=1e-12)


def test_fedbpt_tells_a_server_what_the_peers_found(tmp_path):
    """One round, with the server's part played by the package cmaes."""
    f = losses_of(6)
    state, rows = state_after(1, FedBPT(generations=4, sigma=0.5), tmp_path / "a")
    means, sigmas = [], []
    for i in range(6):
        means.append(plain(lambda c, i=i: f(i, c), 5, 4, i, lambda k: (0, k))[0][0])
        played = [plain(lambda c, i=i: f(i, c), 5, k, i, lambda k: (0, k))[1].sigma[0] for k in range(4)]
        sigmas.append(played)
    losses = np.array([f(i, x) for i, x in enumerate(means)])
    best = np.argsort(losses)[:3]
    corrected = 2 * np.sqrt(np.sum(np.square(np.array(sigmas)[best])) / (3 * 5))
    server = cmaes.CMA(mean=np.zeros(DIM), sigma=corrected, population_size=6)
    server.tell(list(zip(means, losses, strict=True)))
    np.testing.assert_allclose(state["x"], np.tile(server.mean, (6, 1)), rtol=1e-9)
    np.testing.assert_allclose(state["search.covariance"], np.tile(server._C, (6, 1, 1)), atol=1e-10)
    assert rows[-1]["sigma"] == pytest.approx(0.5 * server._sigma / corrected)


@pytest.fixture
def alone(monkeypatch):
    monkeypatch.setattr("dfedsam.experiment.verify", lambda topology: None)
    monkeypatch.setattr(topologies, "spectrum", lambda topology, *more: {})
    return Alone()


def test_fedbpt_with_one_peer_is_plain_cma_es_for_a_round_and_goes_on_to_the_minimum(alone, tmp_path):
    f = losses_of(1)
    algorithm = FedBPT(generations=6, sigma=0.5, population=8)
    state, _ = state_after(1, algorithm, tmp_path / "a", topology=alone)
    x, _ = plain(lambda c: f(0, c), 8, 6, 0, lambda k: (0, k))
    np.testing.assert_allclose(state["x"], x, rtol=1e-9)
    _, rows = state_after(30, algorithm, tmp_path / "b", topology=alone)
    x, _ = plain(lambda c: f(0, c), 8, 180, 0, lambda k: divmod(k, 6))
    assert f(0, x) < rows[-1]["loss"] < 1e-3  # its σ moves once in six generations, so it is slower
    assert rows[-1]["loss"] < 0.01 * rows[10]["loss"]


def test_gossip_keeps_step_sizes_and_covariances_above_zero(tmp_path):
    topology = topologies.make("ring", 12)
    for covariance in get_args(cma.Covariance):
        algorithm = GossipCMAES(generations=2, sigma=0.5, covariance=covariance, gossip=Chebyshev(steps=3))
        state, rows = state_after(40, algorithm, tmp_path / covariance, topology=topology)
        assert (state["search.sigma"] > 0).all()
        assert rows[-1]["loss"] < rows[0]["loss"]
