"""Who talks to whom: graphs, mixing matrices W, and their spectra.

from topologies import make, spectrum
spectrum(make("torus", 16))["gap"]      # 0.4
"""

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
from topologies.names import GRAPHS, find
from topologies.spectra import effective_neighbours, eigenvalues, slem, spectrum, steady_consensus
from topologies.topology import Static, Topology, check, make
from topologies.weights import metropolis

__all__ = [
    "GRAPHS",
    "Static",
    "Topology",
    "barabasi_albert",
    "check",
    "complete",
    "effective_neighbours",
    "eigenvalues",
    "erdos_renyi",
    "exponential",
    "find",
    "from_edges",
    "from_file",
    "grid",
    "hypercube",
    "make",
    "metropolis",
    "path",
    "random_geometric",
    "random_regular",
    "ring",
    "slem",
    "spectrum",
    "star",
    "steady_consensus",
    "to_dict",
    "torus",
    "watts_strogatz",
]
