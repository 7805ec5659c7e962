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
from topologies.tidy import adjacency_matrix
from topologies.topology import TOLERANCE, Topology

DENSE = 500  # peers up to which all eigenvalues are computed
PROBES = 64  # random vectors that stand for all above DENSE, in `effective_neighbours`


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
        topology: Of period 1 and symmetric.
        steps: Gossip steps Q a round, at least 1.

    Returns:
        n, edges, degree_min, degree_mean, degree_max; diameter in edges (None above DENSE peers, where it would take
        too long); lambda_2 (second largest eigenvalue), lambda_min (smallest), lambda (the larger modulus of these),
        gap = 1 - lambda; steps and lambda_q = lambda^Q; effective_neighbours at γ = 0.9; mu_2 (second smallest
        eigenvalue of the unweighted Laplacian); vectors_per_round, which all peers send together: Q · 2 · edges;
        approximate: the names of figures that are estimates.

    Raises:
        ValueError: if steps is below 1, or W changes from round to round or is not symmetric.
    """
    steps = whole("steps", steps, 1, "the usual is 1")
    if topology.period != 1:
        raise ValueError(
            f"topology has a period of {topology.period} rounds: it must be 1 for a spectrum; look at each weights(t)"
        )
    W, graph = topology.weights(0), topology.graph(0)
    n = topology.n
    lambda_2, lambda_min = _ends(W)
    degrees = [degree for _, degree in graph.degree()]
    adjacency = adjacency_matrix(graph)
    laplacian = sp.csr_array(sp.diags_array(adjacency.sum(axis=1)) - adjacency)
    diameter = shortest_path(adjacency, unweighted=True).max() if n <= DENSE else None
    modulus = max(abs(lambda_2), abs(lambda_min))
    sent = int(np.count_nonzero(W.data)) - int(np.count_nonzero(W.diagonal()))
    return {
        "n": n,
        "edges": graph.number_of_edges(),
        "degree_min": min(degrees),
        "degree_mean": sum(degrees) / n,
        "degree_max": max(degrees),
        "diameter": int(diameter) if diameter is not None and np.isfinite(diameter) else None,
        "lambda": modulus,
        "gap": 1 - modulus,
        "lambda_2": lambda_2,
        "lambda_min": lambda_min,
        "steps": steps,
        "lambda_q": modulus**steps,
        "effective_neighbours": effective_neighbours(W),
        "mu_2": float(np.linalg.eigvalsh(laplacian.toarray())[1]) if n <= DENSE else second_smallest(laplacian),
        "vectors_per_round": steps * sent,
        "approximate": ["effective_neighbours"] if n > DENSE else [],
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
    laplacian = sp.csr_array(sp.eye_array(n) - W)
    return 1 - second_smallest(laplacian), 1 - largest(laplacian)


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
    skew = abs(W - W.T)
    if skew.nnz and skew.max() > TOLERANCE:
        raise ValueError(
            "W must be symmetric for its eigenvalues to say how fast it mixes; look at the norm of W - J instead"
        )
