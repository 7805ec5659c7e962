"""Who talks to whom: graphs, mixing matrices W, and their spectra.

from dfedsam.topologies import make, spectrum
spectrum(make("torus", 16))["gap"]      # 0.4

Options of a topology that do not fit raise an OptionError, whose hint says what would. W is of shape (n, n), csr,
float64, with sorted indices, and W[i, j] is the weight with which peer i takes in the row of peer j.
"""

from dfedsam.topologies.factories import factory, weight_factory
from dfedsam.topologies.files import from_file, to_dict
from dfedsam.topologies.graphs.classic import (
    binary_tree,
    complete,
    complete_bipartite,
    davis,
    florentine,
    from_edges,
    karate,
    les_miserables,
    path,
    ring,
    star,
    tree,
)
from dfedsam.topologies.graphs.clustered import barbell, caveman, lollipop, two_cliques
from dfedsam.topologies.graphs.designs import bounded_tree, christofides, mst
from dfedsam.topologies.graphs.expanders import margulis, paley, petersen
from dfedsam.topologies.graphs.lattices import (
    chordal_ring,
    circulant,
    directed_exponential,
    directed_ring,
    exponential,
    grid,
    hypercube,
    ring_lattice,
    torus,
)
from dfedsam.topologies.graphs.random import (
    barabasi_albert,
    erdos_renyi,
    random_geometric,
    random_out,
    random_regular,
    stochastic_block_model,
    watts_strogatz,
)
from dfedsam.topologies.make import make
from dfedsam.topologies.registry import find, find_rule, reader, rules, table
from dfedsam.topologies.schedule import Drawn, Periodic
from dfedsam.topologies.schedules.combined import random_choice, round_robin
from dfedsam.topologies.schedules.equitopo import d_equistatic, od_equidyn, ou_equidyn, u_equistatic
from dfedsam.topologies.schedules.failures import latency, link_failures, peer_dropout
from dfedsam.topologies.schedules.finite_time import base, hyper_hypercube, simple_base
from dfedsam.topologies.schedules.from_data import d_cliques, stl_fw
from dfedsam.topologies.schedules.matcha import matcha
from dfedsam.topologies.schedules.one_peer import (
    ceca,
    one_peer_exponential,
    one_peer_grid,
    one_peer_hypercube,
    one_peer_ring,
)
from dfedsam.topologies.schedules.randomized import el_local, el_oracle, pairwise, random_matching, random_neighbours
from dfedsam.topologies.schedules.staged import dense_late, final_merge
from dfedsam.topologies.spectra.contraction import expected_contraction
from dfedsam.topologies.spectra.neighbours import effective_neighbours
from dfedsam.topologies.spectra.spectrum import Spectrum, spectrum
from dfedsam.topologies.spectra.symmetric import (
    cache_by_id,
    distinct_eigenvalues,
    eigenvalues,
    slem,
    spectrum_ends,
    steady_consensus,
)
from dfedsam.topologies.topology import Static, Topology
from dfedsam.topologies.verify import verify
from dfedsam.topologies.weights.fastest import fastest, fastest_nonnegative
from dfedsam.topologies.weights.files import from_weights, weights_from_file
from dfedsam.topologies.weights.rules import (
    WeightRule,
    best_constant,
    lazy,
    max_degree,
    metropolis,
    out_degree,
    uniform,
    weight_rule,
)

# fmt: off
__all__ = [
    "Drawn", "Periodic", "Spectrum", "Static", "Topology", "WeightRule", "barabasi_albert", "barbell", "base",
    "best_constant", "binary_tree", "bounded_tree", "cache_by_id", "caveman", "ceca", "chordal_ring", "christofides",
    "circulant", "complete", "complete_bipartite", "d_cliques", "d_equistatic", "davis", "dense_late",
    "directed_exponential", "directed_ring", "distinct_eigenvalues", "effective_neighbours", "eigenvalues", "el_local",
    "el_oracle", "erdos_renyi", "expected_contraction", "exponential", "factory", "fastest", "fastest_nonnegative",
    "final_merge", "find", "find_rule", "florentine", "from_edges", "from_file", "from_weights", "grid",
    "hyper_hypercube", "hypercube", "karate", "latency", "lazy", "les_miserables", "link_failures", "lollipop", "make",
    "margulis", "matcha", "max_degree", "metropolis", "mst", "od_equidyn", "one_peer_exponential", "one_peer_grid",
    "one_peer_hypercube", "one_peer_ring", "ou_equidyn", "out_degree", "pairwise", "paley", "path", "peer_dropout",
    "petersen", "random_choice", "random_geometric", "random_matching", "random_neighbours", "random_out",
    "random_regular", "reader", "ring", "ring_lattice", "round_robin", "rules", "simple_base", "slem", "spectrum",
    "spectrum_ends", "star", "steady_consensus", "stl_fw", "stochastic_block_model", "table", "to_dict", "torus",
    "tree", "two_cliques", "u_equistatic", "uniform", "verify", "watts_strogatz", "weight_factory", "weight_rule",
    "weights_from_file",
]
# fmt: on
