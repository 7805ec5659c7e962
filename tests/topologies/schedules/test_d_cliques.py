"""D-Cliques: balanced cliques where they can be had, and as many edges as the paper counts."""

import networkx as nx
import numpy as np
import pytest

from dfedsam.topologies import d_cliques, make, spectrum, verify
from dfedsam.topologies.schedules.from_data import skew


def one_class(n, classes=10):
    """Peers with examples of one class each."""
    return np.eye(classes)[np.arange(n) % classes]


@pytest.mark.parametrize(("n", "degree"), [(100, 9.9), (1000, 18.9)])
def test_edges_a_peer_as_in_the_paper(n, degree):
    """A tenth of the edges of the complete graph of 100, 98 % fewer for 1,000."""
    graph = d_cliques(n, one_class(n), swaps=0)
    assert 2 * graph.number_of_edges() / n == pytest.approx(degree)
    assert max(dict(graph.degree()).values()) - min(dict(graph.degree()).values()) <= 1


def test_swaps_balance_the_classes():
    proportions = one_class(100)
    graph = d_cliques(100, proportions, seed=1)
    cliques = [np.array(sorted(clique)) for clique in nx.find_cliques(graph) if len(clique) == 10]
    assert len(cliques) == 10
    assert [skew(clique, proportions) for clique in cliques] == pytest.approx([0] * 10, abs=1e-12)


def test_more_swaps_are_never_worse():
    proportions = np.random.default_rng(0).dirichlet(np.full(10, 0.1), size=60)

    def total(swaps):
        graph = d_cliques(60, proportions, clique_size=6, swaps=swaps, seed=2)
        cliques = [np.array(clique) for clique in nx.find_cliques(graph) if len(clique) == 6]
        return sum(skew(clique, proportions) for clique in cliques)

    totals = [total(swaps) for swaps in (0, 10, 100, 1000)]
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] < 0.6 * totals[0]


@pytest.mark.parametrize(("n", "size"), [(2, 10), (7, 3), (11, 10), (30, 5)])
@pytest.mark.parametrize("between", ["all", "ring"])
def test_sizes_that_do_not_divide(n, size, between):
    topology = make("d_cliques", n, seed=3, class_proportions=one_class(n), clique_size=size, between=between)
    verify(topology)
    assert 0 < spectrum(topology)["gap"] <= 1
    assert "class_proportions" not in topology.description["init_args"]
    count = -(-n // size)
    inside = (n // size) * size * (size - 1) // 2 + (n % size) * (n % size - 1) // 2
    bridges = count * (count - 1) // 2 if between == "all" else count if count > 2 else count - 1
    assert topology.graph(0).number_of_edges() == inside + bridges


def test_the_seed_alone_decides():
    one, other, third = (d_cliques(40, one_class(40), seed=seed).edges() for seed in (4, 4, 5))
    assert sorted(one) == sorted(other)
    assert sorted(one) != sorted(third)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_proportions": None}, "class_proportions is missing: d_cliques is made from the classes"),
        ({"class_proportions": one_class(5)}, "class_proportions is 5 × 10: it must have 20 rows"),
        ({"clique_size": 1}, "clique_size is 1: it must be a whole number of at least 2"),
        ({"between": "star"}, "between is star: it must be one of all, ring"),
        ({"swaps": -1}, "swaps is -1"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        d_cliques(**{"n": 20, "class_proportions": one_class(20), **options})
