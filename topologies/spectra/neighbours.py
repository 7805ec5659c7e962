"""The effective number of neighbours: with how many peers a vector is averaged in effect.

Source: Vogels, Hendrikx and Jaggi (2022), "Beyond spectral gap: the role of the topology in decentralized learning".
Peers' values walk by z ← W(√γ z + ξ), ξ fresh independent noise of variance one. Alone, they would come to rest at the
variance 1/(1 - γ); n_W(γ) is that over the variance at which they do, mean over peers. So defined, it needs neither a
symmetric W nor the same W in all rounds.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.density import mean_of
from dfedsam.topologies.spectra.symmetric import eigenvalues, is_symmetric
from dfedsam.topologies.topology import TOLERANCE

GAMMA = 0.9
WALKED = 2_000_000  # values that simulated walks are averaged over: peers × rounds × walks at once; at least one walk
ACCURACY = 1e-12  # of covariances
ROUNDS = 100  # of these walks that their variance is averaged over, at least


def effective_neighbours(W: sp.csr_array, gamma: float = GAMMA) -> float:
    """n_W(γ), 1 for W = I and n for W = J: with how many peers a vector is in effect averaged.

    For a symmetric W it is (1/(1-γ)) / [(1/n) Σ λ_i²/(1 - γλ_i²)]. Above DENSE peers it is estimated, to about one per
    cent.

    Args:
        W: Rows that sum to one, symmetric or not; shape (n, n).
        gamma: Decay γ of the walk, at least 0 and below 1; the nearer to 1, the further a peer sees.

    Raises:
        ValueError: if gamma is out of range.
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma is {gamma}: it must be at least 0 and below 1; the usual is 0.9")
    n = len(W.indptr) - 1
    if not is_symmetric(W):
        keeps_mean = np.abs(np.asarray(W.sum(axis=0)) - 1).max() <= TOLERANCE
        return schedule_neighbours([W], gamma, keeps_mean=bool(keeps_mean))
    if extremes.small(n):
        return from_eigenvalues(eigenvalues(W), gamma)
    pole = gamma**-0.5 if gamma else np.inf
    rest = (n - 1) * mean_of(W, lambda x: x**2 / (1 - gamma * x**2), pole)
    return _from_rest(n, gamma, rest)


def from_eigenvalues(values: NDArray[np.float64], gamma: float = GAMMA) -> float:
    """n_W(γ) from all eigenvalues of a symmetric W, shape (n,), falling, the first of them 1."""
    squares = values[1:] ** 2
    return _from_rest(len(values), gamma, float(np.sum(squares / (1 - gamma * squares))))


def schedule_neighbours(
    matrices: Sequence[sp.csr_array], gamma: float = GAMMA, *, keeps_mean: bool = True, exact: bool = True
) -> float:
    """n_W(γ) of matrices played in turn: the variance is the mean of all rounds.

    Args:
        matrices: Each (n, n), rows that sum to one.
        gamma: As in `effective_neighbours`.
        keeps_mean: Whether their columns sum to one, too.
        exact: Up to DENSE peers from the walk's covariance. Above, and else, from simulated walks, to about one per
            cent.
    """
    n = len(matrices[0].indptr) - 1
    variances = _covariances if exact and extremes.small(n) else _walks
    rest = float(np.mean(list(variances(matrices, gamma, keeps_mean))))
    return _from_rest(n, gamma, rest) if keeps_mean else n / ((1 - gamma) * rest)


def _from_rest(n: int, gamma: float, rest: float) -> float:
    """n_W from the variance, summed over all peers, without that of their mean."""
    return n / (1 + (1 - gamma) * rest)


def _covariances(matrices: Sequence[sp.csr_array], gamma: float, keeps_mean: bool) -> Iterator[float]:
    """In each round of a cycle the variance of all peers together, the mean's left out where it never changes."""
    n = len(matrices[0].indptr) - 1
    noise = np.eye(n) - keeps_mean / n
    product, covariance = noise, np.zeros((n, n))
    for W in matrices:
        product, covariance = W @ product, _walked(W, gamma, covariance, noise)
    kept = gamma ** len(matrices)
    while kept > ACCURACY:  # covariance after twice as many periods
        covariance = covariance + kept * product @ covariance @ product.T
        product, kept = product @ product, kept**2
    for W in matrices:
        covariance = _walked(W, gamma, covariance, noise)
        yield float(np.trace(covariance))


def _walked(
    W: sp.csr_array, gamma: float, covariance: NDArray[np.float64], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The covariance a round later."""
    return W @ (W @ (gamma * covariance + noise)).T


def _walks(matrices: Sequence[sp.csr_array], gamma: float, keeps_mean: bool) -> Iterator[float]:
    """The same, measured on some walks at once."""
    n, rng = len(matrices[0].indptr) - 1, np.random.default_rng(0)
    cycles = -(-ROUNDS // len(matrices))
    width = max(1, WALKED // (n * cycles * len(matrices)))
    z = np.zeros((n, width))
    settled = 0 if gamma == 0 else int(np.log(1e-4) / np.log(gamma)) + 1
    before = -(-settled // len(matrices)) * len(matrices)  # rounds until next to nothing of the start is left
    for t, W in enumerate(islice(cycle(matrices), before + cycles * len(matrices))):
        z = W @ (np.sqrt(gamma) * z + rng.standard_normal((n, width)))
        if keeps_mean:
            z -= z.mean(axis=0)
        if t >= before:
            yield float(np.sum(z**2)) / width
