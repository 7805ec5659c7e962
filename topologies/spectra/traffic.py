"""Who may talk to whom, and how much is sent: degrees, diameter, messages."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from dfedsam.topologies.spectra import extremes


def support_figures(support: sp.csr_array | None, n: int, *, directed: bool) -> dict[str, Any]:
    """edges, degree_min, degree_mean, degree_max and diameter of the graph of all who may talk.

    Args:
        support: Who hears whom, bool, shape (n, n); None: all hear all.
        n: Number of peers.
        directed: Count each direction as an edge, and as degree the peers that one sends to.
    """
    if support is None:
        degrees = np.full(n, n - 1)
        diameter: int | None = 1
    else:
        degrees = np.bincount(support.indices, minlength=n)
        diameter = _diameter(support) if extremes.small(n) else None
    return {
        "edges": int(degrees.sum()) // (1 if directed else 2),
        "degree_min": int(degrees.min()),
        "degree_mean": float(degrees.mean()),
        "degree_max": int(degrees.max()),
        "diameter": diameter,
    }


def round_figures(matrices: Sequence[sp.csr_array], steps: int) -> tuple[dict[str, Any], bool]:
    """degree_round_mean, degree_round_max and vectors_per_round of some rounds, with Q gossip steps in each.

    Returns:
        The figures, and whether the rounds differ in what is sent.
    """
    degrees = np.stack([_receivers(W) for W in matrices])
    sent = steps * int(degrees.sum())
    figures = {
        "degree_round_mean": float(degrees.mean()),
        "degree_round_max": int(degrees.max()),
        "vectors_per_round": sent / len(matrices) if sent % len(matrices) else sent // len(matrices),
    }
    return figures, bool(np.ptp(degrees.sum(axis=1)))


def _receivers(W: sp.csr_array) -> NDArray[np.int64]:
    """To how many others each peer sends, shape (n,)."""
    everyone = np.bincount(W.indices[W.data != 0], minlength=len(W.indptr) - 1)
    return everyone - (W.diagonal() != 0)


def _diameter(support: sp.csr_array) -> int | None:
    longest = shortest_path(support.astype(np.float64), unweighted=True).max()
    return int(longest) if np.isfinite(longest) else None
