# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .files import from_file as from_file, to_dict as to_dict
from .graphs.classic import (
    barbell as barbell,
    binary_tree as binary_tree,
    caveman as caveman,
    complete as complete,
    complete_bipartite as complete_bipartite,
    davis as davis,
    florentine as florentine,
    from_edges as from_edges,
    karate as karate,
    les_miserables as les_miserables,
    lollipop as lollipop,
    path as path,
    ring as ring,
    star as star,
    tree as tree,
    two_cliques as two_cliques,
)
from .graphs.designs import bounded_tree as bounded_tree, christofides as christofides, mst as mst
from .graphs.expanders import margulis as margulis, paley as paley, petersen as petersen
from .graphs.lattices import (
    chordal_ring as chordal_ring,
    circulant as circulant,
    directed_exponential as directed_exponential,
    directed_ring as directed_ring,
    exponential as exponential,
    grid as grid,
    hypercube as hypercube,
    ring_lattice as ring_lattice,
    torus as torus,
)
from .graphs.random import (
    barabasi_albert as barabasi_albert,
    erdos_renyi as erdos_renyi,
    random_geometric as random_geometric,
    random_out as random_out,
    random_regular as random_regular,
    stochastic_block_model as stochastic_block_model,
    watts_strogatz as watts_strogatz,
)
from .make import make as make
from .registry import find as find, find_rule as find_rule, reader as reader, rules as rules, table as table
from .schedule import Drawn as Drawn, Periodic as Periodic
from .schedules.combined import (
    dense_late as dense_late,
    final_merge as final_merge,
    random_choice as random_choice,
    round_robin as round_robin,
)
from .schedules.equitopo import (
    d_equistatic as d_equistatic,
    od_equidyn as od_equidyn,
    ou_equidyn as ou_equidyn,
    u_equistatic as u_equistatic,
)
from .schedules.failures import latency as latency, link_failures as link_failures, peer_dropout as peer_dropout
from .schedules.finite_time import base as base, hyper_hypercube as hyper_hypercube, simple_base as simple_base
from .schedules.from_data import d_cliques as d_cliques, stl_fw as stl_fw
from .schedules.matcha import matcha as matcha
from .schedules.one_peer import (
    ceca as ceca,
    one_peer_exponential as one_peer_exponential,
    one_peer_grid as one_peer_grid,
    one_peer_hypercube as one_peer_hypercube,
    one_peer_ring as one_peer_ring,
)
from .schedules.randomized import (
    el_local as el_local,
    el_oracle as el_oracle,
    pairwise as pairwise,
    random_matching as random_matching,
    random_neighbours as random_neighbours,
)
from .schedules.teleportation import teleportation as teleportation
from .spectra.contraction import expected_contraction as expected_contraction
from .spectra.neighbours import effective_neighbours as effective_neighbours
from .spectra.spectrum import Spectrum as Spectrum, spectrum as spectrum
from .spectra.symmetric import (
    cache_by_id as cache_by_id,
    distinct_eigenvalues as distinct_eigenvalues,
    eigenvalues as eigenvalues,
    slem as slem,
    spectrum_ends as spectrum_ends,
    steady_consensus as steady_consensus,
)
from .topology import Static as Static, Topology as Topology
from .verify import verify as verify
from .weights.fastest import fastest as fastest, fastest_nonnegative as fastest_nonnegative
from .weights.files import from_weights as from_weights, weights_from_file as weights_from_file
from .weights.rules import (
    WeightRule as WeightRule,
    best_constant as best_constant,
    lazy as lazy,
    max_degree as max_degree,
    metropolis as metropolis,
    out_degree as out_degree,
    uniform as uniform,
    weight_rule as weight_rule,
)
