"""Teleportation: the rounds of its algorithm 1, and who holds what."""

import numpy as np
import pytest

from dfedsam import ADSGD, DPSGD, Clock, Constant, Daily, Exact, GradientTracking, Quadratic, UniformLinks, simulate
from dfedsam.errors import OptionError
from dfedsam.topologies import make, spectrum, verify
from dfedsam.topologies.schedules.teleportation import Teleportation


def teleportation(n: int, **options) -> Teleportation:
    topology = make("teleportation", n, **options)
    assert isinstance(topology, Teleportation)
    return topology


@pytest.mark.parametrize("inner", ["ring", "one_peer_exponential"])
@pytest.mark.parametrize(("n", "k"), [(5, 2), (12, 4), (6, 6)])
def test_a_round_is_the_small_one_among_its_participants(n, k, inner):
    topology, small = teleportation(n, seed=3, participants=k, topology=inner), make(inner, k)
    verify(topology)
    for t in range(6):
        holders, W, H = topology.holders(t), topology.weights(t).toarray(), topology.handover(t).toarray()
        np.testing.assert_array_equal(W[np.ix_(holders, holders)], small.weights(t).toarray())
        absent = np.setdiff1d(np.arange(n), holders)
        np.testing.assert_array_equal(np.flatnonzero(topology.participants(t)), np.sort(holders))
        np.testing.assert_array_equal(W[absent], np.eye(n)[absent])
        np.testing.assert_array_equal((H @ np.arange(n))[topology.holders(t + 1)], holders)
        others = np.setdiff1d(np.arange(n), topology.holders(t + 1))
        np.testing.assert_array_equal(H[others], np.eye(n)[others])
    assert spectrum(topology)["contraction"] == pytest.approx(spectrum(small)["contraction"])


def test_every_peer_takes_part_equally_often():
    topology = teleportation(10, participants=4)
    times = np.zeros(10)
    for t in range(3000):
        times += np.asarray(topology.participants(t))
    assert np.abs(times / 3000 - 0.4).max() < 5 * np.sqrt(0.24 / 3000)


def test_a_run_is_algorithm_1():
    """k vectors z in places: each descends where it is, mixes with its neighbours, and goes to another peer."""
    n, k, lr, rounds = 10, 4, 0.1, 12
    topology = teleportation(n, seed=5, participants=k)
    objective = Quadratic(dim=3)
    problem = objective.build(n, range(n), 0, "float64")
    W, z = make("ring", k).weights(0).toarray(), np.tile(problem.start(), (k, 1))
    means = [z.mean(axis=0)]
    for t in range(rounds):
        x = np.zeros((n, 3))
        x[topology.holders(t)] = z
        z = W @ (z - lr * problem.gradients(x, np.empty((n, 0)), slice(None))[topology.holders(t)])
        means.append(z.mean(axis=0))
    result = simulate(
        objective=objective, topology=topology, algorithm=DPSGD(lr=lr, estimator=Exact()), rounds=rounds,
        dtype="float64", evaluate_local=False, clock=Clock(compute=Constant(mean=1.0), links=UniformLinks(latency=0.5)),
    )  # fmt: skip
    np.testing.assert_allclose(result.x[topology.holders(rounds)], z, atol=1e-13)
    consensus = np.square(z - means[-1]).sum(axis=1).mean()
    assert result.rows[-1]["consensus_distance"] == pytest.approx(consensus, rel=1e-10)
    losses = problem.evaluate(means[-1][None])["loss"]
    assert result.rows[-1]["loss"] == pytest.approx(losses[0], rel=1e-12)
    moved = sum((topology.handover(t).indices != np.arange(n)).sum() for t in range(rounds))
    assert result.rows[-1]["bytes"] == (2 * k * rounds + moved) * 3 * 8 / n
    assert result.rows[-1]["gradients"] == k * rounds / n
    assert result.rows[-1]["time"] == pytest.approx(2 * rounds, abs=1e-3)  # a step, a message, and the handover


def test_what_x_alone_does_not_carry_is_refused():
    def play(algorithm, **more):
        simulate(objective=Quadratic(dim=3), topology=make("teleportation", 10), algorithm=algorithm, rounds=1, **more)

    with pytest.raises(OptionError, match="not all that gradient_tracking sends; choose dpsgd"):
        play(GradientTracking())
    with pytest.raises(OptionError, match="undirected links, the same at all times"):
        play(ADSGD())
    with pytest.raises(OptionError, match="peers that the clock calls absent"):
        play(DPSGD(), clock=Clock(availability=Daily()))
    with pytest.raises(OptionError, match=r"participants is 11: it must be at most the number of peers \(10\)"):
        make("teleportation", 10, participants=11)
    for name, options in {
        "round_robin": {"topologies": ["ring", "teleportation"]},
        "final_merge": {"topology": "teleportation"},
        "link_failures": {"topology": "teleportation"},
        "teleportation": {"topology": "teleportation"},
    }.items():
        with pytest.raises(OptionError, match=r"teleportation: it must not hand rows over .* within another topology"):
            make(name, 10, **options)
