"""Graphs designed for a physical network, so that a round takes little time on it.

Peers stand at the first n sites of an underlay (`topologies.underlay`), and a link costs what a message takes on it:
latency along the shortest path, plus the message's bits over the bandwidth of that path. Source of all three: Marfoq et
al. (2020), "Throughput-optimal topology design for cross-silo federated learning".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfedsam.options import at_least, positive, whole_number
from dfedsam.topologies.graph import Graph
from dfedsam.topologies.graphs.helpers import Edges, graph, of_edges
from dfedsam.topologies.underlay import bounded_tree_of, read_underlay, spanning_tree_of, tour_of


@graph()
def mst(n: int, underlay: str = "geant", message: float = 1e6, core: float = 1e9) -> Edges:
    """The spanning tree of least total cost on an underlay.

    Args:
        n: number of peers.
        underlay: gaia, aws_north_america, geant, exodus, ebone, or a GML or JSON file.
        message: bytes of a message, at least 0.
        core: bandwidth of the links between sites in bits per second, above 0.
    """
    return spanning_tree_of(_costs(n, underlay, message, core))


@graph()
def christofides(
    n: int, underlay: str = "geant", message: float = 1e6, core: float = 1e9, published: bool = False
) -> Graph:
    """A ring of small total cost on an underlay: Christofides' tour, shortened by exchanges of two edges.

    Args:
        n: number of peers.
        underlay: as for `mst`.
        message: bytes of a message, at least 0.
        core: bandwidth of the links between sites in bits per second, above 0.
        published: whether to take the ring of Marfoq et al.: the tour is not shortened, and messages go around one way.
            Where several matchings have one length, rounding chooses, and cycle times are up to 2.2 % from theirs.
    """
    tour = np.array(tour_of(_costs(n, underlay, message, core), shorten=not published))
    return of_edges("christofides", n, np.stack([tour, np.roll(tour, -1)], axis=1), directed=published)


@graph()
def bounded_tree(n: int, underlay: str = "geant", degree: int = 3, message: float = 1e6, core: float = 1e9) -> Edges:
    """A spanning tree of small total cost on an underlay in which no peer has more than `degree` neighbours.

    Args:
        n: number of peers.
        underlay: as for `mst`.
        degree: δ, at least 2.
        message: bytes of a message, at least 0.
        core: bandwidth of the links between sites in bits per second, above 0.
    """
    whole_number("degree", degree, 2)
    return bounded_tree_of(_costs(n, underlay, message, core), degree)


def _costs(n: int, name: str, message: float, core: float) -> NDArray[np.float64]:
    at_least("message", message, 0)
    positive("core", core)
    underlay = read_underlay(name)
    underlay.require_sites(n, "underlay", name)
    return (underlay.latency() + 8 * message / underlay.available_bandwidth(core))[:n, :n]
