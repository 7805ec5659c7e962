"""What a mixing matrix says about itself: eigenvalues, gap, effective neighbours, the consensus distance it leaves.

Letters: J = 11ᵀ/n; λ = ‖W - J‖₂, for a symmetric W the second largest eigenvalue modulus; gap = 1 - λ. Up to DENSE
peers all eigenvalues are computed; above, only the few that are asked for (`topologies.extremes`).
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from topologies.checks import whole
from topologies.extremes import largest, second_smallest
from topologies.tidy import adjacency_matrix, diagonal
from topologies.topology import TOLERANCE, Topology

DENSE = 500  # peers up to which all eigenvalues are computed
PROBES = 64  # random vectors that stand for all above DENSE, in `effective_neighbours`
_MODES = ("lambda_2", "lambda_min", "effective_neighbours", "mu_2")


def eigenvalues(W: sp.csr_array) -> NDArray[np.float64]:
    """All eigenvalues of a symmetric W, falling, shape (n,); the first is 1. Costs n³.

    Raises:
        ValueError: if W is not symmetric.
    """
    _need_symmetric(W)
    return np.asarray(np.linalg.eigvalsh(W.toarray())[::-1], dtype=np.float64)


def slem(W: sp.csr_array) -> float:
    """λ = ‖W - J‖₂: what a gossip step leaves, at most, of the peers' distance from their mean.

    In [0, 1] for Metropolis weights: 0 on the complete graph, 1 where the peers are not connected.

    Raises:
        ValueError: if W is not symmetric.
    """
    return max(abs(value) for value in _ends(W))


def effective_neighbours(W: sp.csr_array, gamma: float = 0.9) -> float:
    """n_W(γ) = (1/(1-γ)) / [(1/n) Σ λ_i²/(1 - γλ_i²)]: with how many peers a vector is in effect averaged.

    1 for W = I, n for W = J. Above DENSE peers the sum without the first eigenvalue is estimated from 64 random
    vectors, to about one per cent. Source: Vogels, Hendrikx and Jaggi (2022), "Beyond spectral gap: the role of the
    topology in decentralized learning".

    Args:
        W: Symmetric, shape (n, n).
        gamma: Decay γ of the averaged walk, at least 0 and below 1; the nearer to 1, the further a peer sees.

    Raises:
        ValueError: if gamma is out of range or W is not symmetric.
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma is {gamma}: it must be at least 0 and below 1; the usual is 0.9")
    n = len(W.indptr) - 1
    if n <= DENSE:
        squares = eigenvalues(W)[1:] ** 2
        rest = float(np.sum(squares / (1 - gamma * squares)))
    else:
        _need_symmetric(W)
        rest = _estimated_rest(W, gamma)
    return 1 / (1 - gamma) / ((1 / (1 - gamma) + rest) / n)


def spectrum(topology: Topology, steps: int = 1) -> dict[str, Any]:
    """The figures of a topology, ready for `json.dump`.

    Args:
        topology: What is looked at. Where W changes from round to round, or is not symmetric, only the figures that
            still have a meaning are given, and the others are None: edges and degrees are those of the rounds' union,
            and lambda = ‖W_τ … W_1 - J‖₂^(1/τ) over a period τ.
        steps: Gossip steps Q a round, at least 1.

    Returns:
        n, edges, degree_min, degree_mean, degree_max; diameter in edges (None above DENSE peers, where it would take
        too long); lambda_2 (second largest eigenvalue), lambda_min (smallest), lambda (the larger modulus of these),
        gap = 1 - lambda; steps and lambda_q = lambda^Q; effective_neighbours at γ = 0.9; mu_2 (second smallest
        eigenvalue of the unweighted Laplacian); vectors_per_round, which all peers send together: Q · 2 · edges, for a
        schedule its mean; period; approximate: the names of figures that are estimates.

    Raises:
        ValueError: if steps is below 1.
    """
    steps = whole("steps", steps, 1, "the usual is 1")
    n, rounds = topology.n, range(topology.period)
    union = sp.csr_array((n, n))
    sent = 0
    for t in rounds:
        W = topology.weights(t)
        union = union + adjacency_matrix(topology.graph(t))
        sent += int(np.count_nonzero(W.data)) - int(np.count_nonzero(W.diagonal()))
    union = sp.csr_array((union + union.T) != 0, dtype=float)
    degrees = union.sum(axis=1)
    fixed = topology.period == 1 and _is_symmetric(topology.weights(0))
    modes: dict[str, Any] = _modes(topology.weights(0), union) if fixed else dict.fromkeys(_MODES)
    modulus: float | None = max(abs(modes["lambda_2"]), abs(modes["lambda_min"])) if fixed else _schedule_norm(topology)
    return {
        "n": n,
        "edges": int(degrees.sum()) // 2,
        "degree_min": int(degrees.min()),
        "degree_mean": float(degrees.mean()),
        "degree_max": int(degrees.max()),
        "diameter": _diameter(union) if fixed and n <= DENSE else None,
        "lambda": modulus,
        "gap": None if modulus is None else 1 - modulus,
        "steps": steps,
        "lambda_q": modulus**steps if fixed and modulus is not None else None,
        **modes,
        "vectors_per_round": steps * sent // topology.period if fixed else steps * sent / topology.period,
        "period": topology.period,
        "approximate": ["effective_neighbours"] if fixed and n > DENSE else [],
    }


