"""The check before round 0: nothing is averaged with a matrix that is not sound."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import aslinearoperator, eigs

from dfedsam.topologies.graph import pattern
from dfedsam.topologies.matrices import skew
from dfedsam.topologies.spectra.extremes import DENSE
from dfedsam.topologies.topology import TOLERANCE, Static, Topology, require_topology

SAMPLED_ROUNDS = 20  # rounds to check if W_t is random
_BLOCK = 1 << 20  # entries of W that are compared with the graph at once
_LISTED = 10_000  # peers up to which the graph of networkx is looked at


def verify(topology: Topology) -> None:
    """Check the matrices of a topology: all of a period, or the first SAMPLED_ROUNDS where they are drawn.

    The lines that should sum to one do so within 1e-12. W_t is symmetric unless the topology is directed or only rows
    or columns should sum to one. It is zero off the topology's support, and the support connects the peers. Entries
    may be negative.

    Raises:
        ValueError: names the round, the row and the problem.

    >>> from dfedsam.topologies import make
    >>> verify(make("ring", 8))
    """
    require_topology(topology)
    n, rounds = topology.n, range(topology.period or SAMPLED_ROUNDS)
    custom = type(topology).graph not in (Topology.graph, Static.graph)  # these two number their peers themselves
    if custom and n <= _LISTED and list(topology.graph(0)) != list(range(n)):
        raise ValueError(f"graph of round 0 must have the peers 0 to {n - 1} in order; number it by normalize_graph")
    support = topology.support()
    for t in rounds:
        W: Any = topology.weights(t)
        if not (sp.issparse(W) and W.format == "csr" and W.dtype == np.float64 and W.shape == (n, n)):
            raise ValueError(
                f"W_{t} must be a scipy.sparse csr_array of float64 and shape ({n}, {n}); fix the weight rule"
            )
        _check_sums(t, W, topology.sums)
        if support is not None:
            _check_entries(t, W, support)
        if not topology.directed and topology.sums == "both":
            _check_symmetry(t, W)
    if topology.period == 1 and (topology.weights(0).data < 0).any():
        _check_growth(topology.weights(0))
    if support is None:  # any two peers may meet
        return
    count, component = connected_components(support, directed=True, connection="strong")
    if count > 1:
        other = int(np.flatnonzero(component != component[0])[0])
        when = "" if topology.period == 1 else " in any round" if topology.period is None else " over its period"
        raise ValueError(
            f"topology is not connected{when}: peers 0 and {other} never hear of each other "
            f"({count} components); {topology.connect_hint}"
        )


def contraction_factor(W: sp.csr_array) -> float:
    """The largest modulus of the eigenvalues of W - J, J = 11ᵀ/n: the peers' differences shrink by it in the long run.

    The rows or the columns of W sum to one.
    """
    n = len(W.indptr) - 1
    if n <= DENSE:
        values = np.linalg.eigvals(W.toarray() - 1 / n)
    else:
        centred = aslinearoperator(W) - aslinearoperator(np.full((n, 1), 1 / n)) @ aslinearoperator(np.ones((1, n)))
        values = np.asarray(eigs(centred, k=1, v0=np.sin(np.arange(1.0, n + 1)), return_eigenvectors=False))
    return float(np.abs(values).max())


def _check_growth(W: sp.csr_array) -> None:
    """Negative weights may make differences grow; others cannot."""
    factor = contraction_factor(W)
    if factor > 1 + TOLERANCE:
        raise ValueError(f"W_0: the peers would diverge: λ is {factor:.6g}; it must be below 1; fix the weights")


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
                    f"W_{t}: {line} {i} sums to {total:.15g}: it must be 1 within {TOLERANCE:g}; fix the weight rule"
                )


def _check_entries(t: int, W: sp.csr_array, support: sp.csr_array) -> None:
    n = len(W.indptr) - 1
    cuts = np.searchsorted(W.indptr, np.arange(_BLOCK, W.nnz, _BLOCK)).tolist()
    for first, last in pairwise([0, *cuts, n]):  # some rows at a time, to save memory
        rows, allowed = sp.csr_array(W[first:last]), sp.csr_array(support[first:last])
        entries = rows.tocoo()
        links = (entries.data != 0) & (entries.row + first != entries.col)
        if (pattern(rows).multiply(allowed)).nnz == np.count_nonzero(links) == len(entries.data) - (last - first):
            continue
        off = entries.row[links], entries.col[links]
        outside = ~np.asarray(allowed[off]).ravel().astype(bool)
        if outside.any():
            row, column = int(off[0][outside][0]), int(off[1][outside][0])
            raise ValueError(
                f"W_{t}: row {row + first} gives peer {column} the weight {rows[row, column]:.3g}, but no edge joins "
                "them: it must be zero off the graph; fix the weight rule"
            )


def _check_symmetry(t: int, W: sp.csr_array) -> None:
    if (one_sided := skew(W)) is not None:
        row, column = one_sided
        raise ValueError(
            f"W_{t}: row {row} gives peer {column} the weight {W[row, column]:.15g} and gets "
            f"{W[column, row]:.15g}: W must be symmetric on an undirected graph; fix the weight rule"
        )
