"""The weights that mix fastest on a graph, found by semidefinite programming and proved to be the fastest.

A method of our own solves the program (`interior_point`, beside); cvxpy's solvers can be asked for instead
(`fastest_cvxpy`). Whatever they say, λ is computed from the weights that are returned, and a result is taken only with
a certificate (`certificate`). Results are kept, in the process and in the user's cache folder: all ranks of a run, and
its resumption, have the same W bit for bit.
"""

import hashlib
import io
from functools import lru_cache
from pathlib import Path

import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam import cache
from dfedsam.errors import OptionError
from dfedsam.topologies.matrices import from_pairs
from dfedsam.topologies.tidy import parts, undirected
from dfedsam.topologies.weights.certificate import lower_bound, modulus
from dfedsam.topologies.weights.edges import Array, Edges
from dfedsam.topologies.weights.interior_point import interior_point
from dfedsam.topologies.weights.rules import UNDIRECTED

PEERS, EDGES = 512, 2048  # at most: half a minute on one core
GOAL = 1e-7  # how near the method of our own brings λ to the least there is, relative to the gap 1 - λ
ENOUGH = 1e-3  # how near it must be
SOLVERS = ("interior_point", "cvxpy")
_FORM = 1  # of the files; another number makes all again
_GRAIN = 2.0**40  # weights are multiples of its inverse, so that sums of a row are exact
_NOTHING = (1e-5, 1e-6, 1e-7)  # weights below it are left out, for the first with which λ suffers less than:
_LOSS = 1e-6  # of the gap


def fastest(graph: nx.Graph, solver: str = "interior_point") -> sp.csr_array:
    """The symmetric weights with the least λ = ‖W - J‖₂ on a graph (FDLA): entries may be negative.

    W = I - Σ_l w_l b_l b_lᵀ with b_l = e_i - e_j for edge l; minimise s with -sI ⪯ W - J ⪯ sI. Source: Xiao and Boyd
    (2004), "Fast linear iterations for distributed averaging".

    Args:
        graph: Undirected, connected, without self-loops, at most 512 peers and 2048 edges; weights on its edges are not
            looked at.
        solver: interior_point, a method of our own; or cvxpy, which takes Clarabel up to 48 peers and SCS up to 128.

    Returns:
        W of shape (n, n), float64, sorted indices: symmetric bit for bit, rows and columns sum to one. Its gap is
        proved to be within a thousandth of the largest there is, and is mostly within a millionth.

    Raises:
        ValueError: if the graph is directed, not connected or too large, the solver is not known or not installed, or
            it did not converge.
    """
    return _weights("fastest", graph, solver, nonnegative=False)


def fastest_nonnegative(graph: nx.Graph, solver: str = "interior_point") -> sp.csr_array:
    """The symmetric weights with the least λ = ‖W - J‖₂ and no negative entry: the fastest mixing Markov chain (FMMC).

    As `fastest`, with w ≥ 0 and |B| w ≤ 1. Source: Boyd, Diaconis and Xiao (2004), "Fastest mixing Markov chain on a
    graph".

    Args:
        graph: As in `fastest`.
        solver: As in `fastest`.

    Returns:
        As `fastest`, and no entry is negative.

    Raises:
        ValueError: as in `fastest`.
    """
    return _weights("fastest_nonnegative", graph, solver, nonnegative=True)


def _weights(name: str, graph: nx.Graph, solver: str, *, nonnegative: bool) -> sp.csr_array:
    graph = undirected(graph, UNDIRECTED)
    if solver not in SOLVERS:
        raise OptionError("solver", solver, f"must be one of {', '.join(SOLVERS)}")
    edges = Edges(graph)
    if edges.n > PEERS or edges.m > EDGES:
        raise ValueError(
            f"weights is {name}: it takes at most {PEERS} peers and {EDGES} edges, and this graph has {edges.n} and "
            f"{edges.m}; take best_constant or metropolis"
        )
    if len(apart := parts(graph)) > 1:
        raise ValueError(
            f"weights is {name}: it needs a connected graph, and this one has {len(apart)} parts; add edges"
        )
    w = _kept(name, solver, nonnegative, edges.n, np.stack([edges.i, edges.j]).tobytes())
    W = from_pairs(edges.n, edges.i, edges.j, w)
    W.eliminate_zeros()
    return W


@lru_cache(maxsize=16)
def _kept(name: str, solver: str, nonnegative: bool, n: int, pairs: bytes) -> Array:
    """The weights of the edges, shape (m,), from the cache folder if they are there."""
    i, j = np.frombuffer(pairs, dtype=np.int32).reshape(2, -1)
    edges = Edges(nx.Graph(zip(i.tolist(), j.tolist(), strict=True)))
    key = hashlib.sha256(repr((_FORM, name, solver, n)).encode() + pairs).hexdigest()[:32]
    path = cache.cache_folder() / "weights" / f"{key}.npy"
    kept = _read(path, edges)
    if kept is not None:
        return kept
    damaged, file, found = path.exists(), io.BytesIO(), _solved(name, edges, solver, nonnegative)
    np.save(file, found)
    cache.store(path, file.getvalue(), replace=damaged)
    first = _read(path, edges)  # by the first of several ranks that solved it at once
    return found[1:] if first is None else first


def _read(path: Path, edges: Edges) -> Array | None:
    """The weights that are kept there, if the lower bound beside them proves that they are good enough."""
    try:
        kept = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    if kept.shape != (edges.m + 1,) or not np.isfinite(kept).all():
        return None
    return kept[1:] if _near(modulus(edges, kept[1:]), kept[0], ENOUGH) else None


def _solved(name: str, edges: Edges, solver: str, nonnegative: bool) -> Array:
    """The lower bound and then the weights, shape (1 + m,)."""
    if solver == "cvxpy":
        from dfedsam.topologies.weights.fastest_cvxpy import solve

        w, Z, r = solve(name, edges, nonnegative)
    else:
        w, Z, r = interior_point(edges, nonnegative, GOAL)
    bound = lower_bound(edges, Z, r)
    w = _tidied(edges, w, nonnegative)
    reached = modulus(edges, w)
    if not _near(reached, bound, ENOUGH):
        other = "interior_point" if solver == "cvxpy" else "cvxpy"
        raise ValueError(
            f"weights is {name}: the solver {solver} did not converge on these {edges.n} peers and {edges.m} edges "
            f"(λ = {reached:.6f}, proved is only λ ≥ {bound:.6f}); take solver {other}, best_constant or metropolis"
        )
    return np.concatenate([[bound], w])


def _near(reached: float, bound: float, share: float) -> bool:
    """Whether a modulus is so near its lower bound, relative to the gap that the bound would leave."""
    return reached - bound <= share * (1 - bound)


def _tidied(edges: Edges, w: Array, nonnegative: bool) -> Array:
    """Weights that keep to the limits exactly and are multiples of the grain, with nothing where next to nothing
    was."""
    if nonnegative:
        w = np.maximum(w, 0)
        over = np.maximum(edges.incidence @ w, 1)
        w = w / np.maximum(over[edges.i], over[edges.j])
    w = np.floor(w * _GRAIN) / _GRAIN
    before = modulus(edges, w)
    fewer = (np.where(np.abs(w) < nothing, 0, w) for nothing in _NOTHING)
    return next((some for some in fewer if _near(modulus(edges, some), before, _LOSS)), w)
