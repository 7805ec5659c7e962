"""What an algorithm needs of its gossip and of W is declared: a combination is sound, said, or refused."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from dfedsam import (
    D2,
    NIDS,
    SGP,
    BlockQuantizer,
    Chebyshev,
    Choco,
    DecentLaM,
    DeepSqueeze,
    DFedAdam,
    DFedADMM,
    DFedAvg,
    DFedAvgM,
    DFedCata,
    DFedSAM,
    Exact,
    Extra,
    FiniteTime,
    GossipCMAES,
    GradientTracking,
    MomentumTracking,
    OledFL,
    OptionError,
    Plain,
    PushSum,
    QGDSGDm,
    Quadratic,
    SecondOrder,
    WangElia,
    make,
    simulate,
)
from dfedsam.callbacks.base import Callback
from dfedsam.context import RoundContext

SLOW = {"estimator": Exact(), "lr": 0.01}
ALGORITHMS = {
    "sgp": SGP(**SLOW),
    "dfedavg": DFedAvg(**SLOW),
    "dfedavgm": DFedAvgM(**SLOW | {"lr": 0.001}),
    "dfedsam": DFedSAM(**SLOW, rho=0.01),
    "oledfl": OledFL(**SLOW),
    "dfedadmm": DFedADMM(**SLOW, penalty=0.1),
    "dfedcata": DFedCata(**SLOW, local_steps=2),
    "gradient_tracking": GradientTracking(**SLOW),
    "momentum_tracking": MomentumTracking(**SLOW, momentum=0.5),
    "qg_dsgdm": QGDSGDm(**SLOW, momentum=0.5),
    "decentlam": DecentLaM(**SLOW, momentum=0.5),
    "dfedadam": DFedAdam(estimator=Exact(), lr=0.001),
    "d2": D2(**SLOW),
    "extra": Extra(**SLOW),
    "nids": NIDS(**SLOW),
    "wang_elia": WangElia(**SLOW),
    "gossip_cmaes": GossipCMAES(sigma=0.3, generations=1, covariance="diagonal"),
    "gossip_cmaes, full": GossipCMAES(sigma=0.3, generations=1),
}
GOSSIPS = {
    "plain": Plain(steps=2),
    "chebyshev": Chebyshev(steps=2),
    "second_order": SecondOrder(steps=2),
    "finite_time": FiniteTime(),
    "push_sum": PushSum(),
    "choco": Choco(compressor=BlockQuantizer(), gamma=0.2),
    "deep_squeeze": DeepSqueeze(compressor=BlockQuantizer(), gamma=0.1),
}


def unbalanced():
    """A directed ring in which all others also send to peer 0: the smallest of push-sum's weights is 0.02."""
    return make(nx.DiGraph([(i, (i + 1) % 8) for i in range(8)] + [(i, 0) for i in range(2, 7)]), weights="out_degree")


def with_gossip(algorithm, gossip):
    return replace(algorithm, gossip=gossip)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_push_sum_on_unbalanced_weights_stays_bounded_or_is_refused(name):
    algorithm, topology = with_gossip(ALGORITHMS[name], PushSum()), unbalanced()
    if name in ("oledfl", "dfedcata", "qg_dsgdm", "decentlam", "d2", "extra", "nids", "wang_elia") or "cmaes" in name:
        with pytest.raises(OptionError):
            algorithm.check(topology)
        return
    objective = Quadratic(dim=3, condition=4.0, heterogeneity=1.0)
    x = simulate(
        objective=objective, topology=topology, algorithm=algorithm, rounds=2000, dtype="float64", evaluate_every=2000
    ).x
    optimum = objective.build(8, range(8), 0, np.float64).optimum
    assert np.linalg.norm(x.mean(axis=0) - optimum) < 0.15
    assert np.abs(x).max() < 10


