"""The check before round 0: nothing is averaged with a matrix that is not sound."""

import math

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from dfedsam.topologies.topology import TOLERANCE, Topology

DRAWS = 20  # rounds that are looked at where W_t is drawn afresh in each


def check(topology: Topology) -> None:
    """Check the matrices of a topology: all of a period, or the first DRAWS where they are drawn.

    The lines that should sum to one do so within 1e-12, W_t is symmetric unless the topology is directed or only rows
    or columns should sum to one, zero off the topology's support, and the peers are connected by the support. Entries
    may be negative.

    Raises:
        ValueError: names the round, the row and what is wrong with it.
    """
    n, rounds = topology.n, range(topology.period or DRAWS)
    own = type(topology).graph is not Topology.graph  # otherwise it is read off W_t, in order
    if own and list(topology.graph(0)) != list(range(n)):
        raise ValueError(f"graph of round 0 must have the peers 0 to {n - 1} in order; number it with topologies.tidy")
    support = topology.support()
    for t in rounds:
        W = topology.weights(t)
        if not (sp.issparse(W) and W.format == "csr" and W.dtype == np.float64 and W.shape == (n, n)):
            raise ValueError(
                f"W_{t} must be a scipy.sparse csr_array of float64 and shape ({n}, {n}); mend the weight rule"
            )
        _check_sums(t, W, topology.sums)
        if support is not None:
            _check_places(t, W, support)
        if not topology.directed and topology.sums == "both":
            _check_symmetry(t, W)
    if support is None:  # any two peers may meet
        return
    parts, part = connected_components(support, directed=True, connection="strong")
    if parts > 1:
        alone = int(np.flatnonzero(part != part[0])[0])
        when = "" if topology.period == 1 else " in any round" if topology.period is None else " over its period"
        raise ValueError(
            f"topology is not connected{when}: peers 0 and {alone} never hear of each other "
            f"({parts} parts); add edges, or draw another graph"
        )


def _check_sums(t: int, W: sp.csr_array, sums: str) -> None:
    lines = [(1, "row")] if sums != "columns" else []
    lines += [(0, "column")] if sums != "rows" else []
    for axis, line in lines:
        totals = np.asarray(W.sum(axis=axis))
        doubtful = np.flatnonzero(~(np.abs(totals - 1) <= TOLERANCE))  # also where a sum is nan
        lines_of_W = W.T.tocsr() if axis == 0 and doubtful.size else W
        for i in doubtful.tolist():  # sums of many thousand entries have rounding errors of their own
            entries = lines_of_W.data[lines_of_W.indptr[i] : lines_of_W.indptr[i + 1]]
            total = math.fsum(entries) if np.isfinite(entries).all() else totals[i]
            if not abs(total - 1) <= TOLERANCE:
                raise ValueError(
                    f"W_{t}: {line} {i} sums to {total:.15g}: it must be 1 within {TOLERANCE:g}; mend the weight rule"
                )


def _check_places(t: int, W: sp.csr_array, support: sp.csr_array) -> None:
    entries = W.tocoo()
    i, j = entries.row, entries.col
    apart = (entries.data != 0) & (i != j) & ~np.asarray(support[i, j]).ravel().astype(bool)
    if apart.any():
        row, column = int(i[apart][0]), int(j[apart][0])
        raise ValueError(
            f"W_{t}: row {row} gives peer {column} the weight {W[row, column]:.3g}, but no edge joins them: "
            "it must be zero off the graph; mend the weight rule"
        )


def _check_symmetry(t: int, W: sp.csr_array) -> None:
    skew = (W - W.T).tocoo()
    bad = np.flatnonzero(np.abs(skew.data) > TOLERANCE)
    if bad.size:
        row, column = int(skew.row[bad[0]]), int(skew.col[bad[0]])
        raise ValueError(
            f"W_{t}: row {row} gives peer {column} the weight {W[row, column]:.15g} and gets "
            f"{W[column, row]:.15g}: W must be symmetric on an undirected graph; mend the weight rule"
        )
