"""Push-sum: the plain mean on any strongly connected digraph, and what it refuses."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam import DPSGD, Exact, Plain, PushSum, Quadratic, simulate, topologies
from dfedsam.communication import SingleProcess
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream

KEY = RandomStream(0, "gossip", 0, 0, range(1))  # of no use here


def digraph(n, extra, seed):
    """A directed ring with some more links: strongly connected, out-degrees differ."""
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph((i, (i + 1) % n) for i in range(n))
    graph.add_edges_from((i, j) for i, j in rng.integers(0, n, (extra, 2)).tolist() if i != j)
    return topologies.make(graph)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(2, 12), extra=st.integers(0, 20), seed=st.integers(0, 1000))
def test_reaches_the_true_mean_on_random_digraphs(n, extra, seed):
    topology, communicator = digraph(n, extra, seed), SingleProcess(n)
    x = np.random.default_rng(seed).standard_normal((n, 3))
    mean, gossip = x.mean(axis=0), PushSum(steps=20)
    state = gossip.init(x)
    for _ in range(60):
        x, state = gossip(x, state, Channel(topology.weights(0), communicator, KEY))
        np.testing.assert_allclose(state.sums[:, :-1].sum(axis=0), n * mean, atol=1e-10)  # nothing is lost
    np.testing.assert_allclose(x, np.tile(mean, (n, 1)), atol=1e-6)


def test_counts_one_number_more_than_a_row():
    topology, communicator = digraph(5, 6, 0), SingleProcess(5)
    x = np.zeros((5, 7), np.float32)
    PushSum(steps=3)(x, PushSum().init(x), Channel(topology.weights(0), communicator, KEY))
    edges = topology.graph(0).number_of_edges()
    assert communicator.messages == 3 * edges
    assert communicator.bytes == 3 * edges * 8 * 4


def test_is_plain_gossip_where_weights_are_doubly_stochastic():
    topology = topologies.make("ring", 6)
    options = {"objective": Quadratic(dim=4), "topology": topology, "rounds": 8, "dtype": "float64"}
    plain = simulate(algorithm=DPSGD(gossip=Plain(steps=2)), **options)
    pushed = simulate(algorithm=DPSGD(gossip=PushSum(steps=2)), **options)
    np.testing.assert_allclose(pushed["loss"], plain["loss"], rtol=1e-12)


def test_the_mean_follows_the_plain_gradient_on_an_irregular_digraph():
    """On quadratics of the same curvature the mean of X descends the mean loss whatever the weights: its distance from
    the optimum shrinks by 1 − lr a round, up to the spread of the peers, which a small lr keeps small."""
    topology = digraph(7, 9, 3)
    objective = Quadratic(dim=5, noise=0, heterogeneity=1.0)
    algorithm = DPSGD(lr=0.01, estimator=Exact(), gossip=PushSum(steps=30))
    rows = simulate(objective=objective, topology=topology, algorithm=algorithm, rounds=1500, dtype="float64")
    central = simulate(
        objective=objective,
        topology=topologies.make("complete", 7),
        algorithm=DPSGD(lr=0.01, estimator=Exact()),
        rounds=1500,
        dtype="float64",
    )
    assert rows["loss"].iloc[-1] == pytest.approx(central["loss"].iloc[-1], rel=1e-6)


def test_says_which_weights_it_needs():
    one_way = digraph(5, 6, 0)
    with pytest.raises(ValueError, match=r"gossip is plain: .* choose the gossip push_sum"):
        simulate(objective=Quadratic(), topology=one_way, algorithm=DPSGD())
    biased = topologies.make("ring", 5)
    biased.sums = "rows"
    with pytest.raises(ValueError, match="gossip is push_sum: it must have weights whose columns sum to one"):
        simulate(objective=Quadratic(), topology=biased, algorithm=DPSGD(gossip=PushSum()))
