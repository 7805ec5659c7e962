"""Peers that are away in a round do nothing and keep all they have."""

import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam import (
    CentralAverage,
    DFedAvgM,
    DFedSAM,
    Exact,
    FedAvgBBT,
    FedBBPT,
    GossipCMAES,
    Quadratic,
    simulate,
    topologies,
)
from dfedsam.callbacks.base import Callback
from dfedsam.state import arrays


class OddOnesAway(topologies.Topology):
    """Peers 1, 3, … are away in every second round; meanwhile the others form a ring of their own."""

    def __init__(self, n):
        self.n, self.period = n, 2
        whole = topologies.metropolis(topologies.ring(n))
        half = np.eye(n)
        half[::2, ::2] = topologies.metropolis(topologies.ring(n // 2)).toarray()
        self._matrices = [sp.csr_array(half), whole]
        self.description = {"class_path": "odd_ones_away", "init_args": {}}

    def weights(self, t):
        return self._matrices[t % 2]

    def participants(self, t):
        return None if t % 2 else np.arange(self.n) % 2 == 0


def play(algorithm, rounds, chunk_bytes=None):
    states = []

    class States(Callback):
        def before_round(self, run):
            states.append({name: array.copy() for name, array in arrays(run.state).items()})

    result = simulate(
        objective=Quadratic(dim=5, noise=0.1),
        topology=OddOnesAway(8),
        algorithm=algorithm,
        rounds=rounds,
        cosine=True,
        callbacks=[States()],
    )
    return result.rows, states


def test_they_keep_their_state_and_spend_no_queries():
    algorithm = DFedAvgM(lr=0.05, keep_momentum=True, local_steps=3)
    rows, states = play(algorithm, 4)
    for before, after in ((0, 1), (2, 3)):
        for name in ("x", "momentum"):
            np.testing.assert_array_equal(states[after][name][1::2], states[before][name][1::2])
            assert (states[after][name][::2] != states[before][name][::2]).any(axis=1).all()
    assert (states[2]["x"] != states[1]["x"]).any(axis=1).all()
    spent = 3 * algorithm.estimator.queries(5)
    assert [row["queries"] for row in rows] == [0, spent / 2, 1.5 * spent, 2 * spent, 3 * spent]


@pytest.mark.parametrize("algorithm", [FedAvgBBT(generations=2), GossipCMAES(generations=2)], ids=repr)
def test_they_keep_their_searches(algorithm):
    rows, states = play(algorithm, 2)
    searches = {name: before for name, before in states[0].items() if name.startswith("search.")}
    assert searches
    for name, before in searches.items():
        np.testing.assert_array_equal(states[1][name][1::2], before[1::2])
    assert (states[1]["search.generation"][::2] == 2).all()
    assert rows[-1]["queries"] == 1.5 * 2 * algorithm.population


def test_the_cosine_is_that_of_the_peers_that_worked():
    rows, _ = play(DFedSAM(lr=0.05), 2)
    assert all(np.isfinite(row["cosine"]) for row in rows[1:])


@pytest.mark.parametrize("weighted", [False, True])
def test_a_servers_mean_is_that_of_the_participants_alone_and_so_are_the_bytes(weighted):
    """Peers 1, 3, … are absent in every second round: their old models must not be averaged in."""
    objective, exact = Quadratic(dim=5, noise=0), Exact()
    if weighted:
        algorithm = FedBBPT(estimator=exact, local_steps=1, a=0.1, alpha=0, beta=0)
    else:
        algorithm = CentralAverage(estimator=exact, lr=0.1, local_steps=1)
    result = simulate(objective=objective, topology=OddOnesAway(8), algorithm=algorithm, rounds=5, dtype="float64")
    optima = objective.build(8, range(8), 0, np.float64).optima
    x, participants = np.zeros((8, 5)), 0
    for t in range(5):
        present = np.ones(8, bool) if t % 2 else np.arange(8) % 2 == 0
        x[present] = (x - 0.1 * (x - optima))[present].mean(axis=0)
        participants += present.sum()
    np.testing.assert_allclose(result.x, x, atol=1e-12)
    assert result.rows[-1]["bytes"] == participants / 8 * (2 * 5 + weighted) * 8
