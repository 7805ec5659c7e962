"""Flooding against its central form: every peer follows the plain mean of all steps, delayed by distance."""

import numpy as np
import pytest

from dfedsam import (
    CentralAverage,
    CoordinateWise,
    DFedADMM,
    DFedAvg,
    DFedSAM,
    Flood,
    GradientTracking,
    OneSided,
    Quadratic,
    TwoPoint,
    simulate,
    topologies,
)
from dfedsam.communication import SingleProcess
from dfedsam.context import QueryCounter, RoundContext
from dfedsam.gossip.channel import Channel, LocalUpdate
from dfedsam.gossip.flood import routes
from dfedsam.random import RandomStream

OBJECTIVE = Quadratic(dim=11, noise=0.1, heterogeneity=1.0)


def local_phase(algorithm, x, problem, context):
    """x after the local steps alone."""
    state = algorithm.init(x.copy(), problem)
    algorithm.local_phase(state, context)
    return state.x


def delayed_central_form(algorithm, topology, rounds, steps):
    """x_i ← x_i + (1/n) Σ_j Δ_j(t − delay_ij), written plainly from the local phases alone."""
    n, communicator = topology.n, SingleProcess(topology.n)
    problem = OBJECTIVE.build(n, communicator.block, 5, np.dtype(np.float64))
    hops = routes(topology.weights(0))[0]
    delays = np.where(hops > 0, np.ceil(hops / steps) - 1, 0).astype(int)
    x, moved = np.zeros((n, 11)), []
    for t in range(rounds):
        key = RandomStream(5, "", t, 0, communicator.block)
        context = RoundContext(
            t, problem, key, QueryCounter.zero(n), communicator, topology.weights(t), lambda x: None, slice(None)
        )
        moved.append(local_phase(algorithm, x, problem, context) - x)
        for i in range(n):
            x[i] += sum(moved[t - delays[i, j]][j] for j in range(n) if t >= delays[i, j]) / n
    return x


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"kind": DFedAvg, "local_steps": 2, "estimator": OneSided(directions=2, distribution="gaussian")},
        {"kind": DFedSAM, "local_steps": 3, "rho": 0.1, "lr_schedule": "inverse_root"},
    ],
    ids=["DFedAvg", "DFedSAM"],
)
def test_is_the_delayed_central_average(options, steps):
    kind = options["kind"]
    more = {key: value for key, value in options.items() if key != "kind"}
    topology = topologies.make("path", 6)
    algorithm = kind(lr=0.05, gossip=Flood(steps=steps), **more)
    result = simulate(objective=OBJECTIVE, topology=topology, algorithm=algorithm, rounds=9, seed=5, dtype="float64")
    expected = delayed_central_form(kind(lr=0.05, **more), topology, 9, steps)
    np.testing.assert_allclose(result.x, expected, atol=1e-12)


def test_once_the_steps_end_all_agree_after_a_diameter_of_rounds():
    topology, n, count = topologies.make("ring", 9), 9, 4
    communicator, gossip, rng = SingleProcess(n), Flood(), np.random.default_rng(0)
    known = rng.standard_normal((6, n, count, 3))
    x, total = np.zeros((n, 3)), np.zeros(3)
    state = gossip.init(x)
    for t in range(4 + 4):  # four rounds of steps, and the diameter
        scalars = rng.standard_normal((n, count)) if t < 4 else np.zeros((n, count))
        if t < 4:
            total += np.einsum("pc,pcd->d", scalars, known[t]) / n
        update = LocalUpdate(x.copy(), scalars, lambda round, peers: known[min(round, 5)][list(peers)])
        key = RandomStream(0, "", t, 0, range(n))
        x, state = gossip(x, state, Channel(topology.weights(0), communicator, key, update))
    np.testing.assert_allclose(x, np.tile(total, (n, 1)), atol=1e-12)


def test_on_the_complete_graph_it_is_the_central_average():
    options = {"objective": OBJECTIVE, "topology": topologies.make("complete", 5), "rounds": 6, "dtype": "float64"}
    flooded = simulate(algorithm=DFedAvg(lr=0.05, gossip=Flood()), **options)
    central = simulate(algorithm=CentralAverage(lr=0.05), **options)
    np.testing.assert_allclose(flooded["loss"], central["loss"], rtol=1e-12)
    assert flooded["consensus_distance"].iloc[-1] < 1e-24


@pytest.mark.parametrize("dim", [10, 10_000])
def test_bytes_do_not_depend_on_the_length_of_x(dim):
    algorithm = DFedAvg(lr=0.01, local_steps=2, estimator=TwoPoint(directions=3), gossip=Flood(steps=2))
    rows = simulate(objective=Quadratic(dim=dim), topology=topologies.make("ring", 6), algorithm=algorithm, rounds=2)
    assert rows["bytes"].iloc[-1] == 2 * 2 * 2 * (6 * 2 * 3) * 4  # rounds, steps, neighbours, scalars, their size


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [
        (
            DFedAvg(estimator=CoordinateWise(), gossip=Flood()),
            "estimator is coordinate_wise: it must combine directions",
        ),
        (
            DFedAvg(momentum=0.5, gossip=Flood()),
            r"momentum is 0\.5: it must be 0 for the gossip flood, which replays plain steps",
        ),
        (DFedADMM(gossip=Flood()), "algorithm is dfedadmm: it must consist of plain local steps"),
        (GradientTracking(gossip=Flood()), "algorithm is gradient_tracking: it must consist of plain local steps"),
    ],
    ids=["estimator", "momentum", "DFedADMM", "GradientTracking"],
)
def test_what_cannot_be_replayed_is_refused(algorithm, message):
    with pytest.raises(ValueError, match=message):
        algorithm.check(topologies.make("ring", 5))


def test_links_must_stay():
    schedule = topologies.Periodic([topologies.metropolis(graph(4)) for graph in (topologies.ring, topologies.star)])
    with pytest.raises(ValueError, match="gossip is flood: it must have the same links in all rounds"):
        Flood().check(schedule)
