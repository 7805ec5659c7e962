"""Mixing matrices from files: as the weights of a graph, or as a whole topology whose graph is where they are not zero.

The suffix says the format. `.csv`, `.txt`: the rows of W, numbers apart by commas or spaces, # begins a comment.
`.npy`: a numpy array. `.npz`: what `scipy.sparse.save_npz` writes. `.mtx`: Matrix Market.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.matrices import adjacency_matrix
from dfedsam.topologies.normalize import normalize_graph
from dfedsam.topologies.schedule import Periodic
from dfedsam.topologies.topology import TOLERANCE, Sums, Topology
from dfedsam.topologies.weights.rules import weight_rule


def from_weights(path: str | Path) -> Topology:
    """A topology from its mixing matrix alone: its graph is where W differs from zero.

    Undirected where W is symmetric, directed otherwise. Where rows and columns sum to one gossip keeps the mean; where
    columns alone do, it is for push-sum; where rows alone do, it is biased.

    Args:
        path: The file, .csv, .npy, .npz or .mtx: W[i, j] is the weight with which peer i takes in the row of peer j.
            Entries may be negative.

    Raises:
        ValueError: if the file is missing or malformed, or neither the rows nor the columns sum to one (the message
            names a row).
    """
    W = _read(path)
    rows, columns = (_uneven(W, axis) is None for axis in (1, 0))
    if not rows and not columns:
        raise _sum(path, W, axis=1)
    sums: Sums = "both" if rows and columns else "rows" if rows else "columns"
    return Periodic([W], directed=_skew(W) is not None, sums=sums)


@weight_rule()
def weights_from_file(graph: nx.Graph, path: str | Path) -> sp.csr_array:
    """The weights of a graph from a file.

    Args:
        graph: Of n peers; directed or not, without self-loops.
        path: The file, .csv, .txt, .npy, .npz or .mtx: W of n × n, where W[i, j] is the weight with which peer i takes
            in the row of peer j, zero where no edge leads from j to i. Entries may be negative. On an undirected graph
            W is symmetric and its rows sum to one; on a directed one its columns do, as push-sum wants it.

    Returns:
        W of shape (n, n), float64, sorted indices.

    Raises:
        ValueError: if the file is missing or malformed, or W does not fit the graph; names the row.
    """
    graph, W = normalize_graph(graph), _read(path)
    n, size = len(graph), len(W.indptr) - 1
    if size != n:
        raise _wrong(path, f"must have {n} rows, one for each of the graph's peers, but it has {size}")
    entries, edges = W.tocoo(), adjacency_matrix(graph).T.tocsr()
    joined = np.asarray(edges[entries.row, entries.col]).ravel() != 0
    apart = np.flatnonzero((entries.row != entries.col) & ~joined)
    if apart.size:
        i, j, weight = (part[apart[0]] for part in (entries.row, entries.col, entries.data))
        but = f"row {i} gives peer {j} the weight {weight:.6g} and no edge joins them"
        raise _wrong(path, f"must be zero off the graph, but {but}")
    axis = 0 if graph.is_directed() else 1
    if _uneven(W, axis) is not None:
        turned = graph.is_directed() and _uneven(W, 1) is None
        raise _sum(path, W, axis, "its rows do: transpose it if a row is what a peer sends" if turned else "")
    skew = None if graph.is_directed() else _skew(W)
    if skew is not None:
        i, j = skew
        but = f"row {i} gives peer {j} the weight {W[i, j]:.15g} and gets {W[j, i]:.15g}"
        raise _wrong(path, f"must be symmetric on an undirected graph, but {but}")
    return W


def _uneven(W: sp.csr_array, axis: int) -> int | None:
    """The first row (axis 1) or column (axis 0) that does not sum to one."""
    wrong = np.flatnonzero(np.abs(np.asarray(W.sum(axis=axis)) - 1) > TOLERANCE)
    return int(wrong[0]) if wrong.size else None


def _skew(W: sp.csr_array) -> tuple[int, int] | None:
    """The first entry that differs from the one across the diagonal."""
    skew = (W - W.T).tocoo()
    wrong = np.flatnonzero(np.abs(skew.data) > TOLERANCE)
    return (int(skew.row[wrong[0]]), int(skew.col[wrong[0]])) if wrong.size else None


def _sum(path: str | Path, W: sp.csr_array, axis: int, hint: str = "") -> OptionError:
    line, i = "row" if axis else "column", _uneven(W, axis)
    total = float(np.asarray(W.sum(axis=axis))[i])
    rule = f"must have {line}s that sum to 1 within {TOLERANCE:g}, but {line} {i} sums to {total:.15g}"
    return OptionError("weights", path, rule, hint or "fix it, and write all digits")


def _wrong(path: str | Path, rule: str) -> OptionError:
    return OptionError("weights", path, rule, "fix it")


def _read(path: str | Path) -> sp.csr_array:
    """A square matrix of finite numbers, float64, sorted indices, without zeros among its entries."""
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        rule = f"must be a file with one of the suffixes {', '.join(SUFFIXES)}, which say the format"
        raise OptionError("weights", path, rule, "rename it")
    try:
        path.open("rb").close()  # some readers have errors of their own for what cannot be read
        return _sparse(reader(path))
    except OSError as error:
        rule = f"must be a file that can be read, but: {error.strerror or error}"
        raise OptionError("weights", path, rule, "fix the path") from None
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise _wrong(path, f"must hold a matrix, but: {reason}") from None


def _sparse(found: Any) -> sp.csr_array:
    """What a file held as one of our matrices."""
    if not sp.issparse(found):
        found = np.asarray(found)
    shape = " × ".join(map(str, found.shape))
    if found.ndim != 2 or found.shape[0] != found.shape[1] or found.shape[0] < 2:
        raise ValueError(f"it is {shape or 'a number'}, and not n × n with n of at least 2")
    if found.dtype.kind not in "fiub":
        raise ValueError(f"its numbers are of type {found.dtype}, and not real")
    W = sp.csr_array(found, dtype=np.float64)
    W.sum_duplicates()
    W.eliminate_zeros()
    W.indices, W.indptr = W.indices.astype(np.int32), W.indptr.astype(np.int32)
    wrong = np.flatnonzero(~np.isfinite(W.data))
    if wrong.size:
        raise ValueError(
            f"row {np.searchsorted(W.indptr, wrong[0], side='right') - 1} has the number {W.data[wrong[0]]}"
        )
    return W


def _text(path: Path) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
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
    return np.load(path, allow_pickle=False)


def _market(path: Path) -> Any:
    from scipy.io import mmread  # slow to import

    return mmread(path)


_READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": _text,
    ".txt": _text,
    ".npy": _array,
    ".npz": sp.load_npz,
    ".mtx": _market,
}
SUFFIXES = tuple(_READERS)
