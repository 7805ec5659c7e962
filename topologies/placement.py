"""Which rank plays which peer: placements in which few edges cross ranks, since a row that crosses has to travel.

A placement changes no result, only how much is sent between processes.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import reverse_cuthill_mckee

from dfedsam.errors import OptionError
from dfedsam.topologies.topology import Topology

Placement = Literal["contiguous", "reorder", "metis"]


def place(topology: Topology, size: int, placement: Placement = "reorder") -> NDArray[np.intp]:
    """The rank that plays each peer, shape (n,); every rank has as many as any other, or one less.

    Args:
        topology: who may hear whom; where any two peers may meet, all placements are alike.
        size: number of ranks, from 1 to n.
        placement: "contiguous" gives each rank a run of peers in the order of their numbers. "reorder" numbers them
            anew by reverse Cuthill–McKee, so that neighbours come close together, and cuts that into runs. "metis" cuts
            the graph by METIS, which finds fewer edges to cross. Both leave it at "contiguous" where that is as good.

    Raises:
        ValueError: if there is no such placement, or it needs pymetis and that is not installed.

    References:
        George (1971), "Computer implementation of the finite element method". Karypis and Kumar (1998), "A fast and
        high quality multilevel scheme for partitioning irregular graphs".
    """
    check_placement(placement)
    small, larger = divmod(topology.n, size)
    lengths = np.full(size, small) + (np.arange(size) < larger)
    runs = np.repeat(np.arange(size), lengths)
    support = None if placement == "contiguous" or size == 1 else topology.support()
    if support is None:
        return runs
    graph = sp.csr_array(support + support.T, dtype=np.int32)
    if placement == "reorder":
        found = np.empty_like(runs)
        found[reverse_cuthill_mckee(graph, symmetric_mode=True)] = runs
    else:
        found = _even(graph, _cut(graph, size), lengths)
    return found if crossings(graph, found) < crossings(graph, runs) else runs


def crossings(support: sp.csr_array, owner: NDArray[np.intp]) -> int:
    """How many entries of (n, n) join peers of two ranks, when rank owner[i] plays peer i: an edge counts twice."""
    entries = support.tocoo()
    return int(np.count_nonzero(owner[entries.row] != owner[entries.col]))


def check_placement(placement: str) -> None:
    """Raise ValueError unless there is such a placement, and what it needs is installed."""
    known = get_args(Placement)
    if placement not in known:
        raise OptionError("placement", placement, f"must be one of {', '.join(known)}")
    if placement == "metis":
        _pymetis()


def _pymetis() -> Any:
    try:
        import pymetis
    except ImportError:
        hint = "install it by `pip install 'dfedsam[metis]'`, or choose reorder"
        raise OptionError("placement", "metis", "needs the package pymetis", hint) from None
    return pymetis


def _cut(graph: sp.csr_array, size: int) -> NDArray[np.intp]:
    """METIS's parts of a symmetric graph (n, n), shape (n,); recursive bisection, which keeps them nearly even."""
    pymetis = _pymetis()
    adjacency = pymetis.CSRAdjacency(graph.indptr, graph.indices)
    return np.array(pymetis.part_graph(size, adjacency, recursive=True)[1], dtype=np.intp)


def _even(graph: sp.csr_array, owner: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Parts of just these lengths: peers that lose the fewest neighbours by it move to parts that are too small."""
    sizes = np.bincount(owner, minlength=len(lengths))
    rank = np.empty_like(lengths)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(lengths))  # the larger parts to the longer blocks
    owner = rank[owner]
    while True:
        surplus = np.bincount(owner, minlength=len(lengths)) - lengths
        over, under = int(surplus.argmax()), int(surplus.argmin())
        if surplus[over] == 0:
            return owner
        here = np.flatnonzero(owner == over)
        lost = (graph @ ((owner == over).astype(int) - (owner == under)))[here]
        owner[here[np.argsort(lost, kind="stable")[: min(surplus[over], -surplus[under])]]] = under
