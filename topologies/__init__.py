"""Who talks to whom: graphs, mixing matrices W, and their spectra.

from topologies import make, spectrum
spectrum(make("torus", 16))["gap"]      # 0.4
"""

from topologies.check import check
from topologies.circulant_graphs import chordal_ring, circulant, ring_lattice
from topologies.clustered_graphs import barbell, caveman, lollipop, two_cliques
from topologies.consensus import steady_consensus
from topologies.contraction import expected_contraction
from topologies.directed_graphs import directed_exponential, directed_ring, random_out
from topologies.distinct import distinct_eigenvalues, remembered, spectrum_ends
from topologies.equitopo import d_equistatic, od_equidyn, ou_equidyn, u_equistatic
from topologies.expanders import margulis, paley, petersen
from topologies.fastest import fastest, fastest_nonnegative
from topologies.files import from_file, to_dict
from topologies.finite_time import base, hyper_hypercube, simple_base
from topologies.graphs import (
    barabasi_albert,
    complete,
    erdos_renyi,
    exponential,
    from_edges,
    grid,
    hypercube,
    path,
    random_geometric,
    random_regular,
    ring,
    star,
    torus,
    watts_strogatz,
)
from topologies.latency import latency
from topologies.layered_graphs import binary_tree, complete_bipartite, tree
from topologies.make import make
from topologies.matcha import matcha
from topologies.matchings import pairwise, random_matching, random_neighbours
from topologies.mixtures import at_random, in_turn
from topologies.names import find, find_rule, rules, table
from topologies.neighbours import effective_neighbours
from topologies.one_peer import one_peer_exponential, one_peer_grid, one_peer_hypercube, one_peer_ring
from topologies.random_graphs import stochastic_block_model
from topologies.real_graphs import davis, florentine, karate, les_miserables
from topologies.schedule import Drawn, Periodic
from topologies.spectra import spectrum
from topologies.stl_fw import stl_fw
from topologies.symmetric import eigenvalues, slem
from topologies.topology import Static, Topology
from topologies.unreliable import link_failures, peers_away
from topologies.weight_files import from_weights, weights_from_file
from topologies.weights import best_constant, lazy, max_degree, metropolis, out_degree, uniform

__all__ = [
    "Drawn",
    "Periodic",
    "Static",
    "Topology",
    "at_random",
    "barabasi_albert",
    "barbell",
    "base",
    "best_constant",
    "binary_tree",
    "caveman",
    "check",
    "chordal_ring",
    "circulant",
    "complete",
    "complete_bipartite",
    "d_equistatic",
    "davis",
    "directed_exponential",
    "directed_ring",
    "distinct_eigenvalues",
    "effective_neighbours",
    "eigenvalues",
    "erdos_renyi",
    "expected_contraction",
    "exponential",
    "fastest",
    "fastest_nonnegative",
    "find",
    "find_rule",
    "florentine",
    "from_edges",
    "from_file",
    "from_weights",
    "grid",
    "hyper_hypercube",
    "hypercube",
    "in_turn",
    "karate",
    "latency",
    "lazy",
    "les_miserables",
    "link_failures",
    "lollipop",
    "make",
    "margulis",
    "matcha",
    "max_degree",
    "metropolis",
    "od_equidyn",
    "one_peer_exponential",
    "one_peer_grid",
    "one_peer_hypercube",
    "one_peer_ring",
    "ou_equidyn",
    "out_degree",
    "pairwise",
    "paley",
    "path",
    "peers_away",
    "petersen",
    "random_geometric",
    "random_matching",
    "random_neighbours",
    "random_out",
    "random_regular",
    "remembered",
    "ring",
    "ring_lattice",
    "rules",
    "simple_base",
    "slem",
    "spectrum",
    "spectrum_ends",
    "star",
    "steady_consensus",
    "stl_fw",
    "stochastic_block_model",
    "table",
    "to_dict",
    "torus",
    "tree",
    "two_cliques",
    "u_equistatic",
    "uniform",
    "watts_strogatz",
    "weights_from_file",
]
