"""The fastest mixing weights by a primal–dual interior-point method.

Minimise s over s and w such that S₁ = sI - M(w) ⪰ 0, S₂ = sI + M(w) ⪰ 0 and S₃ = Gw + h ≥ 0, where M(w) = W - J = I -
J - Σ_l w_l b_l b_lᵀ. The multipliers are X₁ ⪰ 0, X₂ ⪰ 0 and X₃ ≥ 0, with
    tr X₁ + tr X₂ = 1  and  b_lᵀ(X₁ - X₂)b_l + (GᵀX₃)_l = 0 on every edge l.
A step aims at X_k S_k = σμI, linearised, in the direction of Helmberg, Rendl, Vanderbei and Wolkowicz (1996), Kojima,
Shindoh and Hara (1997) and Monteiro (1997), with the predictor and corrector of Mehrotra (1992). An edge's matrix
b_l b_lᵀ has rank one, so the equations are made of products of b_kᵀXb_l and b_kᵀS⁻¹b_l: a step costs O(n²m + nm² + m³),
and 5 to 25 are taken.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from dfedsam.topologies.weights.certificate import lower_bound, modulus
from dfedsam.topologies.weights.edges import Array, Edges

STEPS = 100  # at most
_PATIENCE = 5  # steps without getting nearer, after which rounding errors are taken to be all that is left
_SHORT = 0.95  # of the longest step that stays inside
_Blocks = list[Array]  # (n, n), (n, n) and (limits,)


def interior_point(edges: Edges, nonnegative: bool, goal: float) -> tuple[Array, Array, Array | None]:
    """Weights that mix fastest, and the dual variables that prove it.

    Args:
        edges: Of the graph.
        nonnegative: Whether W must have no negative entry (FMMC) or may have some (FDLA).
        goal: It stops when λ(w) is proved to be within goal · (1 - λ) of the least there is; 1e-8 is about as near as
            64 bits get.

    Returns:
        w of shape (m,), Z of shape (n, n), and r of shape (n,) or None, the latter as
        `topologies.weights.certificate.lower_bound` takes them. The best that was met: the caller judges it.
    """
    program = _Program(edges, nonnegative)
    s, w, X = program.start()
    best, proof = (np.inf, w), (-np.inf, np.zeros((edges.n, edges.n)), None)
    distances: list[float] = []
    for _ in range(STEPS):
        Z, r = X[0] - X[1], X[2][edges.m :] if nonnegative else None
        best = min(best, (modulus(edges, w), w), key=lambda found: found[0])
        proof = max(proof, (lower_bound(edges, Z, r), Z, r), key=lambda found: found[0])
        distances.append(best[0] - proof[0])
        stuck = len(distances) > _PATIENCE and distances[-1] > 0.9 * distances[-1 - _PATIENCE]
        if stuck or distances[-1] <= goal * (1 - proof[0]):
            break
        try:
            s, w, X = _step(program, s, w, X)
        except np.linalg.LinAlgError:  # rounding errors leave nothing inside
            break
    return best[1], proof[1], proof[2]


class _Program:
    """S₁, S₂ and S₃ of s and w."""

    def __init__(self, edges: Edges, nonnegative: bool) -> None:
        n, m = edges.n, edges.m
        self.edges = edges
        limits = sp.vstack([sp.eye_array(m), -edges.incidence]) if nonnegative else np.zeros((0, m))
        self.G = sp.csr_array(limits)
        self.h = np.repeat([0.0, 1.0], [m, n]) if nonnegative else np.zeros(0)
        self.centre = np.eye(n) - 1 / n

    def start(self) -> tuple[float, Array, _Blocks]:
        """Metropolis weights, which are inside."""
        n, degrees = self.edges.n, self.edges.degrees
        w = 1.0 / (1 + np.maximum(degrees[self.edges.i], degrees[self.edges.j]))
        return 1.1, w, [np.eye(n) / (2 * n), np.eye(n) / (2 * n), np.full(len(self.h), 1 / (2 * n))]

    def slacks(self, s: float, w: Array) -> _Blocks:
        changes = self.changes(s, w)
        return [changes[0] - self.centre, changes[1] + self.centre, changes[2] + self.h]

    def changes(self, s: float, w: Array) -> _Blocks:
        """What S₁, S₂ and S₃ change by when s and w are added to."""
        even, L = s * np.eye(self.edges.n), self.edges.laplacian(w)
        return [even + L, even - L, self.G @ w]

    def gather(self, T: Sequence[Array]) -> Array:
        """The left sides of the multipliers' equations, shape (1 + m,); the adjoint of `changes`."""
        return np.concatenate([[np.trace(T[0]) + np.trace(T[1])], self.edges.along(T[0] - T[1]) + self.G.T @ T[2]])

    def matrix(self, X: _Blocks, inverse: _Blocks) -> NDArray[np.float64]:
        """Of dS ↦ the gathered X dS S⁻¹, shape (1 + m, 1 + m), symmetric."""
        edges, both = self.edges, [_symmetric(x @ i) for x, i in zip(X[:2], inverse[:2], strict=True)]
        A = np.empty((edges.m + 1, edges.m + 1))
        A[1:, 1:] = edges.between(X[0]) * edges.between(inverse[0]) + edges.between(X[1]) * edges.between(inverse[1])
        A[1:, 1:] += (self.G.T @ (sp.diags_array(X[2] * inverse[2]) @ self.G)).toarray()
        A[0, 0] = np.trace(both[0]) + np.trace(both[1])
        A[0, 1:] = A[1:, 0] = edges.along(both[0] - both[1])
        return A


