"""Closed forms for circulant matrices, in which every row is the one before it, one place further on.

Rings, lattices around a ring, exponential graphs and their one-peer schedules are of this kind. All circulant matrices
have the same eigenvectors, those of the discrete Fourier transform, so that eigenvalues of products are products of
eigenvalues: λ_k = Σ_u w_u exp(-2πi k u/n), where u are the offsets of a row's entries and w_u their weights. Costs one
sine or two for each entry of a matrix. The multiples k u are reduced modulo n as whole numbers, so that errors are
those of rounding, about 1e-16. Source: Davis (1979), "Circulant matrices".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.topologies.spectra.rounds import AFTER, BEFORE
from dfedsam.topologies.topology import TOLERANCE

_EQUAL = 1e-15  # two weights may differ by this much, from rounding
_ENTRIES = 1 << 20  # of a matrix that are compared at once
_TERMS = 1 << 18  # terms of eigenvalues that are computed at once


class Circulant(NamedTuple):
    """A circulant matrix (n, n).

    Args:
        n: number of peers.
        offsets: u in 0..n-1: row i has entries in the columns (i - u) mod n; shape (m,).
        weights: of these entries, shape (m,).
    """

    n: int
    offsets: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, matrix: sp.csr_array) -> Circulant | None:
        """A sparse matrix with sorted indices, if it is circulant."""
        n, m = len(matrix.indptr) - 1, int(matrix.indptr[1])
        if not m or matrix.nnz != n * m or not np.array_equal(matrix.indptr, np.arange(0, n * m + 1, m)):
            return None
        columns, data = matrix.indices.reshape(n, m), matrix.data.reshape(n, m)
        offsets, weights = n - 1 - columns[-1].astype(np.int64), data[-1].astype(np.float64)  # falling; none is below 0
        if offsets.min() < 0 or (np.diff(offsets) >= 0).any():
            return None
        edges = [0, *offsets[::-1].tolist(), n]
        for begun, (first, last) in enumerate(pairwise(edges)):  # so many columns are i - u, the others i - u + n
            order = np.roll(np.arange(m), begun)
            shift = (np.where(np.arange(m) < begun, 0, n) - offsets[order]).astype(np.int32)
            for low in range(first, last, max(1, _ENTRIES // m)):
                rows = np.arange(low, min(low + max(1, _ENTRIES // m), last), dtype=np.int32)
                here = slice(low, low + len(rows))
                differs = np.abs(data[here] - weights[order]) > _EQUAL
                if differs.any() or not np.array_equal(columns[here], rows[:, None] + shift):
                    return None
        return cls(n, offsets, weights)

    def laplacian_ends(self) -> tuple[float, float]:
        """The second smallest and largest eigenvalue of the Laplacian Σ_u w_u (1 - cos 2πku/n) of a symmetric one.

        They have the relative accuracy of rounding, however small.
        """
        low, high = np.inf, 0.0
        for k in self.modes():
            mu = 2 * np.sin(self._angles(k) / 2) ** 2 @ self.weights
            low, high = min(low, float(mu.min())), max(high, float(mu.max()))
        return low, high

    def squares(self, k: NDArray[np.int64]) -> NDArray[np.float64]:
        """|λ_k|², shape (k,)."""
        angles = self._angles(k)
        squares = (np.cos(angles) @ self.weights) ** 2 + (np.sin(angles) @ self.weights) ** 2
        return np.asarray(squares, dtype=np.float64)

    def _angles(self, k: NDArray[np.int64]) -> NDArray[np.float64]:
        """2π k u/n for each k and each offset, shape (k, m)."""
        multiples: NDArray[np.float64] = (k[:, None] * self.offsets % self.n).astype(np.float64)
        return multiples * (2 * np.pi / self.n)

    def modes(self, matrices: int = 1) -> Iterator[NDArray[np.int64]]:
        """The numbers k = 1..⌊n/2⌋, some at a time; the others' eigenvalues are conjugate to theirs."""
        step, last = max(1, _TERMS // (matrices * len(self.offsets))), self.n // 2 + 1
        return (np.arange(low, min(low + step, last)) for low in range(1, last, step))


class CirculantRounds(NamedTuple):
    """What a period of circulant matrices W_1 … W_τ, whose rows sum to one, does to the peers' differences.

    Attributes:
        contraction: λ_max of the mean of WᵀW, without the constant vector.
        norm: ‖W_τ … W_1 - J‖₂, which is its spectral radius, too.
        finite_time: the first round after which every peer holds the mean; None if there is none.
        variance: of the walk z ← W(√γ z + ξ) of `spectra.neighbours` at rest, all peers together, without their mean's,
            mean of all rounds.
    """

    contraction: float
    norm: float
    finite_time: int | None
    variance: float

    @classmethod
    def of(cls, matrices: Sequence[sp.csr_array], gamma: float) -> CirculantRounds | None:
        """Of matrices (n, n) with sorted indices, if all are circulant."""
        circulants: list[Circulant] = []
        for matrix in matrices:
            one = Circulant.of(matrix)
            if one is None:
                return None
            circulants.append(one)
        n, contraction, variance, left = circulants[0].n, 0.0, 0.0, np.zeros(len(circulants))
        widest = max(circulants, key=lambda one: len(one.offsets))
        for k in widest.modes(len(circulants)):
            squares = np.stack([one.squares(k) for one in circulants])
            contraction = max(contraction, float(squares.mean(axis=0).max()))
            left = np.maximum(
                left, np.cumprod(squares, axis=0).max(axis=1)
            )  # of the squared distance, after each round
            variance += float(np.where(2 * k == n, 1, 2) @ _variances(squares, gamma))
        before = np.sqrt(np.concatenate([[1.0], left]))
        ended = np.flatnonzero(before[1:] <= AFTER)
        end = int(ended[0]) + 1 if ended.size and before[ended[0]] >= BEFORE else None
        norm = float(before[-1])
        return cls(contraction, 0.0 if norm <= TOLERANCE else norm, end, variance)


def _variances(squares: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """The fixed point of v ← |λ|² (γ v + 1) over a period, mean of its rounds; (rounds, k) to (k,)."""
    decay, gain = np.ones_like(squares[0]), np.zeros_like(squares[0])
    for square in squares:
        decay, gain = gamma * square * decay, square * (gamma * gain + 1)
    v, total = gain / (1 - decay), np.zeros_like(gain)
    for square in squares:
        v = square * (gamma * v + 1)
        total += v
    return total / len(squares)
