"""What graphs refuse: in one line that names the option, its value, the rule, and what to do."""

import pytest

from dfedsam.topologies import make
from dfedsam.topologies.graphs import random
from dfedsam.topologies.graphs.random import watts_strogatz

ERRORS = [
    ("ring", 1, {}, "peers is 1: it must be a whole number of at least 2"),
    ("ring", 2.5, {}, "peers is 2.5"),
    ("grid", 13, {}, r"peers is 13: .*sizes nearby that fit: 10 \(2×5\), 12 \(3×4\), 14 \(2×7\), 15 \(3×5\)"),
    ("grid", 3, {}, r"peers is 3: .*4 \(2×2\)"),
    ("grid", 16, {"rows": 5}, "rows is 5: it must divide 16 peers .*; use one of 2, 4, 8"),
    ("grid", 16, {"rows": 16}, "rows is 16"),
    ("grid", 16, {"rows": 0}, "rows is 0: .*use one of 2, 4, 8"),
    ("torus", 10, {}, r"peers is 10: .*sides of at least 3 for a torus; .*9 \(3×3\), 12 \(3×4\)"),
    ("torus", 12, {"rows": 2}, "rows is 2: .*use one of 3, 4"),
    ("hypercube", 12, {}, "peers is 12: it must be a power of two for a hypercube; use 8 or 16"),
    ("erdos_renyi", 16, {"p": 0}, "p is 0: it must be above 0 and at most 1"),
    ("erdos_renyi", 16, {"p": 1.5}, "p is 1.5"),
    ("erdos_renyi", 16, {"p": float("nan")}, "p is nan"),
    ("erdos_renyi", 16, {"p": "much"}, "p is much"),
    ("erdos_renyi", 16, {"seed": -1}, "seed is -1"),
    (
        "erdos_renyi",
        60,
        {"p": 0.001},
        "p is 0.001: it must make the erdos_renyi graph of 60 peers connected, but about 57 would be isolated",
    ),
    ("random_regular", 16, {"degree": 16}, "degree is 16: it must be below the number of peers"),
    ("random_regular", 15, {"degree": 3}, "degree is 3: it must be even for an odd number of peers .*2 or 4"),
    ("random_regular", 16, {"degree": 0}, "degree is 0"),
    ("random_regular", 16, {"degree": 1}, "degree is 1: .*16 would be isolated; take a degree of 3"),
    ("watts_strogatz", 16, {"neighbours": 3}, "neighbours is 3: it must be even"),
    ("watts_strogatz", 4, {}, "neighbours is 4: it must be below the number of peers"),
    ("watts_strogatz", 16, {"p": -0.1}, "p is -0.1: it must be at least 0"),
    ("barabasi_albert", 16, {"edges": 16}, "edges is 16"),
    ("barabasi_albert", 16, {"edges": 0}, "edges is 0"),
    ("ring_lattice", 16, {"neighbours": 3}, "neighbours is 3: it must be even, half on each side; use 2"),
    ("ring_lattice", 4, {}, "neighbours is 4: it must be below the number of peers"),
    ("circulant", 16, {"offsets": [2, 4]}, r"offsets is \[2, 4\]: .* multiples of 2, as is 16; add the offset 1"),
    ("circulant", 16, {"offsets": [16]}, r"offsets is \[16\]: it must be whole numbers that are no multiples of 16"),
    ("circulant", 16, {"offsets": [1.5]}, r"offsets is \[1.5\]"),
    ("circulant", 16, {"offsets": []}, r"offsets is \[\]"),
    ("chordal_ring", 15, {}, "peers is 15: it must be even for a chordal ring; use 14 or 16"),
    ("chordal_ring", 4, {}, "peers is 4"),
    ("chordal_ring", 16, {"chord": 4}, "chord is 4: it must be odd and at most 13"),
    ("chordal_ring", 16, {"chord": 15}, "chord is 15"),
    ("tree", 16, {"children": 0}, "children is 0"),
    ("complete_bipartite", 16, {"left": 16}, "left is 16: it must be below the number of peers"),
    ("paley", 16, {}, "peers is 16: it must be a power of a prime, and 1 modulo 4, for a Paley graph; use 13 or 17"),
    ("paley", 21, {}, "use 17 or 25"),
    ("margulis", 17, {}, "peers is 17: it must be a square for a Margulis graph; use 16 or 25"),
    (
        "petersen",
        16,
        {},
        "peers is 16: it must be 10, the number of peers of topology petersen; give --peers 10, or leave it out",
    ),
    (
        "davis",
        16,
        {},
        "peers is 16: it must be 32, the number of peers of topology davis; give --peers 32, or leave it out",
    ),
    ("two_cliques", 16, {"bridges": 9}, "bridges is 9: it must be at most 8, the peers of a clique"),
    ("two_cliques", 16, {"bridges": 0}, "bridges is 0"),
    ("barbell", 3, {}, "peers is 3"),
    ("barbell", 16, {"between": 3}, "between is 3: .*two equal cliques of at least 2 of the 16 peers; use 2 or 4"),
    ("barbell", 16, {"between": 14}, "between is 14: .*; use 10 or 12"),
    ("lollipop", 16, {"clique": 17}, "clique is 17: it must be at most the number of peers"),
    ("caveman", 13, {}, "peers is 13: .*sizes nearby that fit: 10, 12, 14, 15"),
    ("caveman", 16, {"clique": 3}, "clique is 3: .*use one of 4, 8"),
    ("caveman", 16, {"clique": 2}, "clique is 2: .*use one of 4, 8"),
    ("stochastic_block_model", 16, {"blocks": 17}, "blocks is 17: it must be at most the number of peers"),
    ("stochastic_block_model", 16, {"p_out": 0}, "p_out is 0: it must be above 0"),
    ("stochastic_block_model", 16, {"p_in": 2}, "p_in is 2"),
    (
        "stochastic_block_model",
        60,
        {"p_out": 1e-9},
        "p_out is 1e-09: .* none of 100 draws was; take a larger p_out",
    ),
    ("random_geometric", 16, {"radius": 0}, "radius is 0"),
    ("random_geometric", 64, {"radius": 0.01}, "radius is 0.01: .* would be isolated; take a radius"),
    ("complete", 10_000, {}, "peers is 10000: it must give at most 10,000,000 edges, but these are 49,995,000; base"),
    ("complete_bipartite", 10_000, {}, "it must give at most 10,000,000 edges, but these are 25,000,000; give a"),
    ("random_regular", 400_000, {"degree": 200_000}, "it must fit into memory"),
    ("ring", 10**20, {}, "it must fit into memory"),
    ("erdos_renyi", 20_000, {"p": 0.0004}, "p is 0.0004: .* 20000 peers connected, but about 6.7 would be isolated"),
    ("random_out", 1000, {"degree": 4}, "degree is 4: .* but about 18 would be isolated; take a degree above"),
    ("random_geometric", 100_000, {"radius": 0.001}, "radius is 0.001: .* would be isolated"),
    ("ring", 16, {"rows": 4}, "topology ring does not take these options: .*rows.*its options are: none"),
    ("grid", 16, {"row": 4}, "topology grid .*row.*its options are: rows"),
]


@pytest.mark.parametrize(("name", "n", "options", "message"), ERRORS)
def test_what_cannot_be_is_refused_in_one_line(name, n, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(name, n, **options)
    assert "\n" not in str(caught.value)


def test_default_options_fit_many_peers():
    assert len(make("random_out", 3000).graph(0)[0]) == 8
    assert len(make("random_out", 64).graph(0)[0]) == 4
    assert make("stochastic_block_model", 16, p_in=1e-20).n == 16


def test_a_small_world_that_falls_apart_is_refused(monkeypatch):
    monkeypatch.setattr(random, "DRAWS", 1)
    with pytest.raises(ValueError, match=r"p is 1\.0: .* none of 1 draws was; take a smaller p"):
        watts_strogatz(1000, neighbours=2, p=1)
