"""CHOCO and DeepSqueeze: the formulas, the mean, the rates, the bytes, and what happens where γ is too large."""

import numpy as np
import pytest

from dfedsam import (
    DPSGD,
    QSGD,
    Choco,
    DeepSqueeze,
    DFedAvg,
    Exact,
    Float16,
    LowRank,
    NoCompression,
    Plain,
    Quadratic,
    RandomK,
    RunError,
    ScaledSign,
    TopK,
    simulate,
    topologies,
)
from dfedsam.communication import SingleProcess
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream

COMPRESSORS = [TopK(), RandomK(fraction=0.3), ScaledSign(), QSGD(), Float16(), LowRank(), NoCompression()]


def key(peers, round=0, step=0):
    return RandomStream(0, "gossip 1", round, step, range(peers))


def distances(gossip, topology, dim, rounds):
    """Ξ = √Σ‖x_i − x̄‖² before, and after each round of nothing but gossip; and how far the mean has moved."""
    n = topology.n
    communicator, x = SingleProcess(n), np.random.default_rng(0).standard_normal((n, dim))
    start, state = x.mean(axis=0), gossip.init(np.zeros_like(x))
    found = [np.linalg.norm(x - x.mean(axis=0))]
    for t in range(rounds):
        x, state = gossip(x, state, Channel(topology.weights(0), communicator, key(n, round=t)))
        found.append(np.linalg.norm(x - x.mean(axis=0)))
    return np.array(found), np.abs(x.mean(axis=0) - start).max()


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
@pytest.mark.parametrize("kind", [Choco, DeepSqueeze])
def test_the_path_is_that_of_the_formulas(kind, compressor):
    topology, gamma, n, dim = topologies.make("ring", 6), 0.2, 6, 12
    W, start = topology.weights(0).toarray(), np.random.default_rng(1).standard_normal(dim)
    gossip = kind(compressor=compressor, gamma=gamma, steps=2)
    communicator, x = SingleProcess(n), np.tile(start, (n, 1))
    state, y = gossip.init(x.copy()), x.copy()
    known, error = y.copy(), np.zeros_like(y)
    for t in range(4):
        moved = 0.1 * np.random.default_rng(t).standard_normal((n, dim))
        x, state = gossip(x + moved, state, Channel(topology.weights(0), communicator, key(n, round=t)))
        y = y + moved
        for step in range(2):
            at = key(n, round=t, step=step)
            z = y - known if kind is Choco else y + error
            c = compressor.decode(compressor.encode(z, at), dim, y.dtype, at)
            known, error = known + c, z - c
            y = y + gamma * (W - np.eye(n)) @ (known if kind is Choco else c)
        np.testing.assert_allclose(x, y, atol=1e-12)


def test_choco_without_compression_is_plain_gossip():
    topology = topologies.make("ring", 6)
    options = {"objective": Quadratic(dim=4), "topology": topology, "rounds": 8, "dtype": "float64"}
    plain = simulate(algorithm=DPSGD(gossip=Plain(steps=3)), **options)
    choco = simulate(algorithm=DPSGD(gossip=Choco(compressor=NoCompression(), gamma=1.0, steps=3)), **options)
    np.testing.assert_allclose(choco["loss"], plain["loss"], rtol=1e-12)
    np.testing.assert_array_equal(choco["bytes"], plain["bytes"])


def test_rate_on_a_ring_of_sixteen():
    found, _ = distances(Choco(gamma=0.3), topologies.make("ring", 16), 200, 300)
    assert (found[-1] / found[150]) ** (2 / 150) == pytest.approx(0.969, abs=1e-3)  # of the squared distance


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
@pytest.mark.parametrize("kind", [Choco, DeepSqueeze])
def test_the_mean_is_kept_and_a_small_gamma_brings_the_peers_together(kind, compressor):
    found, moved = distances(kind(compressor=compressor, gamma=0.05), topologies.make("davis"), 40, 60)
    assert moved < 1e-13
    assert found[-1] < 0.7 * found[0]


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
@pytest.mark.parametrize("name", ["ring", "star"])
def test_the_default_gamma_of_deep_squeeze_brings_the_peers_together(name, compressor):
    found, _ = distances(DeepSqueeze(compressor=compressor), topologies.make(name, 8), 50, 400)
    assert found[-1] < 0.6 * found[0]


def test_every_edge_and_step_counts_the_bytes_of_a_message():
    topology = topologies.make("star", 5)
    for compressor in COMPRESSORS:
        communicator, x = SingleProcess(5), np.zeros((5, 77), np.float32)
        gossip = Choco(compressor=compressor, gamma=0.1, steps=3)
        gossip(x, gossip.init(x), Channel(topology.weights(0), communicator, key(5)))
        assert communicator.messages == 3 * 8
        assert communicator.bytes == 3 * 8 * compressor.width(77, np.float32)


def test_a_gamma_that_diverges_ends_the_run_and_is_named():
    with pytest.raises(RunError, match=r"round \d+, gossip choco, peers? .* gamma is 0.6: choose a smaller one"):
        distances(Choco(gamma=0.6), topologies.make("ring", 16), 50, 2000)
    with pytest.raises(RunError, match=r"gossip deep_squeeze, .* gamma is 1: choose a smaller one, or the"):
        distances(DeepSqueeze(gamma=1.0), topologies.make("ring", 16), 50, 1000)
    rows = {"objective": Quadratic(dim=50), "topology": topologies.make("ring", 8), "rounds": 200}
    with pytest.raises(RunError, match=r"gossip choco, .* gamma is 1.5"):
        simulate(algorithm=DFedAvg(gossip=Choco(gamma=1.5, steps=5)), **rows)


