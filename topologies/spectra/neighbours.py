"""The effective number of neighbours: with how many peers a vector is in effect averaged.

Source: Vogels, Hendrikx and Jaggi (2022), "Beyond spectral gap: the role of the topology in decentralized learning".
Peers' values walk by z ← W(√γ z + ξ), where ξ is fresh independent noise of variance one. Alone, they would settle at
the variance 1/(1 - γ); n_W(γ) is that over the variance at which they do, mean over peers. So defined, it needs neither
a symmetric W nor the same W in all rounds.

For a large symmetric W the mean over its eigenvalues is estimated by stochastic Lanczos quadrature (Golub and Meurant
2010; Ubaru, Chen and Saad 2017): for a random sign vector v the tridiagonal matrix of a few Lanczos steps gives nodes
and weights that stand for the eigenvalues as v sees them. Its error is that of the random vectors. So the function is
first fitted, on the nodes, by a polynomial whose mean is known exactly from traces of W's first powers; the vectors
determine the fit's coefficients alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice

import numpy as np
import scipy.sparse as sp
from numpy.polynomial.polynomial import polyvander
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from dfedsam.errors import OptionError
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.circulant import CirculantRounds
from dfedsam.topologies.spectra.symmetric import eigenvalues, is_symmetric
from dfedsam.topologies.topology import TOLERANCE

GAMMA = 0.9
WALKED = 2_000_000  # values that simulated walks are averaged over: peers × rounds × walks at once; at least one walk
ROUNDS = 100  # of these walks that their variance is averaged over, at least
_COVARIANCE_ACCURACY = 1e-12

_PROBED = 50_000  # entries of all random vectors of a quadrature together; at least two vectors, or one of LARGE
_QUADRATURE_ACCURACY = 1e-8  # of each random vector by itself
_LARGE_ACCURACY = 1e-5  # above extremes.LARGE peers, of whom random vectors see less than a thousandth
_FILL = 50  # products of entries that W² takes for each entry of W, up to which it is made
CHUNK = 1 << 22  # products of entries of W² that are made at once


def effective_neighbours(W: sp.csr_array, gamma: float = GAMMA) -> float:
    """n_W(γ), 1 for W = I and n for W = J: with how many peers a vector is in effect averaged.

    For a symmetric W it is (1/(1-γ)) / [(1/n) Σ λ_i²/(1 - γλ_i²)]. Above 500 peers it is estimated, to about one per
    cent, unless W is circulant.

    Args:
        W: rows that sum to one, symmetric or not; shape (n, n).
        gamma: decay γ of the walk, at least 0 and below 1; the nearer to 1, the further a peer sees.

    Raises:
        OptionError: if gamma is out of range.
    """
    if not 0 <= gamma < 1:
        raise OptionError("gamma", gamma, "must be at least 0 and below 1", "the usual is 0.9")
    if not is_symmetric(W):
        keeps_mean = np.abs(np.asarray(W.sum(axis=0)) - 1).max() <= TOLERANCE
        return schedule_neighbours([W], gamma, keeps_mean=bool(keeps_mean))
    return from_eigenvalues(eigenvalues(W), gamma) if extremes.small(len(W.indptr) - 1) else of_many_peers(W, gamma)


def of_many_peers(W: sp.csr_array, gamma: float = GAMMA) -> float:
    """n_W(γ) of a symmetric W (n, n) above 500 peers."""
    n = len(W.indptr) - 1
    circulant = CirculantRounds.of([W], gamma)
    if circulant:
        return from_variance(n, circulant.variance, gamma)
    pole = gamma**-0.5 if gamma else np.inf
    variance = (n - 1) * _mean_over_eigenvalues(W, lambda x: x**2 / (1 - gamma * x**2), pole)
    return from_variance(n, variance, gamma)


def from_eigenvalues(values: NDArray[np.float64], gamma: float = GAMMA) -> float:
    """n_W(γ) from all eigenvalues of a symmetric W, shape (n,), falling, the first of them 1."""
    squares = values[1:] ** 2
    return from_variance(len(values), float(np.sum(squares / (1 - gamma * squares))), gamma)


def schedule_neighbours(
    matrices: Sequence[sp.csr_array], gamma: float = GAMMA, *, keeps_mean: bool = True, exact: bool = True
) -> float:
    """n_W(γ) of matrices used in turn: the variance is the mean of all rounds.

    Args:
        matrices: each (n, n), rows that sum to one.
        gamma: as in `effective_neighbours`.
        keeps_mean: whether their columns sum to one, too.
        exact: use the walk's covariance for up to 500 peers; above, and else, simulated walks, to about one per cent.
    """
    n = len(matrices[0].indptr) - 1
    variances = _covariances if exact and extremes.small(n) else _walks
    variance = float(np.mean(list(variances(matrices, gamma, keeps_mean))))
    return from_variance(n, variance, gamma) if keeps_mean else n / ((1 - gamma) * variance)


def from_variance(n: int, variance: float, gamma: float = GAMMA) -> float:
    """n_W from the variance, summed over all peers, without that of their mean."""
    return n / (1 + (1 - gamma) * variance)


def _covariances(matrices: Sequence[sp.csr_array], gamma: float, keeps_mean: bool) -> Iterator[float]:
    """In each round of a cycle the variance of all peers together, without the mean's where gossip keeps it."""
    n = len(matrices[0].indptr) - 1
    noise = np.eye(n) - keeps_mean / n
    product, covariance = noise, np.zeros((n, n))
    for W in matrices:
        product, covariance = W @ product, _next_covariance(W, gamma, covariance, noise)
    decay = gamma ** len(matrices)
    while decay > _COVARIANCE_ACCURACY:  # covariance after twice as many periods
        covariance = covariance + decay * product @ covariance @ product.T
        product, decay = product @ product, decay**2
    for W in matrices:
        covariance = _next_covariance(W, gamma, covariance, noise)
        yield float(np.trace(covariance))