def steady_consensus(
    W: sp.csr_array,
    centres: NDArray[np.floating],
    lr: float,
    noise: float = 0.0,
    steps: int = 1,
    *,
    before_gossip: bool = False,
) -> float:
    """The consensus distance that adapt-then-combine gradient steps end at on noisy quadratics, in closed form.

    For f_i(x) = ½‖x - b_i‖² and X ← W^Q (X - lr · G), G the gradients plus independent noise, with eigenpairs (m_k,
    v_k) of W^Q: E (1/n) Σ ‖x_i - x̄‖² = (1/n) Σ_{k≥2} [(lr m_k / (1 - (1-lr) m_k))² ‖v_kᵀB‖² + lr² σ² d m_k² / (1 -
    (1-lr)² m_k²)]. Before gossip the factors m_k² in the numerators are left out. Costs n³.

    Args:
        W: Symmetric and connected, shape (n, n).
        centres: The minima b_i, shape (n, d).
        lr: Step size η, above 0 and below 2.
        noise: Standard deviation σ of a gradient's noise in each coordinate.
        steps: Gossip steps Q a round.
        before_gossip: Give the distance between a round's gradient step and its gossip, instead of after it.

    Raises:
        ValueError: if lr is out of range, W is not symmetric, or its peers are not connected.
    """
    if not 0 < lr < 2:
        raise ValueError(f"lr is {lr}: it must be above 0 and below 2, or the quadratics diverge; take a smaller one")
    _need_symmetric(W)
    values, vectors = np.linalg.eigh(W.toarray())
    if values[-2] > 1 - TOLERANCE:
        raise ValueError("W leaves the peers in parts that never meet: it must be connected; add edges")
    m = values[:-1] ** whole("steps", steps, 1, "the usual is 1")
    n, d = centres.shape
    after = 1.0 if before_gossip else m
    bias = (lr * after / (1 - (1 - lr) * m)) ** 2 * np.sum((vectors[:, :-1].T @ centres) ** 2, axis=1)
    spread = lr**2 * noise**2 * d * after**2 / (1 - (1 - lr) ** 2 * m**2)
    return float(np.sum(bias + spread) / n)


def _ends(W: sp.csr_array) -> tuple[float, float]:
    """(λ₂, λ_min): the second largest and the smallest eigenvalue of a symmetric W."""
    n = len(W.indptr) - 1
    if n <= DENSE:
        values = eigenvalues(W)
        return float(values[1]), float(values[-1])
    _need_symmetric(W)
    laplacian = sp.csr_array(diagonal(np.ones(n)) - W)
    return 1 - second_smallest(laplacian), 1 - largest(laplacian)


def _modes(W: sp.csr_array, adjacency: sp.csr_array) -> dict[str, Any]:
    """What only one symmetric W has."""
    laplacian = sp.csr_array(diagonal(adjacency.sum(axis=1)) - adjacency)
    small = len(W.indptr) - 1 <= DENSE
    lambda_2, lambda_min = _ends(W)
    mu_2 = float(np.linalg.eigvalsh(laplacian.toarray())[1]) if small else second_smallest(laplacian)
    return dict(zip(_MODES, (lambda_2, lambda_min, effective_neighbours(W), mu_2), strict=True))


def _schedule_norm(topology: Topology) -> float | None:
    """‖W_τ … W_1 - J‖₂^(1/τ); None where the dense product would take too long."""
    n = topology.n
    if n > DENSE or topology.period > 1000:
        return None
    product = np.eye(n) - 1 / n
    for t in range(topology.period):
        product = topology.weights(t) @ product
    return float(np.linalg.norm(product, 2) ** (1 / topology.period))


def _diameter(adjacency: sp.csr_array) -> int | None:
    longest = shortest_path(adjacency, unweighted=True).max()
    return int(longest) if np.isfinite(longest) else None


def _estimated_rest(W: sp.csr_array, gamma: float) -> float:
    """Σ_{k≥2} λ_k²/(1 - γλ_k²) = Σ_j γʲ tr (W - J)^{2j+2}, with vᵀW^{2j+2}v = ‖W^{j+1}v‖² averaged over random signs v
    (Hutchinson 1990)."""
    n = len(W.indptr) - 1
    probes = np.random.default_rng(0).choice([-1.0, 1.0], size=(n, PROBES))
    probes -= probes.mean(axis=0)
    probes *= np.sqrt(n - 1) / np.linalg.norm(probes, axis=0)  # exact where all eigenvalues but the first are equal
    total, factor = 0.0, 1.0
    while factor > 1e-6 * (1 - gamma):
        probes = W @ probes
        total += factor * float(np.sum(probes**2)) / PROBES
        factor *= gamma
    return total


def _need_symmetric(W: sp.csr_array) -> None:
    if not _is_symmetric(W):
        raise ValueError("W must be symmetric for its eigenvalues to say how fast it mixes; look at ‖W - J‖ instead")


def _is_symmetric(W: sp.csr_array) -> bool:
    skew = abs(W - W.T)
    return skew.nnz == 0 or skew.max() <= TOLERANCE
