"""The weights that mix fastest on a graph, by semidefinite programming with cvxpy (the extra `sdp`).

Whatever the solver says, λ is computed from the weights that are returned, and a result is taken only with a proof that
it is near the optimum. Every symmetric Z with nuclear norm at most one gives, for W = I - Σ_l w_l b_l b_lᵀ,
    λ(w) = ‖W - J‖₂ ≥ ⟨Z, W - J⟩ = ⟨Z, I - J⟩ - Σ_l w_l b_lᵀ Z b_l.
FDLA: if b_lᵀ Z b_l = 0 on every edge, ⟨Z, I - J⟩ is a lower bound for all w. FMMC (w ≥ 0, |B| w ≤ 1): if some r ≥ 0 has
r_i + r_j ≥ b_lᵀ Z b_l on every edge, ⟨Z, I - J⟩ - Σ r is one. These are the problems' Lagrange duals (Boyd, Diaconis
and Xiao 2004). The solver's Z and r miss the conditions by a little; here they are made to hold exactly.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError, one_line
from dfedsam.topologies.graph import AnyGraph, undirected
from dfedsam.topologies.matrices import from_pairs
from dfedsam.topologies.weights.rules import UNDIRECTED, weight_rule

Array = NDArray[np.float64]

PEERS, EDGES = 128, 1024  # at most: SCS takes about a minute
_CLARABEL = 48  # peers up to which Clarabel takes seconds
_TOLERANCE = 1e-3  # how near λ must provably come to the optimum, relative to the gap 1 - λ
_GRID = 2.0**28  # weights are multiples of its inverse: sums of a row are exact, and equal on all machines
_NEGLIGIBLE = (1e-5, 1e-6, 1e-7)  # weights below it are left out, for the first with which λ suffers less than
_LOSS = 1e-6  # of the gap


@weight_rule(arrays=True)
def fastest(graph: AnyGraph) -> sp.csr_array:
    """The symmetric weights with the least λ = ‖W - J‖₂ on a graph (FDLA): entries may be negative.

    W = I - Σ_l w_l b_l b_lᵀ with b_l = e_i - e_j for edge l; minimise s with -sI ⪯ W - J ⪯ sI. Source: Xiao and Boyd
    (2004), "Fast linear iterations for distributed averaging".

    Args:
        graph: undirected, connected, at most 128 peers and 1024 edges.

    Returns:
        W; its gap is proved to be within a thousandth of the largest possible, and is mostly within a millionth.

    Raises:
        ValueError: if the graph is directed, not connected or too large, cvxpy is not installed, or the solver did not
            converge.
    """
    return _weights("fastest", graph, nonnegative=False)


@weight_rule(arrays=True)
def fastest_nonnegative(graph: AnyGraph) -> sp.csr_array:
    """The symmetric weights with the least λ = ‖W - J‖₂ and no negative entry: the fastest mixing Markov chain (FMMC).

    As `fastest`, with w ≥ 0 and |B| w ≤ 1. Source: Boyd, Diaconis and Xiao (2004), "Fastest mixing Markov chain on a
    graph".

    Args:
        graph: as for `fastest`.
    """
    return _weights("fastest_nonnegative", graph, nonnegative=True)


class _Edges:
    """The m edges (i, j), i < j, in the order of their pairs, of a graph of n peers; b_l = e_i - e_j for edge l."""

    def __init__(self, n: int, i: NDArray[np.intp], j: NDArray[np.intp]) -> None:
        self.n, self.m, self.i, self.j = n, len(i), i, j
        numbers = np.tile(np.arange(self.m), 2)
        self.incidence = sp.csr_array((np.ones(2 * self.m), (np.concatenate([i, j]), numbers)), shape=(n, self.m))

    def modulus(self, w: Array) -> float:
        """λ(w) = ‖I - Σ_l w_l b_l b_lᵀ - J‖₂."""
        W = from_pairs(self.n, self.i, self.j, w).toarray()
        return float(np.abs(np.linalg.eigvalsh(W - 1 / self.n)).max())


def _weights(name: str, graph: AnyGraph, *, nonnegative: bool) -> sp.csr_array:
    graph = undirected(graph, UNDIRECTED)
    n, m = graph.n, graph.size
    if n > PEERS or m > EDGES:
        rule = f"must have at most {PEERS} peers and {EDGES} edges to solve for, but this graph has {n} and {m}"
        raise OptionError("weights", name, rule, "take best_constant or metropolis")
    if (parts := int(graph.parts().max()) + 1) > 1:
        raise OptionError("weights", name, f"must have a connected graph, and this one has {parts} parts", "add edges")
    i, j = sp.triu(graph.adjacency).tocsr().nonzero()
    return _solved(name, n, tuple(zip(i.tolist(), j.tolist(), strict=True)), nonnegative)


@lru_cache(maxsize=16)
def _solved(name: str, n: int, pairs: tuple[tuple[int, int], ...], nonnegative: bool) -> sp.csr_array:
    i, j = np.array(pairs, dtype=np.intp).T
    edges = _Edges(n, i, j)
    w, Z, r = _solve(name, edges, nonnegative)
    bound = _lower_bound(edges, Z, r)
    w = _rounded(edges, w, nonnegative)
    reached = edges.modulus(w)
    if not reached - bound <= _TOLERANCE * (1 - bound):
        rule = f"must converge, but λ is {reached:.6f} on these {n} peers and proved is only λ ≥ {bound:.6f}"
        raise OptionError("weights", name, rule, "take best_constant or metropolis")
    W = from_pairs(n, i, j, w)
    W.eliminate_zeros()
    return W


def _solve(name: str, edges: _Edges, nonnegative: bool) -> tuple[Array, Array, Array | None]:
    """Weights (m,) of the edges, and the dual variables Z (n, n) and r (n,), the latter for FMMC alone."""
    try:
        import cvxpy as cp
    except ImportError:
        hint = "pip install 'dfedsam[sdp]', or take best_constant"
        raise OptionError("weights", name, "needs the package cvxpy", hint) from None
    n, m = edges.n, edges.m
    w, s = cp.Variable(m), cp.Variable()
    cells = np.concatenate([edges.i * n + edges.i, edges.j * n + edges.j, edges.i * n + edges.j, edges.j * n + edges.i])
    laplacian = sp.csr_array((np.repeat([1.0, 1.0, -1.0, -1.0], m), (cells, np.tile(np.arange(m), 4))), (n * n, m))
    M = np.eye(n) - 1 / n - cp.reshape(laplacian @ w, (n, n), order="C")
    within: list[Any] = [s * np.eye(n) - M >> 0, s * np.eye(n) + M >> 0]
    limits: list[Any] = [edges.incidence @ w <= 1, w >= 0] if nonnegative else []
    program = cp.Problem(cp.Minimize(s), within + limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of inaccuracy: the lower bound says how much there is
            if n <= _CLARABEL:
                program.solve(solver=cp.CLARABEL)
            else:  # its own scaling slows SCS down here: the program is scaled well
                program.solve(solver=cp.SCS, normalize=False, eps_abs=1e-7, eps_rel=1e-7, max_iters=5000)
        status = program.status
    except cp.SolverError as error:
        status = one_line(error)
    if w.value is None:
        raise OptionError("weights", name, f"must converge, but cvxpy ended: {status}", "take best_constant")
    Z = np.asarray(within[0].dual_value) - np.asarray(within[1].dual_value)
    return w.value, (Z + Z.T) / 2, np.asarray(limits[0].dual_value) if nonnegative else None


def _lower_bound(edges: _Edges, Z: Array, r: Array | None) -> float:
    """The bound on every λ(w) that a solver's dual variables prove; at least 0."""
    if not np.isfinite(Z).all():
        return 0.0
    Z = Z - Z.mean(axis=0)
    Z = Z - Z.mean(axis=1)[:, None]
    price = 0.0
    if r is None:
        Z[edges.i, edges.j] = Z[edges.j, edges.i] = (Z[edges.i, edges.i] + Z[edges.j, edges.j]) / 2
    else:
        r = np.where(r > 0, r, 0)
        along = Z[edges.i, edges.i] + Z[edges.j, edges.j] - 2 * Z[edges.i, edges.j]
        lacking = np.maximum(along - r[edges.i] - r[edges.j], 0) / 2
        added = np.zeros(edges.n)
        np.maximum.at(added, edges.i, lacking)
        np.maximum.at(added, edges.j, lacking)
        price = float(np.sum(r + added))
    nuclear = float(np.abs(np.linalg.eigvalsh(Z)).sum())
    gain = float(np.trace(Z) - Z.sum() / edges.n) - price
    return max(gain / nuclear, 0.0) if nuclear > 0 else 0.0


def _rounded(edges: _Edges, w: Array, nonnegative: bool) -> Array:
    """Weights within the limits exactly, multiples of the grid's inverse, and zero where they are negligible."""
    if nonnegative:
        w = np.maximum(w, 0)
        over = np.maximum(edges.incidence @ w, 1)
        w = w / np.maximum(over[edges.i], over[edges.j])
    w = np.floor(w * _GRID + 1e-3) / _GRID
    before = edges.modulus(w)
    sparser = (np.where(np.abs(w) < limit, 0, w) for limit in _NEGLIGIBLE)
    return next((some for some in sparser if edges.modulus(some) - before <= _LOSS * (1 - before)), w)
