"""Mixing matrices from files: as the weights of a graph, or as a whole topology whose graph is where W is not zero.

The suffix says the format. `.csv`, `.txt`: the rows of W, numbers separated by commas or spaces, # begins a comment.
`.npy`: a numpy array. `.npz`: what `scipy.sparse.save_npz` writes. `.mtx`: Matrix Market.
"""

from __future__ import annotations

import bz2
import gzip
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam.errors import OptionError
from dfedsam.topologies.matrices import adjacency_matrix
from dfedsam.topologies.normalize import normalize_graph
from dfedsam.topologies.schedule import Periodic
from dfedsam.topologies.topology import TOLERANCE, Sums, Topology
from dfedsam.topologies.weights.rules import weight_rule

_COMPRESSED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_SINGLE = 1e-5  # what single precision may leave of a sum of one


def from_weights(path: str | Path) -> Topology:
    """A topology from its mixing matrix alone: its graph is where W differs from zero.

    Undirected where W is symmetric, directed otherwise. Where rows and columns sum to one gossip keeps the mean; where
    columns alone do, it is for push-sum; where rows alone do, it is biased. The diagonal of a symmetric W in single
    precision, as torch writes it, is completed so that rows sum to one exactly, with a note.

    Args:
        path: the file, .csv, .txt, .npy, .npz or .mtx: W[i, j] is the weight with which peer i takes in the row of peer
            j. Entries may be negative.

    Raises:
        OptionError: if the file is missing or malformed, or neither the rows nor the columns sum to one (the message
            names a row).
    """
    content = _read(path)
    return topology_of_matrix(path, _square(path, content), dtype=getattr(content, "dtype", None))


@weight_rule()
def weights_from_file(graph: nx.Graph, path: str | Path) -> sp.csr_array:
    """The weights of a graph from a file.

    Args:
        graph: of n peers; directed or not, without self-loops.
        path: the file, .csv, .txt, .npy, .npz or .mtx: W of n × n, where W[i, j] is the weight with which peer i takes
            in the row of peer j, zero where no edge leads from j to i. Entries may be negative. On an undirected graph
            W is symmetric and its rows sum to one; on a directed one its columns do, as push-sum wants it.

    Returns:
        W of shape (n, n), float64, sorted indices.

    Raises:
        OptionError: if the file is missing or malformed, or W does not fit the graph; names the row.
    """
    graph, content = normalize_graph(graph), _read(path)
    W = _completed(_square(path, content), getattr(content, "dtype", None))
    n, size = len(graph), len(W.indptr) - 1
    if size != n:
        raise _wrong(path, f"must have {n} rows, one for each of the graph's peers, but it has {size}")
    entries, edges = W.tocoo(), adjacency_matrix(graph).T.tocsr()
    joined = np.asarray(edges[entries.row, entries.col]).ravel() != 0
    outside = np.flatnonzero((entries.row != entries.col) & ~joined)
    if outside.size:
        i, j, weight = (part[outside[0]] for part in (entries.row, entries.col, entries.data))
        but = f"row {i} gives peer {j} the weight {weight:.6g} and no edge joins them"
        raise _wrong(path, f"must be zero off the graph, but {but}")
    axis = 0 if graph.is_directed() else 1
    if uneven(W, axis) is not None:
        turned = graph.is_directed() and uneven(W, 1) is None
        raise _sum(path, W, axis, "its rows do: transpose it if row i is what peer i sends" if turned else "")
    skew = None if graph.is_directed() else _skew(W)
    if skew is not None:
        i, j = skew
        but = f"row {i} gives peer {j} the weight {W[i, j]:.15g} and gets {W[j, i]:.15g}"
        raise _wrong(path, f"must be symmetric on an undirected graph, but {but}")
    return W


def topology_of_matrix(path: str | Path, W: sp.csr_array, dtype: Any = None) -> Topology:
    """The topology of a W that was read from a file.

    Args:
        path: the file, for messages.
        W: shape (n, n), float64.
        dtype: the type in which the file had it.

    Raises:
        OptionError: if neither rows nor columns sum to one.
    """
    completed = _completed(W, dtype)
    rows, columns = (uneven(completed, axis) is None for axis in (1, 0))
    if not rows and not columns:
        raise _sum(path, W, axis=1)
    sums: Sums = "both" if rows and columns else "rows" if rows else "columns"
    topology = Periodic([completed], directed=_skew(completed) is not None, sums=sums)
    if completed is not W:
        topology.notes = (f"{Path(path).name}: single precision; its diagonal is completed to exact sums of one",)
    return topology


def square_matrix(content: Any) -> sp.csr_array:
    """The content of a file, as a square matrix of finite numbers: csr, float64, sorted indices, no zeros stored.

    Raises:
        ValueError: if it is no such matrix.
    """
    array: Any = content if sp.issparse(content) else np.asarray(content)
    shape = " × ".join(map(str, array.shape))
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] < 2:
        raise ValueError(f"it is {shape or 'a number'}, and not n × n with n of at least 2")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"its numbers are of type {array.dtype}, and not real")
    W = sp.csr_array(array, dtype=np.float64)
    W.sum_duplicates()
    W.eliminate_zeros()
    W.indices, W.indptr = W.indices.astype(np.int32), W.indptr.astype(np.int32)
    wrong = np.flatnonzero(~np.isfinite(W.data))
    if wrong.size:
        row = np.searchsorted(W.indptr, wrong[0], side="right") - 1
        raise ValueError(f"row {row} has the number {W.data[wrong[0]]}")
    return W