def _next_covariance(
    W: sp.csr_array, gamma: float, covariance: NDArray[np.float64], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    return W @ (W @ (gamma * covariance + noise)).T


def _walks(matrices: Sequence[sp.csr_array], gamma: float, keeps_mean: bool) -> Iterator[float]:
    """The same, measured on several walks at once."""
    n, rng = len(matrices[0].indptr) - 1, np.random.default_rng(0)
    cycles = -(-ROUNDS // len(matrices))
    width = max(1, WALKED // (n * cycles * len(matrices)))
    z = np.zeros((n, width))
    transient = 0 if gamma == 0 else int(np.log(1e-4) / np.log(gamma)) + 1
    before = -(-transient // len(matrices)) * len(matrices)  # rounds until the start is forgotten
    for t, W in enumerate(islice(cycle(matrices), before + cycles * len(matrices))):
        z = W @ (np.sqrt(gamma) * z + rng.standard_normal((n, width)))
        if keeps_mean:
            z -= z.mean(axis=0)
        if t >= before:
            yield float(np.sum(z**2)) / width


def _mean_over_eigenvalues(
    W: sp.csr_array, f: Callable[[NDArray[np.float64]], NDArray[np.float64]], pole: float
) -> float:
    """Estimate the mean of f(λ_k) over all eigenvalues of W but the first, which belongs to the constant vector.

    W is symmetric with rows that sum to one and eigenvalues in [-1, 1]; f maps eigenvalues (k,) to values (k,). `pole`
    is how near to 0 on the real axis f has a pole, above 1: the nearer, the more steps are needed.
    """
    n = len(W.indptr) - 1
    accuracy = _QUADRATURE_ACCURACY if n <= extremes.LARGE else _LARGE_ACCURACY
    steps = min(n - 1, 5 + int(-np.log(accuracy) / (2 * np.arccosh(pole))))
    nodes, weights = _quadrature(W, steps, max(2 if n <= extremes.LARGE else 1, _PROBED // n))
    means = _power_means(W)
    root = np.sqrt(weights)
    powers = polyvander(nodes, len(means) - 1)
    fit = np.linalg.lstsq(root[:, None] * powers, root * f(nodes), rcond=None)[0]
    return float(fit @ means)  # the fit's weighted error has mean zero, since it has a constant term


def _quadrature(W: sp.csr_array, steps: int, probes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of all random vectors together, the weights' sum one."""
    v = np.random.default_rng(0).choice([-1.0, 1.0], size=(len(W.indptr) - 1, probes))
    v -= v.mean(axis=0)
    v /= np.linalg.norm(v, axis=0)
    alphas, betas = np.zeros((2, steps, probes))
    before, beta = np.zeros_like(v), np.zeros(probes)
    for k in range(steps):
        w = W @ v
        before *= beta
        w -= before
        alphas[k] = np.einsum("ij,ij->j", v, w)
        w -= np.multiply(v, alphas[k], out=before)
        w -= w.mean(axis=0)
        beta = np.linalg.norm(w, axis=0)
        beta[beta < 1e-12] = 0  # this vector's Krylov space is complete
        betas[k] = beta
        w /= np.where(beta > 0, beta, np.inf)
        before, v = v, w
    nodes, weights = [], []
    for alpha, beta in zip(alphas.T, betas.T, strict=True):
        values, vectors = eigh_tridiagonal(alpha, beta[:-1])
        nodes.append(values)
        weights.append(vectors[0] ** 2 / probes)
    return np.concatenate(nodes), np.concatenate(weights)


def _power_means(W: sp.csr_array) -> NDArray[np.float64]:
    """Means of λ_k^j over all eigenvalues but the first, for j = 0, 1, 2, and 3 and 4 where W² is cheap.

    W² is made some rows at a time: it may have many times W's entries. Random vectors of very many peers need it least.
    """
    n, row = len(W.indptr) - 1, np.diff(W.indptr).astype(np.float64)
    traces = [n, W.diagonal().sum(), W.power(2).sum()]
    if n <= extremes.LARGE and row @ row <= _FILL * W.nnz:
        products = np.concatenate([[0.0], np.cumsum(row[W.indices])])[W.indptr]  # of the rows before each
        cuts = np.searchsorted(products, np.arange(CHUNK, products[-1], CHUNK))
        third = fourth = 0.0
        for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), n], strict=True):
            rows = W[start:stop]
            square = sp.csr_array(rows @ W)
            third, fourth = third + square.multiply(rows).sum(), fourth + square.data @ square.data
        traces += [third, fourth]
    return (np.array(traces) - 1) / (n - 1)