@pytest.mark.parametrize("gossip", GOSSIPS)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_on_one_symmetric_matrix_all_run_but_what_averages_full_covariances_otherwise(name, gossip):
    topology, algorithm = make("hypercube", 8), with_gossip(ALGORITHMS[name], GOSSIPS[gossip])
    if name == "gossip_cmaes, full" and gossip in ("push_sum", "choco", "deep_squeeze"):
        with pytest.raises(OptionError, match=r"covariance is full: .* choose covariance diagonal"):
            algorithm.check(topology)
        return
    if name in ("d2", "extra", "nids", "wang_elia", "decentlam") and gossip in ("choco", "deep_squeeze"):
        with pytest.raises(OptionError, match=f"algorithm.gossip is {gossip}: it must send uncompressed rows"):
            algorithm.check(topology)
        return
    options = {"objective": Quadratic(dim=3), "topology": topology, "dtype": "float64", "evaluate_every": 150}
    rows = simulate(**options, algorithm=algorithm, rounds=150).rows
    assert rows[-1]["loss"] < 2 * rows[0]["loss"]
    note = algorithm.note(topology) or ""
    covered = {
        "push_sum": ("sgp", "dfedavg", "dfedavgm", "dfedsam", "gradient_tracking"),
        "choco": ("sgp", "dfedavg", "dfedavgm"),
        "deep_squeeze": ("sgp", "dfedavg", "dfedavgm"),
    }
    said = f"theory does not cover {name.partition(',')[0]} with the gossip {gossip}" in note
    assert said == (gossip in covered and name not in covered[gossip])


@pytest.mark.parametrize("gossip", [Chebyshev(steps=3), SecondOrder(steps=3), FiniteTime()], ids=repr)
def test_full_covariances_stay_positive_under_polynomials_with_negative_weights(gossip):
    smallest = []

    class Covariances(Callback):
        def after_round(self, run):
            smallest.append(np.linalg.eigvalsh(run.state.search.covariance).min())

    algorithm = GossipCMAES(sigma=0.5, generations=2, gossip=gossip)
    options = {"objective": Quadratic(dim=2, condition=10.0), "topology": make("ring", 6), "callbacks": [Covariances()]}
    simulate(**options, algorithm=algorithm, rounds=40, dtype="float64")
    assert min(smallest) > 0


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_distance_before_gossip_is_that_of_what_enters_the_gossip_of_x(name, monkeypatch):
    entered, opened = [], RoundContext.channel

    def channel(self, x=None, update=None):
        if x is not None:
            entered.append(((x - x.mean(axis=0)) ** 2).sum(axis=1).mean())
        return opened(self, x, update)

    monkeypatch.setattr(RoundContext, "channel", channel)
    algorithm = with_gossip(ALGORITHMS[name], Plain())
    options = {"objective": Quadratic(dim=3), "topology": make("hypercube", 8), "rounds": 3, "dtype": "float64"}
    result = simulate(**options, algorithm=algorithm)
    assert len(entered) == 3
    np.testing.assert_allclose(result["consensus_distance_before_gossip"][1:], entered, rtol=1e-9, atol=1e-30)
    assert algorithm.mixes


def test_the_distance_before_gossip_of_dfedadam_is_that_of_x():
    objective, topology = Quadratic(dim=5, heterogeneity=3.0), make("ring", 8)
    optima, W = objective.build(8, range(8), 0, np.float64).optima, topology.weights(0).toarray()
    x, m, v, expected = np.zeros((8, 5)), np.zeros((8, 5)), np.zeros((8, 5)), []
    for t in range(1, 6):
        m = W @ (0.9 * m + 0.1 * (x - optima))
        first = m / (1 - 0.9**t)
        v = 0.99 * v + 0.01 * first**2
        moved = x - 0.01 * first / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
        expected.append(((moved - moved.mean(axis=0)) ** 2).sum(axis=1).mean())
        x = W @ moved
    algorithm = DFedAdam(estimator=Exact(), lr=0.01)
    result = simulate(objective=objective, topology=topology, algorithm=algorithm, rounds=5, dtype="float64")
    np.testing.assert_allclose(result["consensus_distance_before_gossip"][1:], expected, rtol=1e-9)