def _step(program: _Program, s: float, w: Array, X: _Blocks) -> tuple[float, Array, _Blocks]:
    """The next s, w and multipliers.

    Raises:
        LinAlgError: if S or X is no longer inside, for rounding errors.
    """
    S = program.slacks(s, w)
    inverse = [_inverse(one) for one in S]
    solve = _solver(program.matrix(X, inverse))

    def towards(target: _Blocks) -> tuple[Array, _Blocks, _Blocks]:
        """Changes (1 + m,) of s and w, those of S, and those of X, with X + dX + X dS S⁻¹ = target."""
        wanted = program.gather(target)
        wanted[0] -= 1
        found = solve(wanted)
        dS = program.changes(float(found[0]), found[1:])
        changes = zip(target, X, dS, inverse, strict=True)
        return found, dS, [T - x - _symmetric(_times(x, change, i)) for T, x, change, i in changes]

    gap, size = _inner(X, S), sum(len(one) for one in S)
    _, dS, dX = towards([0 * one for one in S])  # predictor
    dual, primal = _longest(X, dX), _longest(S, dS)
    ahead = _inner(_moved(X, dual, dX), _moved(S, primal, dS))
    sigma = max(ahead / gap, 1e-3) ** 2 if min(dual, primal) > 0.1 else 0.5
    second = [_symmetric(_times(x, y, i)) for x, y, i in zip(dX, dS, inverse, strict=True)]
    found, dS, dX = towards([sigma * gap / size * i - c for i, c in zip(inverse, second, strict=True)])  # corrector
    dual, primal = _longest(X, dX), _longest(S, dS)
    return s + primal * float(found[0]), w + primal * found[1:], _moved(X, dual, dX)


def _solver(A: Array) -> Callable[[Array], Array]:
    """x ↦ A⁻¹x for a positive definite A, which rounding errors may have made a little less than that."""
    scale = 1 / np.sqrt(np.diag(A))
    scaled = scale[:, None] * A * scale
    for more in (0, 1e-14, 1e-12, 1e-10, 1e-8):
        np.fill_diagonal(scaled, 1 + more)
        try:
            factor = cho_factor(scaled)
        except np.linalg.LinAlgError:
            continue
        return lambda x: scale * cho_solve(factor, scale * x)
    raise np.linalg.LinAlgError("not positive definite")


def _longest(blocks: _Blocks, changes: _Blocks) -> float:
    """How much of a change leaves all blocks inside, at most 1."""
    lowest = 0.0
    for one, change in zip(blocks, changes, strict=True):
        if one.ndim == 1:
            lowest = min(lowest, *(change / one)) if len(one) else lowest
        else:
            root = np.linalg.inv(np.linalg.cholesky(one))
            lowest = min(lowest, float(np.linalg.eigvalsh(_symmetric(root @ change @ root.T))[0]))
    return min(1.0, -_SHORT / lowest) if lowest < 0 else 1.0


def _moved(blocks: _Blocks, length: float, changes: _Blocks) -> _Blocks:
    return [one + length * change for one, change in zip(blocks, changes, strict=True)]


def _inverse(block: Array) -> Array:
    return 1 / block if block.ndim == 1 else _symmetric(np.asarray(np.linalg.inv(block), np.float64))


def _times(*blocks: Array) -> Array:
    product = blocks[0]
    for block in blocks[1:]:
        product = product * block if block.ndim == 1 else product @ block
    return product


def _symmetric(block: Array) -> Array:
    return block if block.ndim == 1 else (block + block.T) / 2


def _inner(blocks: _Blocks, others: _Blocks) -> float:
    return sum(float(np.sum(one * other)) for one, other in zip(blocks, others, strict=True))
