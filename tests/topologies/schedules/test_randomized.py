"""Pairs drawn afresh in every round: their expected contraction by going through all draws, and their distribution."""

from collections import Counter
from itertools import permutations, product

import networkx as nx
import numpy as np
import pytest

from dfedsam.topologies import Drawn, make, metropolis, pairwise, random_matching, random_neighbours, verify
from dfedsam.topologies.schedules.randomized import draw_distinct


class Given:
    """A generator that gives what it is told."""

    def __init__(self, *values):
        self.values = list(values)

    def permutation(self, n):
        return self.values.pop(0)

    def integers(self, below, size):
        return np.full(size, self.values.pop(0))


def left(matrices):
    """λ_max(mean of WᵀW - J)."""
    dense = [W.toarray() for W in matrices]
    second = sum(W.T @ W for W in dense) / len(dense)
    return np.linalg.eigvalsh(second - 1 / len(second))[-1]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_random_matching_contracts_as_its_formula_says(n):
    topology = random_matching(n)
    assert isinstance(topology, Drawn)
    drawn = [topology.draw(Given(np.array(order))) for order in permutations(range(n))]
    expected = 0.5 if n % 2 else (n - 2) / (2 * (n - 1))
    assert left(drawn) == pytest.approx(expected, abs=1e-14)
    assert topology.contraction() == pytest.approx(expected, abs=1e-14)
    assert {W.nnz for W in drawn} == {n + 2 * (n // 2)}  # all but one of an odd number are paired


@pytest.mark.parametrize("n", [2, 3, 7])
def test_pairwise_over_all_pairs(n):
    topology = pairwise(n)
    assert isinstance(topology, Drawn)
    drawn = [topology.draw(Given(i, j)) for i, j in product(range(n), range(n - 1))]
    assert left(drawn) == pytest.approx(1 - 1 / (n - 1), abs=1e-14)
    assert topology.contraction() == pytest.approx(1 - 1 / (n - 1), abs=1e-14)
    assert topology.support() is None


@pytest.mark.parametrize("graph", [nx.davis_southern_women_graph(), nx.path_graph(6), nx.complete_graph(5)])
def test_pairwise_over_a_graph(graph):
    topology, edges = make("pairwise", None, topology=graph), graph.number_of_edges()
    assert isinstance(topology, Drawn)
    drawn = [topology.draw(Given(entry)) for entry in range(2 * edges)]
    laplacian = nx.laplacian_matrix(graph, weight=None).toarray()
    expected = 1 - np.linalg.eigvalsh(laplacian)[1] / (2 * edges)
    assert left(drawn) == pytest.approx(expected, abs=1e-13)
    assert topology.contraction() == pytest.approx(expected, abs=1e-13)
    verify(topology)


@pytest.mark.parametrize("complete", ["complete", "Complete", {"class_path": "complete", "init_args": {}}])
def test_pairwise_over_all_pairs_builds_no_graph(complete):
    topology = make("pairwise", 10**6, topology=complete)
    assert topology.support() is None
    assert topology.weights(0).nnz == 10**6 + 2


def test_pairwise_is_exact_on_a_large_ring_too():
    expected = 1 - (2 - 2 * np.cos(2 * np.pi / 600)) / 1200
    assert make("pairwise", 600, topology="ring").contraction() == pytest.approx(expected, abs=1e-12)


def test_others_are_drawn_uniformly():
    below, count = 4, 2
    ranges = [range(low + 1) for low in range(below - count, below)]
    drawn = Counter(tuple(sorted(draw_distinct(below, 1, count, Given(*values))[0])) for values in product(*ranges))
    assert len(drawn) == 6
    assert set(drawn.values()) == {2}


@pytest.mark.parametrize(("n", "degree"), [(2, 1), (5, 2), (16, 3), (9, 8)])
def test_random_neighbours_have_metropolis_weights(n, degree):
    topology = random_neighbours(n, degree, seed=1)
    verify(topology)
    for t in range(20):
        graph = topology.graph(t)
        assert min(d for _, d in graph.degree()) >= degree
        assert graph.number_of_edges() <= n * degree
        np.testing.assert_allclose(topology.weights(t).toarray(), metropolis(graph).toarray(), atol=1e-15)
    assert topology.contraction() == (0 if degree == n - 1 else None)


@pytest.mark.parametrize("name", ["random_matching", "pairwise", "random_neighbours"])
def test_a_round_is_known_from_the_seed_alone(name):
    one, other, third = (make(name, 12, seed) for seed in (3, 3, 4))
    rounds = [one.weights(t).toarray() for t in range(8)]
    for t in (5, 0, 7, 2):
        np.testing.assert_array_equal(other.weights(t).toarray(), rounds[t])
        assert other.weights(t) is other.weights(t)
    assert any((third.weights(t).toarray() != rounds[t]).any() for t in range(8))
    assert len({W.tobytes() for W in rounds}) > 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("random_neighbours", {"degree": 6}, r"degree is 6: it must be below the number of peers \(6\)"),
        ("random_neighbours", {"degree": 0}, "degree is 0: it must be a whole number of at least 1"),
        ("pairwise", {"topology": "one_peer_exponential"}, "topology is one_peer_exponential: it must be undirected"),
        ("pairwise", {"topology": "directed_ring"}, "undirected and the same in every round for pairwise"),
        ("random_matching", {"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(name, 6, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [
    *("one_peer_exponential", "one_peer_hypercube", "one_peer_ring", "hyper_hypercube", "simple_base", "base", "ceca"),
    *("d_equistatic", "od_equidyn", "ou_equidyn", "random_matching", "random_neighbours", "el_oracle", "el_local"),
    "pairwise",
])  # fmt: skip
def test_peers_that_do_not_fit_into_memory_are_refused_at_once(name):
    with pytest.raises(ValueError, match="peers is 100000000000000000000: it must fit into memory"):
        make(name, 10**20)


@pytest.mark.parametrize(
    ("name", "option"), [("random_neighbours", "degree"), ("el_local", "degree"), ("u_equistatic", "offsets")]
)
def test_neighbours_that_do_not_fit_into_memory_are_refused_at_once(name, option):
    with pytest.raises(ValueError, match="peers is 10000000: it must fit into memory, but"):
        make(name, 10**7, **{option: 10**6})
