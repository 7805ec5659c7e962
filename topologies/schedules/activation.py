"""How often each matching of a graph should be used within a budget, and with what weight: MATCHA's two problems."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar

Matching = Sequence[tuple[int, int]]

_GAP = 1e-8  # of the best μ₂ that may be left
_STEPS = 50  # of Newton for one value of the barrier; about 8 are needed
_SHARPEST = 1e10  # beyond this the barrier's inverse is mostly rounding


class Activation(NamedTuple):
    """Probabilities of the matchings, and how good they are.

    Attributes:
        probabilities: Of each matching, shape (m,).
        connectivity: μ₂(Σ p_j L_j), which they reach.
        bound: What no probabilities within the budget can exceed.
    """

    probabilities: NDArray[np.float64]
    connectivity: float
    bound: float


def best_probabilities(n: int, matchings: Sequence[Matching], budget: float) -> Activation:
    """Maximise μ₂(Σ p_j L_j) over 0 ≤ p ≤ 1, Σ p_j ≤ budget · m.

    By Newton's method on a logarithmic barrier for s ≤ μ₂, that is Σ p_j L_j - s (I - J) ⪰ 0. Every Z ⪰ 0 with Z1 = 0
    and trace 1 bounds the maximum by that of Σ p_j tr(Z L_j) over the same p, which the largest of these traces give;
    the barrier's own Z is one, and the gap it leaves is the certificate. Source: for the problem, Wang, Sahu, Yang,
    Joshi and Kar (2019), "MATCHA"; for the method, Boyd and Vandenberghe (2004), "Convex optimization", section 11.6.

    Args:
        n: Number of peers.
        matchings: m of them, whose union is connected.
        budget: Share of the matchings that may be used in a round on average, in (0, 1].
    """
    m = len(matchings)
    if budget == 1:
        ones = np.ones(m)
        mu = float(np.linalg.eigvalsh(laplacian(n, matchings, ones))[1])
        return Activation(ones, mu, mu)
    barrier = _Barrier(n, matchings, budget * m)
    p = np.full(m, 0.9 * budget)
    s = 0.5 * float(np.linalg.eigvalsh(laplacian(n, matchings, p))[1])
    terms, sharpness, bound = n + 2 * m, 1.0, np.inf
    rounding = 2 * m * n * np.finfo(float).eps  # of eigenvalues
    while True:
        p, s, Z = barrier.centre(p, s, terms * sharpness / s)
        traces = np.sort(barrier.traces(Z / np.trace(Z)))[::-1]
        bound = min(bound, float(traces @ np.clip(budget * m - np.arange(m), 0, 1)))
        if bound - s <= _GAP * bound + rounding or sharpness >= _SHARPEST:
            connectivity = float(np.linalg.eigvalsh(laplacian(n, matchings, p))[1])
            return Activation(p, connectivity, bound)
        sharpness *= 10


def second_moment(n: int, matchings: Sequence[Matching], p: NDArray[np.float64]) -> Callable[[float], float]:
    """α ↦ ρ = λ_max(E[W_t²] - J) of W_t = I - α Σ B_j L_j, where B_j is 1 with probability p_j and else 0.

    With L̄ = Σ p_j L_j and L̃ = Σ p_j (1 - p_j) L_j, E[W_t²] = I - 2α L̄ + α² (L̄² + 2 L̃), since L_j² = 2 L_j.

    Args:
        n: Number of peers.
        matchings: m of them.
        p: Their probabilities, shape (m,).
    """
    mean, rest = laplacian(n, matchings, p), np.eye(n) - 1 / n
    square = mean @ mean + 2 * laplacian(n, matchings, p * (1 - p))
    return lambda alpha: float(np.linalg.eigvalsh(rest - 2 * alpha * mean + alpha**2 * square)[-1])


def best_step(n: int, matchings: Sequence[Matching], p: NDArray[np.float64]) -> tuple[float, float]:
    """(α, ρ): the α for which `second_moment` is smallest, and that value.

    It is convex in α, and at least 1 from 2/μ_n(L̄) on.
    """
    rho = second_moment(n, matchings, p)
    widest = 2 / float(np.linalg.eigvalsh(laplacian(n, matchings, p))[-1])
    found = minimize_scalar(rho, bounds=(0, widest), method="bounded", options={"xatol": 1e-9 * widest})
    return float(found.x), float(found.fun)


def laplacian(n: int, matchings: Sequence[Matching], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ w_j L_j, dense, shape (n, n)."""
    L = np.zeros((n, n))
    for matching, weight in zip(matchings, weights, strict=True):
        i, j = np.array(matching).T
        L[i, j] = L[j, i] = -weight
    L[np.diag_indices(n)] = -L.sum(axis=1)
    return L


