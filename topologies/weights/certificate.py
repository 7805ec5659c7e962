"""Proof of how near an edge's weights come to the fastest mixing: the modulus they reach, and what none can go below.

For W = I - Σ_l w_l b_l b_lᵀ let λ(w) = ‖W - J‖₂. Every symmetric Z with nuclear norm at most one gives
    λ(w) ≥ ⟨Z, W - J⟩ = ⟨Z, I - J⟩ - Σ_l w_l b_lᵀ Z b_l.
FDLA: if b_lᵀ Z b_l = 0 on every edge, ⟨Z, I - J⟩ is a lower bound for all w. FMMC (w ≥ 0, |B| w ≤ 1): if some r ≥ 0 has
r_i + r_j ≥ b_lᵀ Z b_l on every edge, ⟨Z, I - J⟩ - Σ r is one. These are the problems' Lagrange duals (Boyd, Diaconis
and Xiao, 2004, "Fastest mixing Markov chain on a graph"). A solver's Z and r miss the conditions by a little; here they
are made to hold exactly, so the bound is true whatever the solver did.
"""

import numpy as np

from dfedsam.topologies.weights.edges import Array, Edges


def modulus(edges: Edges, w: Array) -> float:
    """λ(w) = ‖I - Σ_l w_l b_l b_lᵀ - J‖₂ of weights of shape (m,)."""
    return float(np.abs(np.linalg.eigvalsh(np.eye(edges.n) - 1 / edges.n - edges.laplacian(w))).max())


def lower_bound(edges: Edges, Z: Array, r: Array | None) -> float:
    """What no weights can go below, at least 0, from a solver's dual variables.

    Args:
        edges: Of the graph.
        Z: Symmetric, shape (n, n).
        r: Shape (n,) for weights that must not be negative, None for free ones.
    """
    if not np.isfinite(Z).all():
        return 0.0
    Z = Z - Z.mean(axis=0)
    Z = Z - Z.mean(axis=1)[:, None]
    price = 0.0
    if r is None:
        Z[edges.i, edges.j] = Z[edges.j, edges.i] = (Z[edges.i, edges.i] + Z[edges.j, edges.j]) / 2
    else:
        r = np.where(r > 0, r, 0)
        lacking = np.maximum(edges.along(Z) - r[edges.i] - r[edges.j], 0) / 2
        added = np.zeros(edges.n)
        np.maximum.at(added, edges.i, lacking)
        np.maximum.at(added, edges.j, lacking)
        price = float(np.sum(r + added))
    nuclear = float(np.abs(np.linalg.eigvalsh(Z)).sum())
    gain = float(np.trace(Z) - Z.sum() / edges.n) - price
    return max(gain / nuclear, 0.0) if nuclear > 0 else 0.0
