"""Any graph of networkx by its dotted name: its options, its numbering, and what is said of those that do not fit."""

import inspect
from typing import Any

import networkx as nx
import pytest

from dfedsam.registry import import_path
from dfedsam.topologies import find, make

CASES = [
    ("petersen_graph", 10, {}),
    ("petersen_graph", None, {}),
    ("barbell_graph", 12, {"m1": 5, "m2": 2}),
    ("circulant_graph", 12, {"offsets": [1, 4]}),
    ("random_regular_graph", 16, {"d": 3}),
    ("wheel_graph", 6, {}),
    ("star_graph", 16, {"networkx_n": 15}),
    ("star_graph", None, {"networkx_n": 15}),
    ("grid_2d_graph", 12, {"m": 3, "networkx_n": 4}),
    ("hypercube_graph", 16, {"networkx_n": 4}),
    ("ladder_graph", 10, {"networkx_n": 5}),
    ("complete_multipartite_graph", 9, {"subset_sizes": [2, 3, 4]}),
    ("les_miserables_graph", 77, {}),
    ("paley_graph", 13, {"p": 13}),
    ("generators.classic.cycle_graph", 7, {}),
    ("stochastic_block_model", 12, {"sizes": [6, 6], "p": [[1.0, 0.5], [0.5, 1.0]]}),
    ("random_geometric_graph", 16, {"radius": 0.9}),
]


@pytest.mark.parametrize(("name", "n", "options"), CASES)
def test_graphs_are_numbered_and_repeated_from_their_description(name, n, options):
    topology = make(f"networkx.{name}", n, 3, **options)
    graph = topology.graph(0)
    assert list(graph) == list(range(n or topology.n))
    assert nx.is_connected(graph)
    assert type(graph) is nx.Graph
    assert not any(data for _, _, data in graph.edges(data=True))
    assert graph.graph["name"] == name.rpartition(".")[2]

    path = topology.description["class_path"]
    assert path == f"networkx.{name}" == import_path(find(path))
    again = make(topology.description, n, 7)
    assert nx.utils.graphs_equal(again.graph(0), graph)


def options_of(name):
    return {key: option.annotation for key, option in inspect.signature(find(f"networkx.{name}")).parameters.items()}


def test_options_are_networkxs_with_types_and_without_what_says_nothing_of_the_graph():
    assert options_of("petersen_graph") == {}
    assert options_of("barbell_graph") == {"m1": int, "m2": int}
    assert options_of("circulant_graph") == {"n": int, "offsets": list, "networkx_n": int | None}
    small_world = {"n": int, "k": int, "p": float, "seed": int, "networkx_n": int | None}
    assert options_of("watts_strogatz_graph") == small_world
    assert options_of("complete_multipartite_graph") == {"subset_sizes": list}
    assert options_of("balanced_tree")["r"] is int
    assert options_of("random_geometric_graph")["pos"] is Any  # of which no plain type is said
    assert options_of("gnp_random_graph")["directed"] is bool


def test_what_networkx_says_of_an_option_is_in_the_docstring():
    lines = inspect.getdoc(find("networkx.random_regular_graph")).splitlines()
    assert lines[1:3] == ["", "Args:"]
    assert [line.strip().split(":")[0] for line in lines[3:]] == ["n", "d", "seed", "networkx_n"]
    assert not any("backend" in line or "`" in line for line in lines)


def test_the_seed_is_passed_and_zero_without_one():
    def edges(seed):
        return set(make("networkx.random_regular_graph", 32, seed, d=3).graph(0).edges())

    assert edges(1) == edges(1) != edges(2)
    assert edges(None) == edges(0) == set(find("networkx.random_regular_graph")(32, d=3).edges())


def test_directed_graphs():
    turning = make("networkx.paley_graph", 7, p=7)  # 7 = 3 mod 4: no edge leads back
    assert turning.directed
    assert turning.sums == "both"
    assert set(turning.graph(0)[0]) == {1, 2, 4}
    assert not make("networkx.paley_graph", 13, p=13).directed  # 13 = 1 mod 4: all lead both ways


REFUSALS = [
    (
        "star_graph",
        16,
        {},
        r"peers is 16: it must be 17, as networkx.star_graph\(n=16\) has; .* give it as networkx_n, so that .* 16",
    ),
    ("star_graph", 16, {"networkx_n": 16}, "has; give --peers 17, or another networkx_n"),
    ("grid_2d_graph", 16, {"m": 4}, "must be 64, .*; its n is not its number of peers"),
    ("hypercube_graph", 64, {}, "networkx_n is None: it must be given .*far more peers"),
    (
        "petersen_graph",
        16,
        {},
        "peers is 16: it must be 10, the number of peers of topology networkx.petersen_graph; give --peers 10",
    ),
    ("star_graph", None, {}, "peers is None"),
    ("random_regular_graph", 15, {"d": 3}, "which refuses with: n . d must be even"),
    ("random_regular_graph", 16, {}, "missing a required argument: 'd'; its options are: d, seed, networkx_n"),
    ("wheel_graph", 6, {"spokes": 2}, "does not take these options: .*spokes"),
    ("circulant_graph", 16, {"offsets": [2, 4]}, "it must be connected, but it is in 2 parts; give other options$"),
    ("gnp_random_graph", 16, {"p": 0.01}, "it must be connected, .* or another seed"),
    ("gn_graph", 8, {}, "it must be connected, but it is in 8 parts"),
    ("margulis_gabber_galil_graph", 16, {"networkx_n": 4}, "it must have no parallel edges"),
    ("null_graph", None, {}, "peers is 0: it must be at least 2"),
    ("trivial_graph", None, {}, "peers is 1: it must be at least 2"),
    ("chordal_cycle_graph", 2, {"p": 2}, "self-loop|parallel edges"),
    ("diameter", 8, {}, "must be a function of networkx that generates a graph"),
    ("read_edgelist", None, {"path": "/etc/passwd"}, "must be a function of networkx that generates a graph"),
    ("density", 8, {"G": nx.path_graph(3)}, "must be a function of networkx that generates a graph"),
    ("petersn_graph", 10, {}, "must be importable, .*did you mean networkx.petersen_graph"),
    ("__version__", 10, {}, "must be a function or a class"),
]


@pytest.mark.parametrize(("name", "n", "options", "message"), REFUSALS)
def test_what_does_not_fit_is_said_in_one_line(name, n, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(f"networkx.{name}", n, 3, **options)
    assert "\n" not in str(caught.value)


def test_a_graph_with_self_loops_is_refused():
    with pytest.raises(ValueError, match=r"networkx.stochastic_block_model\(.*: graph has a self-loop at 0"):
        make("networkx.stochastic_block_model", 4, 1, sizes=[4], p=[[1.0]], selfloops=True)