def uneven(W: sp.csr_array, axis: int) -> int | None:
    """The first row (axis 1) or column (axis 0) that does not sum to one."""
    wrong = np.flatnonzero(np.abs(np.asarray(W.sum(axis=axis)) - 1) > TOLERANCE)
    return int(wrong[0]) if wrong.size else None


def _completed(W: sp.csr_array, dtype: Any) -> sp.csr_array:
    """A symmetric W of single precision with a diagonal that completes its rows to one; any other as it is."""
    if dtype != np.float32 or _skew(W) is not None or uneven(W, 1) is None:
        return W
    rest = 1 - np.asarray(W.sum(axis=1))
    if np.abs(rest).max() > _SINGLE:
        return W
    completed = sp.csr_array(W + sp.diags_array(rest))
    completed = sp.csr_array(completed + sp.diags_array(1 - np.asarray(completed.sum(axis=1))))
    completed.sort_indices()
    return completed


def _skew(W: sp.csr_array) -> tuple[int, int] | None:
    """The first entry that differs from the one across the diagonal."""
    skew = (W - W.T).tocoo()
    wrong = np.flatnonzero(np.abs(skew.data) > TOLERANCE)
    return (int(skew.row[wrong[0]]), int(skew.col[wrong[0]])) if wrong.size else None


def _sum(path: str | Path, W: sp.csr_array, axis: int, hint: str = "") -> OptionError:
    line, i = "row" if axis else "column", uneven(W, axis)
    total = float(np.asarray(W.sum(axis=axis))[i])
    rule = f"must have {line}s that sum to 1 within {TOLERANCE:g}, but {line} {i} sums to {total:.15g}"
    return OptionError("weights", path, rule, hint or "fix it, and write all digits; or set form to adjacency")


def _wrong(path: str | Path, rule: str) -> OptionError:
    return OptionError("weights", path, rule, "fix it")


def _square(path: str | Path, content: Any) -> sp.csr_array:
    try:
        return square_matrix(content)
    except ValueError as error:
        raise _wrong(path, f"must hold a matrix, but: {error}") from None


def _read(path: str | Path) -> Any:
    """The matrix in a file, as it is there."""
    path = Path(path)
    reader = MATRIX_READERS.get(path.suffix.lower())
    if reader is None:
        rule = f"must be a file with one of the suffixes {', '.join(SUFFIXES)}, which say the format"
        raise OptionError("weights", path, rule, "rename it")
    try:
        path.open("rb").close()  # some readers have errors of their own for what cannot be read
        return reader(path)
    except OSError as error:
        rule = f"must be a file that can be read, but: {error.strerror or error}"
        raise OptionError("weights", path, rule, "fix the path") from None
    except (ValueError, TypeError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _wrong(path, f"must hold a matrix, but: {reason}") from None


def opened(path: Path, mode: str) -> Any:
    """A file that may be compressed (.gz, .bz2), as binary ("rb") or as text ("rt")."""
    opener: Callable[..., Any] = _COMPRESSED.get(path.suffix.lower(), open)
    return opener(path, mode, encoding="utf-8-sig") if "t" in mode else opener(path, mode)


def _text(path: Path) -> Any:
    rows: list[list[float]] = []
    with opened(path, "rt") as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines, start=1):
        fields = line.split("#")[0].replace(",", " ").split()
        if not fields:
            continue
        try:
            rows.append([float(field) for field in fields])
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if len(fields) != len(rows[0]):
            raise ValueError(f"line {number} has {len(fields)} numbers, and the first {len(rows[0])}")
    if not rows:
        raise ValueError("it is empty")
    return np.array(rows)


def _array(path: Path) -> Any:
    if path.suffix.lower() == ".npy":  # mapped, so that a file that claims more than it holds takes no memory
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            if "pickled" in str(error) or "Python objects" in str(error):
                raise ValueError("it holds Python objects, or is no numpy file") from None
            raise
    with opened(path, "rb") as file:
        return np.load(file, allow_pickle=False)


def _archive(path: Path) -> Any:
    with opened(path, "rb") as file:
        return sp.load_npz(file)


def _market(path: Path) -> Any:
    from scipy.io import mminfo, mmread  # slow to import

    rows, columns, *_ = mminfo(path)
    if rows != columns:
        raise ValueError(f"it is {rows} × {columns}, and not n × n with n of at least 2")
    return mmread(path)


MATRIX_READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": _text,
    ".txt": _text,
    ".npy": _array,
    ".npz": _archive,
    ".mtx": _market,
}
SUFFIXES = tuple(MATRIX_READERS)
