"""Mixing matrices from files: as the weights of a graph, or as a whole topology whose graph is where W is not zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from dfedsam.errors import OptionError
from dfedsam.topologies.graph import AnyGraph, as_graph
from dfedsam.topologies.matrices import TOLERANCE, skew, square_matrix, uneven
from dfedsam.topologies.readers import MATRIX_SUFFIXES, content_of
from dfedsam.topologies.schedule import Periodic
from dfedsam.topologies.topology import Sums, Topology
from dfedsam.topologies.weights.rules import weight_rule

_SINGLE = 1e-5  # what single precision may leave of a sum of one


def from_weights(path: str | Path) -> Topology:
    """A topology from its mixing matrix alone: its graph is where W differs from zero.

    Undirected where W is symmetric, directed otherwise. Where rows and columns sum to one gossip keeps the mean; where
    columns alone do, it is for push-sum; where rows alone do, it is biased. The diagonal of a symmetric W in single
    precision, as torch writes it, is completed so that rows sum to one exactly, with a note.

    Args:
        path: the file, .csv, .txt, .npy, .npz (`scipy.sparse.save_npz`) or .mtx: W[i, j] is the weight with which peer
            i takes in the row of peer j. Entries may be negative.

    Raises:
        OptionError: if the file is missing or malformed, or neither the rows nor the columns sum to one (the message
            names a row).
    """
    matrix, dtype = _matrix(path)
    return topology_of_matrix(path, matrix, dtype=dtype)


@weight_rule(arrays=True)
def weights_from_file(graph: AnyGraph, path: str | Path) -> sp.csr_array:
    """The weights of a graph from a file.

    Args:
        graph: of n peers, directed or not.
        path: the file, as for `from_weights`: W of n × n, zero where no edge leads from j to i. On an undirected graph
            W is symmetric and its rows sum to one; on a directed one its columns do, as push-sum wants it.

    Raises:
        OptionError: if the file is missing or malformed, or W does not fit the graph; names the row.
    """
    graph, W = as_graph(graph), _completed(*_matrix(path))
    n, size = graph.n, len(W.indptr) - 1
    if size != n:
        raise _wrong(path, f"must have {n} rows, one for each of the graph's peers, but it has {size}")
    edges = graph.adjacency.T.tocsr()
    entries = W.tocoo()
    joined = np.asarray(edges[entries.row, entries.col]).ravel() != 0
    outside = np.flatnonzero((entries.row != entries.col) & ~joined)
    if outside.size:
        i, j, weight = (part[outside[0]] for part in (entries.row, entries.col, entries.data))
        but = f"row {i} gives peer {j} the weight {weight:.6g} and no edge joins them"
        raise _wrong(path, f"must be zero off the graph, but {but}")
    axis = 0 if graph.directed else 1
    if uneven(W, axis) is not None:
        turned = graph.directed and uneven(W, 1) is None
        raise _sum(path, W, axis, "its rows do: transpose it if row i is what peer i sends" if turned else "")
    if not graph.directed and (one_sided := skew(W)) is not None:
        i, j = one_sided
        but = f"row {i} gives peer {j} the weight {W[i, j]:.15g} and gets {W[j, i]:.15g}"
        raise _wrong(path, f"must be symmetric on an undirected graph, but {but}")
    return W


def topology_of_matrix(name: object, W: sp.csr_array, dtype: Any = None) -> Topology:
    """The topology of a square W of finite numbers; raises OptionError if neither rows nor columns sum to one.

    Messages call it `name`; `dtype` is the type in which it was given.
    """
    completed = _completed(W, dtype)
    rows, columns = (uneven(completed, axis) is None for axis in (1, 0))
    if not rows and not columns:
        raise _sum(name, W, axis=1)
    sums: Sums = "both" if rows and columns else "rows" if rows else "columns"
    topology = Periodic([completed], directed=skew(completed) is not None, sums=sums)
    if completed is not W:
        note = f"{Path(str(name)).name}: single precision; its diagonal is completed to exact sums of one"
        topology.notes = (note,)
    return topology


def _completed(W: sp.csr_array, dtype: Any) -> sp.csr_array:
    """A symmetric W of single precision with a diagonal that completes its rows to one; any other as it is."""
    if dtype != np.float32 or skew(W) is not None or uneven(W, 1) is None:
        return W
    rest = 1 - np.asarray(W.sum(axis=1))
    if np.abs(rest).max() > _SINGLE:
        return W
    completed = sp.csr_array(W + sp.diags_array(rest))
    completed = sp.csr_array(completed + sp.diags_array(1 - np.asarray(completed.sum(axis=1))))
    completed.sort_indices()
    return completed


def _sum(path: object, W: sp.csr_array, axis: int, hint: str = "") -> OptionError:
    line, i = "row" if axis else "column", uneven(W, axis)
    total = float(np.asarray(W.sum(axis=axis))[i])
    rule = f"must have {line}s that sum to 1 within {TOLERANCE:g}, but {line} {i} sums to {total:.15g}"
    return OptionError("weights", path, rule, hint or "fix it, and write all digits; or set form to adjacency")


def _wrong(path: object, rule: str) -> OptionError:
    return OptionError("weights", path, rule, "fix it")


def _matrix(path: str | Path) -> tuple[sp.csr_array, Any]:
    """The square matrix in a file, and the type of its numbers there."""
    try:
        content = content_of(Path(path), "weights", False, MATRIX_SUFFIXES, [])
        return square_matrix(content), getattr(content, "dtype", None)
    except OptionError as error:
        raise OptionError("weights", path, error.rule, error.hint) from None
    except ValueError as error:
        raise _wrong(path, f"must hold a matrix, but: {error}") from None
