"""Graphs with one-way edges: their contract with push-sum's weights, and exact figures."""

import networkx as nx
import numpy as np
import pytest

from dfedsam.topologies import directed_exponential, make, random_out, verify
from dfedsam.topologies.graph import as_graph
from dfedsam.topologies.graphs import random
from tests.topologies.sizes import DIRECTED_SIZES, cases


@pytest.mark.parametrize(("name", "n"), cases(DIRECTED_SIZES))
def test_contract(name, n):
    topology = make(name, n, seed=3)
    graph, W = topology.graph(0), topology.weights(0)
    assert type(graph) is nx.DiGraph
    assert list(graph) == list(range(n)) == list(range(topology.n))
    assert nx.is_strongly_connected(graph)
    assert nx.number_of_selfloops(graph) == 0
    assert graph.graph["name"] == name
    assert topology.directed
    assert topology.weights(5) is W
    verify(topology)

    dense = W.toarray()
    np.testing.assert_allclose(dense.sum(axis=0), 1, rtol=0, atol=1e-14)
    for sender in range(n):  # the same share for all who hear it, and for itself
        share = 1 / (1 + graph.out_degree(sender))
        heard = {receiver for receiver in range(n) if dense[receiver, sender] != 0}
        assert heard == {sender, *graph.successors(sender)}
        assert all(dense[receiver, sender] == share for receiver in heard)
    assert topology.sums == ("columns" if name == "random_out" else "both")

    rebuilt = make(topology.description["class_path"], n, **topology.description["init_args"])
    assert nx.utils.graphs_equal(rebuilt.graph(0), graph)


def figures(W):
    """ρ(W - J) and ‖W - J‖₂."""
    rest = W.toarray() - 1 / W.shape[0]
    return np.abs(np.linalg.eigvals(rest)).max(), np.linalg.norm(rest, 2)


@pytest.mark.parametrize("n", [2, 4, 6, 8, 12, 16, 34, 64])
def test_directed_exponential_of_even_size(n):
    tau = int(np.ceil(np.log2(n)))
    assert figures(make("directed_exponential", n).weights(0)) == pytest.approx([(tau - 1) / (tau + 1)] * 2)


@pytest.mark.parametrize("n", [3, 5, 9, 13, 33])
def test_directed_exponential_of_odd_size(n):
    tau = int(np.ceil(np.log2(n)))
    W = make("directed_exponential", n).weights(0)
    assert figures(W)[0] < (tau - 1) / (tau + 1) - 1e-6
    offsets = [0, *(2**j for j in range(tau))]
    modes = [sum(np.exp(2j * np.pi * k * s / n) for s in offsets) / (tau + 1) for k in range(1, n)]
    assert figures(W) == pytest.approx([max(map(abs, modes))] * 2)
    assert {degree for _, degree in nx.DiGraph(directed_exponential(n)).out_degree()} == {tau}


@pytest.mark.parametrize(("n", "value"), [(16, 0.600), (64, 0.714), (100, 0.750)])
def test_lambda_of_the_directed_exponential_falls_like_one_over_log_n(n, value):
    assert figures(make("directed_exponential", n).weights(0))[1] == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("n", [2, 3, 16, 33])
def test_directed_ring(n):
    assert figures(make("directed_ring", n).weights(0)) == pytest.approx([np.cos(np.pi / n)] * 2, abs=1e-12)


def test_random_out_is_its_seed_and_strongly_connected():
    served = set()
    for seed in range(10):
        graph = random_out(12, degree=2, seed=seed)
        assert {degree for _, degree in nx.DiGraph(graph).out_degree()} == {2}
        assert as_graph(graph).connected
        again = random_out(12, degree=2, seed=graph.graph["seed"])
        assert nx.utils.graphs_equal(again, graph)
        served.add(graph.graph["seed"])
    assert len(served) == 10
    assert any(seed >= 10 for seed in served)  # drawn again


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degree": 0}, "degree is 0"),
        ({"degree": 16}, r"degree is 16: it must be below the number of peers \(16\)"),
        ({"degree": 1}, r"degree is 1: .*but about 5.7 would be isolated; take a degree above ln\(n\) = 2.8"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_random_out_refuses(options, message, monkeypatch):
    monkeypatch.setattr(random, "DRAWS", 3)
    with pytest.raises(ValueError, match=message):
        random_out(16, **options)
