"""Who talks to whom: graphs, mixing matrices W, and their spectra.

from topologies import make, spectrum
spectrum(make("torus", 16))["gap"]      # 0.4
"""

from topologies.check import check
from topologies.distinct import distinct_eigenvalues, spectrum_ends
from topologies.files import from_file, to_dict
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
from topologies.make import make
from topologies.names import find, find_rule, rules, table
from topologies.schedule import Drawn, Periodic
from topologies.spectra import effective_neighbours, eigenvalues, slem, spectrum, steady_consensus
from topologies.topology import Static, Topology
from topologies.weights import metropolis, out_degree

__all__ = [
    "Drawn",
    "Periodic",
    "Static",
    "Topology",
    "barabasi_albert",
    "check",
    "complete",
    "distinct_eigenvalues",
    "effective_neighbours",
    "eigenvalues",
    "erdos_renyi",
    "exponential",
    "find",
    "find_rule",
    "from_edges",
    "from_file",
    "grid",
    "hypercube",
    "make",
    "metropolis",
    "out_degree",
    "path",
    "random_geometric",
    "random_regular",
    "ring",
    "rules",
    "slem",
    "spectrum",
    "spectrum_ends",
    "star",
    "steady_consensus",
    "table",
    "to_dict",
    "torus",
    "watts_strogatz",
]
