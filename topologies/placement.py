"""Assign peers to ranks so that few edges cross ranks, since a row that crosses has to be sent.

A placement changes no result, only how much is sent between processes.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import reverse_cuthill_mckee

from dfedsam.errors import OptionError
from dfedsam.options import one_of
from dfedsam.topologies.topology import Topology, require_topology

Placement = Literal["contiguous", "reorder", "metis"]


def place(topology: Topology, size: int, placement: Placement = "reorder") -> NDArray[np.intp]:
    """Assign each peer to a rank, shape (n,); every rank has as many peers as any other, or one less.

    Args:
        topology: the topology; if any two peers may be joined, all placements are equally good.
        size: number of ranks, from 1 to n.
        placement: "contiguous" gives each rank consecutive peers. "reorder" first renumbers them by reverse
            Cuthill–McKee, so that neighbours are close together. "metis" partitions the graph by METIS, with fewer
            edges across. Both fall back to "contiguous" where that is as good.

    Raises:
        OptionError: if there is no such placement, or it needs pymetis and that is not installed.

    References:
        George (1971), "Computer implementation of the finite element method". Karypis and Kumar (1998), "A fast and
        high quality multilevel scheme for partitioning irregular graphs".
    """
    require_topology(topology)
    check_placement(placement)
    small, larger = divmod(topology.n, size)
    lengths = np.full(size, small) + (np.arange(size) < larger)
    runs = np.repeat(np.arange(size), lengths)
    support = None if placement == "contiguous" or size == 1 else topology.support()
    if support is None:
        return runs
    graph = sp.csr_array(support + support.T, dtype=np.int32)
    if placement == "reorder":
        owner = np.empty_like(runs)
        owner[reverse_cuthill_mckee(graph, symmetric_mode=True)] = runs
    else:
        owner = _even(graph, _partition(graph, size), lengths)
    return owner if crossings(graph, owner) < crossings(graph, runs) else runs


def crossings(support: sp.csr_array, owner: NDArray[np.intp]) -> int:
    """How many entries of (n, n) join peers of two ranks, where rank owner[i] has peer i: an edge counts twice."""
    entries = support.tocoo()
    return int(np.count_nonzero(owner[entries.row] != owner[entries.col]))


def check_placement(placement: str) -> None:
    """Raise OptionError unless there is such a placement, and its packages are installed."""
    one_of("placement", placement, get_args(Placement))
    if placement == "metis":
        _pymetis()


def _pymetis() -> Any:
    try:
        import pymetis
    except ImportError:
        hint = "install it by `pip install 'dfedsam[metis]'`, or choose reorder"
        raise OptionError("placement", "metis", "needs the package pymetis", hint) from None
    return pymetis


def _partition(graph: sp.csr_array, size: int) -> NDArray[np.intp]:
    """METIS's partition of a symmetric graph (n, n), shape (n,), by recursive bisection, which keeps it nearly even."""
    pymetis = _pymetis()
    adjacency = pymetis.CSRAdjacency(graph.indptr, graph.indices)
    return np.array(pymetis.part_graph(size, adjacency, recursive=True)[1], dtype=np.intp)


def _even(graph: sp.csr_array, owner: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Move peers to parts that are too small, those that lose fewest neighbours first, until sizes are `lengths`."""
    sizes = np.bincount(owner, minlength=len(lengths))
    rank = np.empty_like(lengths)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(lengths))  # the larger parts to the longer blocks
    owner = rank[owner]
    while True:
        surplus = np.bincount(owner, minlength=len(lengths)) - lengths
        over, under = int(surplus.argmax()), int(surplus.argmin())
        if surplus[over] == 0:
            return owner
        members = np.flatnonzero(owner == over)
        cost = (graph @ ((owner == over).astype(int) - (owner == under)))[members]
        owner[members[np.argsort(cost, kind="stable")[: min(surplus[over], -surplus[under])]]] = under