class _Barrier:
    """log det (Σ p_j L_j - s (I - J)) on vectors without mean, + Σ log p_j + Σ log(1 - p_j) + log(total - Σ p_j)."""

    def __init__(self, n: int, matchings: Sequence[Matching], total: float) -> None:
        self.n, self.matchings, self.total = n, matchings, total
        self.ends = [np.array(matching).T for matching in matchings]

    def inverse(self, p: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Y = (Σ p_j L_j - s (I - J))⁻¹ on vectors without mean, shape (n, n).

        Raises:
            LinAlgError: outside the barrier.
        """
        if min(p.min(), 1 - p.max(), self.total - p.sum()) <= 0:
            raise np.linalg.LinAlgError("outside the bounds of p")
        X = laplacian(self.n, self.matchings, p) - s * np.eye(self.n) + (s + 1) / self.n
        return cho_solve(cho_factor(X, lower=True), np.eye(self.n)) - 1 / self.n

    def traces(self, Y: NDArray[np.float64]) -> NDArray[np.float64]:
        """tr(Y L_j) of each matching, shape (m,)."""
        return np.array([np.sum(Y[i, i] - Y[i, j] - Y[j, i] + Y[j, j]) for i, j in self.ends])

    def centre(self, p: NDArray[np.float64], s: float, sharpness: float) -> tuple[NDArray, float, NDArray]:
        """(p, s, Y): where sharpness · s plus the barrier is largest, and the inverse there."""
        Y, before = self.inverse(p, s), np.inf
        for _ in range(_STEPS):
            gradient, curvature = self._derivatives(p, sharpness, Y)
            step = np.linalg.solve(curvature, gradient)
            decrement = float(gradient @ step)
            if decrement <= 1e-9 or (before < 0.1 and decrement > before / 2):  # there, or as near as rounding lets us
                break
            before = decrement
            length = 1.0 if decrement < 0.1 else 1 / (1 + decrement**0.5)  # self-concordance keeps this inside
            try:
                after = p + length * step[:-1], s + length * float(step[-1])
                Y = self.inverse(*after)
            except np.linalg.LinAlgError:  # rounding led outside: no digit is left to win
                break
            p, s = after
        return p, s, Y

    def _derivatives(self, p: NDArray[np.float64], sharpness: float, Y: NDArray) -> tuple[NDArray, NDArray]:
        """Gradient and negative Hessian in (p, s): traces of Y L_j, of Y L_j Y L_k, and of their like with I - J."""
        m = len(p)
        YL = np.zeros((m, self.n, self.n))
        for product, (i, j) in zip(YL, self.ends, strict=True):
            product[:, i] = Y[:, i] - Y[:, j]
            product[:, j] = -product[:, i]
        flat, turned = YL.reshape(m, -1), YL.transpose(0, 2, 1).reshape(m, -1)
        rest = 1 / (self.total - p.sum())
        gradient = np.append(self.traces(Y) + 1 / p - 1 / (1 - p) - rest, sharpness - np.trace(Y))
        curvature = np.empty((m + 1, m + 1))
        curvature[:m, :m] = flat @ turned.T + rest**2 + np.diag(1 / p**2 + 1 / (1 - p) ** 2)
        curvature[m, :m] = curvature[:m, m] = -flat @ Y.ravel()
        curvature[m, m] = np.sum(Y**2)
        return gradient, curvature
