"""What attackers do to a graph: the connectivity of the peers that are honest, and where attackers harm it most."""

from __future__ import annotations

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from dfedsam.topologies.spectra.extremes import fiedler, laplacian, small
from dfedsam.topologies.topology import Topology

_CANDIDATES = 8  # peers of a large graph whose removal is tried exactly, those of the largest first-order effect


def links(topology: Topology) -> sp.csr_array | None:
    """The symmetric adjacency matrix, zeros and ones, of all links of a period; None: any two peers may meet."""
    support = topology.support()
    if support is None:
        return None
    A = sp.csr_array(((support + support.T) > 0).astype(np.float64))
    A.setdiag(0)
    A.eliminate_zeros()
    return A


def honest_laplacian(adjacency: sp.csr_array, attackers: NDArray[np.bool_]) -> sp.csr_array:
    """The unweighted Laplacian L of the graph of honest peers, without the attackers' links.

    The adjacency is symmetric, zeros and ones, shape (n, n); the attackers are a mask (n,).
    """
    honest = np.flatnonzero(~attackers)
    return laplacian(sp.csr_array(adjacency[honest][:, honest]))


def honest_connectivity(adjacency: sp.csr_array, attackers: NDArray[np.bool_]) -> float:
    """μ₂ of the honest graph's L; 0 if attackers cut it.

    With unit weights and f attackers among each peer's neighbours no robust rule does much better than f < μ₂/2, and
    F-RG with CS+ converges below it. Source: Gaucher, Dieuleveut and Hendrikx (2025), "Unified breakdown analysis for
    Byzantine robust gossip".
    """
    return _connectivity(honest_laplacian(adjacency, attackers))[0]


def honest_parts(adjacency: sp.csr_array, attackers: NDArray[np.bool_]) -> int:
    """Connected parts of the honest graph: 1 if attackers do not cut it."""
    honest = np.flatnonzero(~attackers)
    return int(connected_components(adjacency[honest][:, honest], directed=False, return_labels=False))


def worst_placement(adjacency: sp.csr_array, count: int, *, connected: bool = False) -> NDArray[np.bool_]:
    """The attackers, chosen one after another as a mask (n,), without which the honest graph's μ₂ is smallest.

    A greedy search: exact for each further attacker in a graph of up to 500 peers, and among the eight of the largest
    first-order effect, Σ_{u ~ v} (x_u − x_v)² of the Fiedler vector x, in a larger one. Where so few attackers can cut
    the graph, they are a smallest set that does.

    Args:
        adjacency: symmetric, zeros and ones, shape (n, n).
        count: number of attackers, from 1 to n − 2.
        connected: never cut the honest graph, if that can be.
    """
    attackers = np.zeros(len(adjacency.indptr) - 1, np.bool_)
    if not connected and (cut := _smallest_cut(adjacency, count)):
        attackers[cut] = True
    while attackers.sum() < count:
        honest = np.flatnonzero(~attackers)
        L = honest_laplacian(adjacency, attackers)
        effect = _first_order(L, _connectivity(L)[1])
        tried = honest if small(len(honest)) else honest[np.argsort(-effect, kind="stable")[:_CANDIDATES]]
        left = [_connectivity(honest_laplacian(adjacency, _with(attackers, peer)))[0] for peer in tried.tolist()]
        values = np.array(left)
        if connected and (values > 0).any():
            values[values == 0] = np.inf
        attackers[tried[int(values.argmin())]] = True
    return attackers


def _smallest_cut(adjacency: sp.csr_array, count: int) -> list[int]:
    """A smallest set of at most `count` peers whose removal cuts the graph; empty if there is none."""
    degrees = np.asarray(adjacency.sum(axis=1))
    n = len(degrees)
    if adjacency.nnz == n * (n - 1) or (n > 2000 and degrees.min() > count):  # networkx would take very long
        return []
    cut: list[int] = sorted(nx.minimum_node_cut(nx.from_scipy_sparse_array(adjacency)))
    return cut if len(cut) <= min(count, n - 2) else []


def _with(attackers: NDArray[np.bool_], peer: int) -> NDArray[np.bool_]:
    more = attackers.copy()
    more[peer] = True
    return more


def _connectivity(L: sp.csr_array) -> tuple[float, NDArray[np.float64]]:
    """μ₂ and its eigenvector of unit length, of a fixed sign."""
    if small(len(L.indptr) - 1):
        values, vectors = np.linalg.eigh(L.toarray())
        value, vector = float(values[1]), vectors[:, 1]
    else:
        value, vector = fiedler(L)
    if connected_components(L, directed=False, return_labels=False) > 1:
        value = 0.0
    return value, vector * (1 if vector[np.abs(vector).argmax()] > 0 else -1)


def honest_fiedler(adjacency: sp.csr_array, attackers: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The Fiedler vector of the honest graph, of unit length, shape (n,), 0 at attackers."""
    vector = np.zeros(len(attackers))
    vector[~attackers] = _connectivity(honest_laplacian(adjacency, attackers))[1]
    return vector


def _first_order(L: sp.csr_array, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ_{u ~ v} (x_u − x_v)² for each peer v, shape (n,): how much of μ₂ = xᵀLx its links carry."""
    entries = L.tocoo()
    off = entries.row != entries.col
    squares = (x[entries.row[off]] - x[entries.col[off]]) ** 2
    return np.asarray(np.bincount(entries.row[off], squares, minlength=len(x)), np.float64)
