"""Every algorithm counts what it asks and sends, resumes bit for bit, and reaches nobody whom no path joins."""

import json

import networkx as nx
import numpy as np
import pytest

from dfedsam import (
    ADMM,
    BBT,
    DPSGD,
    GTHSGD,
    KGT,
    SSDA,
    DFedAdam,
    DFedAvg,
    DFedAvgM,
    DFedSAM,
    DiLoCo,
    Experiment,
    FedBBPT,
    FedBPT,
    FiniteTime,
    Flood,
    GossipCMAES,
    GradientTracking,
    Lead,
    LocalOnly,
    LogisticRegression,
    NetworkDANE,
    Plain,
    ProxSkip,
    PushSum,
    Quadratic,
    WangElia,
    run,
    simulate,
    topologies,
)
from dfedsam.gossip.compressed import Compressed
from dfedsam.random import RandomStream
from tests.dfedsam.contract_cases import ALGORITHMS, label
from tests.results import final_state, without_clock


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=label)
def test_every_algorithm_runs_counts_and_resumes_bit_for_bit(algorithm, tmp_path):
    options = {
        "objective": Quadratic(dim=12, noise=0.2),
        "topology": topologies.make("ring", 6),
        "algorithm": algorithm,
        "seed": 3,
    }
    whole = run(Experiment(**options, rounds=7, checkpoint_every=2), out=tmp_path / "whole").rows
    run(Experiment(**options, rounds=4), out=tmp_path / "cut")
    longer = Experiment(**options, rounds=7, checkpoint_every=2)
    resumed = run(longer, out=tmp_path / "cut", resume=True).rows
    assert without_clock(resumed) == without_clock(whole)
    np.testing.assert_array_equal(final_state(tmp_path / "cut", 6), final_state(tmp_path / "whole", 6))
    assert (tmp_path / "cut" / "config.yaml").read_text() == (tmp_path / "whole" / "config.yaml").read_text()
    lines = [json.loads(line) for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert without_clock(lines) == without_clock(whole)

    first = 1 if isinstance(algorithm, GTHSGD) else 0  # a round that asks once only
    assert whole[-1]["queries"] == (7 - first / 2) * queries_asked(algorithm)
    sending = 7
    if isinstance(algorithm, ProxSkip):
        coins = [RandomStream(3, "coin", t, 0, range(1)).uniform((1,))[0, 0] for t in range(7)]
        sending = sum(coin < algorithm.probability for coin in coins)
        assert 0 < sending < 7
    assert whole[-1]["bytes"] == sending * numbers_sent(algorithm) * 4


def queries_asked(algorithm):
    """By a peer in a round, for vectors of twelve."""
    if isinstance(algorithm, SSDA | ADMM):
        return 0  # each peer minimises
    if hasattr(algorithm, "population"):
        return getattr(algorithm, "generations", 1) * algorithm.population + isinstance(algorithm, FedBPT)
    if isinstance(algorithm, DFedAdam):
        return algorithm.estimator.queries(12)  # its perturbation costs none
    perturbs = getattr(algorithm, "rho", 0) > 0 and getattr(algorithm, "perturbation", "own") in ("own", "same")
    estimates = getattr(algorithm, "local_steps", 1) + isinstance(algorithm, NetworkDANE | GTHSGD)
    return (1 + perturbs) * estimates * algorithm.estimator.queries(12)


def numbers_sent(algorithm):
    """By a peer of a ring of six in a round, for vectors of twelve."""
    triangle = 12 * 13 // 2
    if isinstance(algorithm, BBT):
        return 2 * algorithm.population
    if isinstance(algorithm, FedBPT):
        return 12 + 1 + algorithm.generations + 12 + 1 + triangle
    if isinstance(algorithm, FedBBPT):
        return 25
    if isinstance(algorithm, LocalOnly) or algorithm.uses_server:
        return 24 if algorithm.uses_server else 0
    if isinstance(algorithm, Lead):
        return 2 * algorithm.compressor.width(12, np.float32) / 4
    gossip = algorithm.gossip
    if isinstance(algorithm, GossipCMAES):
        return gossip.steps * 2 * (12 + 1 + (12 if algorithm.covariance == "diagonal" else triangle))
    if isinstance(gossip, Flood):
        return gossip.steps * 2 * 6 * algorithm.local_steps * algorithm.estimator.directions
    steps = 3 if isinstance(gossip, FiniteTime) else gossip.steps
    mixed = 2 if isinstance(algorithm, GradientTracking | DFedAdam | WangElia | KGT | DiLoCo | NetworkDANE) else 1
    width = gossip.compressor.width(12, np.float32) / 4 if isinstance(gossip, Compressed) else 12
    return mixed * steps * 2 * (width + isinstance(gossip, PushSum))


class TwoIslands(topologies.Topology):
    """Two rings that no path joins; it passes no check and serves to show that nothing crosses."""

    def __init__(self):
        self.n, self.period = 8, 1
        self._graph = nx.disjoint_union(nx.cycle_graph(4), nx.cycle_graph(4))
        self._weights = topologies.metropolis(self._graph)
        self.description = {"class_path": "TwoIslands"}

    def weights(self, t):
        return self._weights

    def graph(self, t):
        return self._graph


def needs_no_path(algorithm):
    """Finite time and flooding ask for a connected W; a server is what this is not about."""
    gossip = getattr(algorithm, "gossip", None)
    return not algorithm.uses_server and not isinstance(gossip, FiniteTime | Flood)


@pytest.mark.parametrize("algorithm", [a for a in ALGORITHMS if needs_no_path(a)], ids=label)
def test_nothing_crosses_between_peers_that_no_path_joins(algorithm, tmp_path, monkeypatch):
    monkeypatch.setattr("dfedsam.experiment.verify", lambda topology: None)
    monkeypatch.setattr(topologies, "spectrum", lambda topology, steps: {"lambda_q": None})
    options = {"topology": TwoIslands(), "algorithm": algorithm, "rounds": 3, "seed": 2}
    simulate(objective=Quadratic(dim=6), out=tmp_path / "a", **options)

    build = Quadratic.build

    def other_island_moved(self, *args):
        problem = build(self, *args)
        problem.optima[4:] += 100
        return problem

    monkeypatch.setattr(Quadratic, "build", other_island_moved)
    simulate(objective=Quadratic(dim=6), out=tmp_path / "b", **options)
    a, b = final_state(tmp_path / "a", 8), final_state(tmp_path / "b", 8)
    np.testing.assert_array_equal(a[:4], b[:4])
    assert not np.array_equal(a[4:], b[4:])


@pytest.mark.parametrize(("cls", "name", "value"), [
    (DFedSAM, "rho", -0.1), (DFedSAM, "rho", float("nan")), (DFedSAM, "perturbation", "up"), (DPSGD, "lr", 0),
    (BBT, "population", 3), (FedBPT, "sigma", 0), (FedBPT, "generations", 0), (GossipCMAES, "covariance", "half"),
    (DPSGD, "local_steps", 0), (DFedAvgM, "momentum", 1.0), (DFedAvg, "lr_schedule", "step"),
    (DFedAvg, "lr_decay", 0), (DFedAvg, "weight_decay", -1), (Plain, "steps", 0), (Quadratic, "dim", 0),
    (Quadratic, "condition", 0.5), (LogisticRegression, "classes", 1), (LogisticRegression, "test_share", 1),
])  # fmt: skip
def test_bad_hyper_parameters_are_named(cls, name, value):
    with pytest.raises(ValueError, match=f"{name} is .*: it must be"):
        cls(**{name: value})
