"""Eigenvalues of one symmetric mixing matrix and of its graph's Laplacian.

λ₂ and λ_min are the second largest and the smallest eigenvalue of W, μ₂ and μ_n the second smallest and the largest of
the unweighted Laplacian. Where all links have the same weight α, W = I - αL, so that the one follows from the other.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.topology import TOLERANCE


@dataclass(frozen=True)
class Modes:
    """What W and its graph vibrate with.

    Args:
        lambda_2: Second largest eigenvalue of W.
        lambda_min: Smallest eigenvalue of W.
        mu_2: Second smallest eigenvalue of the Laplacian.
        mu_n: Its largest eigenvalue.
        values: All eigenvalues of W, falling, shape (n,); None above DENSE peers.
    """

    lambda_2: float
    lambda_min: float
    mu_2: float
    mu_n: float
    values: NDArray[np.float64] | None


def eigenvalues(W: sp.csr_array) -> NDArray[np.float64]:
    """All eigenvalues of a symmetric W, falling, shape (n,); the first is 1. Costs n³.

    Raises:
        ValueError: if W is not symmetric.
    """
    need_symmetric(W)
    return np.asarray(np.linalg.eigvalsh(W.toarray())[::-1], dtype=np.float64)


def slem(W: sp.csr_array) -> float:
    """λ = ‖W - J‖₂: what a gossip step leaves, at most, of the peers' distance from their mean.

    In [0, 1] for Metropolis weights: 0 on the complete graph, 1 where the peers are not connected.

    Raises:
        ValueError: if W is not symmetric.
    """
    return max(abs(value) for value in outer_two(W))


def outer_two(W: sp.csr_array) -> tuple[float, float]:
    """(λ₂, λ_min) of a symmetric W; above DENSE peers as exact as `topologies.spectra.extremes` says.

    Raises:
        ValueError: if W is not symmetric.
    """
    n = len(W.indptr) - 1
    if extremes.small(n):
        values = eigenvalues(W)
        return float(values[1]), float(values[-1])
    need_symmetric(W)
    low, high = extremes.ends(sp.csr_array(diagonal(np.ones(n)) - W))
    return 1 - low, 1 - high


def modes(W: sp.csr_array, adjacency: sp.csr_array) -> Modes:
    """The eigenvalues of a symmetric W (n, n) and of the Laplacian of its graph, whose adjacency matrix is given."""
    share = common_weight(W, adjacency)
    if extremes.small(len(W.indptr) - 1):
        mu = _all_of(laplacian(adjacency))
        values = eigenvalues(W) if share is None else 1 - share * mu
        return Modes(float(values[1]), float(values[-1]), float(mu[1]), float(mu[-1]), values)
    mu_2, mu_n = extremes.ends(laplacian(adjacency))
    low, high = outer_two(W) if share is None else (1 - share * mu_2, 1 - share * mu_n)
    return Modes(low, high, mu_2, mu_n, None)


def laplacian_ends(adjacency: sp.csr_array | None, n: int) -> tuple[float, float]:
    """(μ₂, μ_n) of a graph of n peers from its adjacency matrix; None stands for the complete graph."""
    if adjacency is None:
        return float(n), float(n)
    L = laplacian(adjacency)
    if not extremes.small(n):
        return extremes.ends(L)
    mu = _all_of(L)
    return float(mu[1]), float(mu[-1])


def _all_of(L: sp.csr_array) -> NDArray[np.float64]:
    """All eigenvalues of a Laplacian, rising, shape (n,); none below zero."""
    return np.maximum(np.asarray(np.linalg.eigvalsh(L.toarray()), dtype=np.float64), 0)


def laplacian(adjacency: sp.csr_array) -> sp.csr_array:
    """L = D - A, shape (n, n), from a symmetric A of zeros and ones."""
    A = adjacency.astype(np.float64)
    return sp.csr_array(diagonal(np.asarray(A.sum(axis=1))) - A)


def common_weight(W: sp.csr_array, adjacency: sp.csr_array) -> float | None:
    """The weight that all links share: the α of W = I - αL. None where they differ, or W leaves a link out."""
    entries = W.tocoo()
    links = entries.data[(entries.row != entries.col) & (entries.data != 0)]
    same = len(links) == adjacency.nnz > 0 and np.ptp(links) <= np.finfo(np.float64).eps
    return float(links[0]) if same else None


def need_symmetric(W: sp.csr_array) -> None:
    """Raise ValueError unless W is symmetric."""
    if not is_symmetric(W):
        raise ValueError("W must be symmetric for its eigenvalues to say how fast it mixes; look at ‖W - J‖ instead")


def is_symmetric(W: sp.csr_array) -> bool:
    """Whether W and its transpose differ by rounding at most."""
    skew = abs(W - W.T)
    return skew.nnz == 0 or skew.max() <= TOLERANCE