def test_a_peer_that_starts_at_its_optimum_ends_no_healthy_run():
    topology, dim = topologies.make("ring", 6), 20
    gossip, communicator = Choco(gamma=0.2), SingleProcess(6)
    x, targets = np.zeros((6, dim)), np.random.default_rng(0).standard_normal((6, dim))
    targets[2] = 1e-8 * targets[2]
    state = gossip.init(x.copy())
    for t in range(150):
        x, state = gossip(x + 0.1 * (targets - x), state, Channel(topology.weights(0), communicator, key(6, round=t)))
    assert np.isfinite(x).all()


def test_slow_divergence_after_a_rest_ends_the_run():
    """γ as short trials chose it: after 1,500 rounds the peers leave the distance at which they had come to rest."""
    gossip = Choco(compressor=TopK(fraction=0.01), gamma=0.08)
    with pytest.raises(RunError, match=r"round \d+, gossip choco, peers? .* gamma is 0.08: choose a smaller one"):
        distances(gossip, topologies.make("star", 16), 384, 6000)


@pytest.mark.parametrize(("gamma", "apart"), [(0.08, True), (0.01, False)])
def test_peers_that_come_apart_after_a_rest_are_noted_once_long_before_the_run_ends(gamma, apart, caplog):
    found = simulate(
        objective=Quadratic(dim=384, noise=1.0, heterogeneity=0.1),
        topology=topologies.make("star", 16),
        algorithm=DPSGD(
            estimator=Exact(), lr=0.001, gossip=Choco(compressor=TopK(fraction=0.01), steps=4, gamma=gamma)
        ),
        rounds=250,
        evaluate_every=10,
        evaluate_local=False,
    )
    distance = dict(zip(found["round"], found["consensus_distance"], strict=True))
    grown = [
        t for t in range(100, 260, 10) if distance[t] > 10 * max(distance[s] for s in distance if t <= 4 * s <= 2 * t)
    ]
    assert bool(grown) == apart == len(caplog.messages)
    if apart:
        assert (
            f"round {grown[0]}: the peers drift apart: their consensus distance is {distance[grown[0]]:.3g}"
            in caplog.text
        )
        assert "a smaller gamma than 0.08" in caplog.text


def test_what_is_no_number_is_noticed():
    x = np.ones((4, 9), np.float32)
    gossip = Choco(gamma=0.1)
    state = gossip.init(x)
    x[2, 3] = np.nan
    with pytest.raises(RunError, match="peer 2: the rows to send have grown beyond bound"):
        gossip(x, state, Channel(topologies.make("ring", 4).weights(0), SingleProcess(4), key(4)))


def test_choco_converges_where_d_psgd_does():
    """With rates that fall, all peers come to the optimum of the mean."""
    rows = {"objective": Quadratic(dim=30), "topology": topologies.make("ring", 8), "rounds": 300, "dtype": "float64"}
    rows["evaluate_every"] = 300
    options = {"estimator": Exact(), "lr": 0.5, "lr_schedule": "inverse_root"}
    plain = simulate(algorithm=DPSGD(**options), **rows)
    for choco in (Choco(), Choco(compressor=ScaledSign(), gamma=0.5), Choco(compressor=QSGD(), gamma=0.3, steps=2)):
        found = simulate(algorithm=DPSGD(**options, gossip=choco), **rows)
        assert found["error"].iloc[-1] < plain["error"].iloc[0] * 1e-4
        assert found["consensus_distance"].iloc[-1] < 20 * plain["consensus_distance"].iloc[-1]


def test_bad_values_are_named():
    schedule = topologies.Periodic(
        [topologies.metropolis(topologies.ring(4)), topologies.metropolis(topologies.star(4))]
    )
    DeepSqueeze().check(schedule)
    with pytest.raises(ValueError, match=r"gossip is choco: it must have one .* the gossip deep_squeeze, or plain"):
        Choco().check(schedule)
    one_way = topologies.make("directed_ring", 5)
    with pytest.raises(ValueError, match="gossip is choco: it must have one symmetric W"):
        Choco().check(one_way)
    for gamma in (0, -1.0, float("nan"), "best"):
        with pytest.raises(ValueError, match=f"gamma is {gamma}: it must be"):
            Choco(gamma=gamma)
    with pytest.raises(ValueError, match="gamma is 0: it must be"):
        DeepSqueeze(gamma=0)
    with pytest.raises(ValueError, match="steps is 0: it must be a whole number of at least 1"):
        Choco(steps=0)
    with pytest.raises(ValueError, match=r"compressor is qsgd: it must contract rows of length 50, but .* more levels"):
        simulate(
            objective=Quadratic(dim=50),
            topology=topologies.make("ring", 4),
            algorithm=DPSGD(gossip=Choco(compressor=QSGD(levels=1, unbiased=True))),
            rounds=0,
        )
    with pytest.raises(ValueError, match="k is 51: it must be at most the length of x, 50 here"):
        simulate(
            objective=Quadratic(dim=50),
            topology=topologies.make("ring", 4),
            algorithm=DPSGD(gossip=Choco(compressor=TopK(k=51))),
            rounds=0,
        )
