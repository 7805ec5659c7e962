"""Means over all eigenvalues of a large sparse W, without computing one of them.

Stochastic Lanczos quadrature (Golub and Meurant 2010; Ubaru, Chen and Saad 2017): for a random sign vector v the
tridiagonal matrix of a few Lanczos steps gives nodes and weights that stand for the eigenvalues as v sees them. Its
error is that of the random vectors. So the function in question is first fitted, on the nodes, by a polynomial of which
the mean is known exactly from traces of W's first powers, and what the vectors say is that fit's coefficients alone.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.polynomial.polynomial import polyvander
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

ENTRIES = 50_000  # of all random vectors together; at least PROBES vectors
PROBES = 2
ACCURACY = 1e-8  # of the quadrature, each random vector by itself
FILL = 50  # W² is made where it takes no more products of entries than this for each entry of W


def mean_of(W: sp.csr_array, f: Callable[[NDArray[np.float64]], NDArray[np.float64]], pole: float) -> float:
    """About the mean of f(λ_k) over all eigenvalues of W but the first, which belongs to the constant vector.

    Args:
        W: Symmetric, rows that sum to one, eigenvalues in [-1, 1]; shape (n, n).
        f: From eigenvalues (k,) to values (k,).
        pole: How near to 0 on the real axis f has a pole, above 1: the nearer, the more steps are needed.
    """
    n = len(W.indptr) - 1
    steps = min(n - 1, 5 + int(-np.log(ACCURACY) / (2 * np.arccosh(pole))))
    nodes, weights = _quadrature(W, steps, max(PROBES, ENTRIES // n))
    means = _power_means(W)
    root = np.sqrt(weights)
    powers = polyvander(nodes, len(means) - 1)
    fit = np.linalg.lstsq(root[:, None] * powers, root * f(nodes), rcond=None)[0]
    return float(fit @ means)  # the fit misses f by nothing in the weighted mean, since it has a constant term


def _quadrature(W: sp.csr_array, steps: int, probes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of all random vectors together, the weights' sum one."""
    v = np.random.default_rng(0).choice([-1.0, 1.0], size=(len(W.indptr) - 1, probes))
    v -= v.mean(axis=0)
    v /= np.linalg.norm(v, axis=0)
    alphas, betas = np.zeros((2, steps, probes))
    before, beta = np.zeros_like(v), np.zeros(probes)
    for k in range(steps):
        w = W @ v - beta * before
        alphas[k] = np.einsum("ij,ij->j", v, w)
        w -= alphas[k] * v
        w -= w.mean(axis=0)
        beta = np.linalg.norm(w, axis=0)
        beta[beta < 1e-12] = 0  # this vector has seen all there is
        betas[k] = beta
        before, v = v, w / np.where(beta > 0, beta, np.inf)
    nodes, weights = [], []
    for alpha, beta in zip(alphas.T, betas.T, strict=True):
        values, vectors = eigh_tridiagonal(alpha, beta[:-1])
        nodes.append(values)
        weights.append(vectors[0] ** 2 / probes)
    return np.concatenate(nodes), np.concatenate(weights)


def _power_means(W: sp.csr_array) -> NDArray[np.float64]:
    """Means of λ_k^j over all eigenvalues but the first, for j = 0, 1, 2, and 3 and 4 where W² is cheap."""
    n, row = len(W.indptr) - 1, np.diff(W.indptr).astype(np.float64)
    traces = [n, W.diagonal().sum(), W.power(2).sum()]
    if row @ row <= FILL * W.nnz:
        square = sp.csr_array(W @ W)
        traces += [square.multiply(W).sum(), square.power(2).sum()]
    return (np.array(traces) - 1) / (n - 1)
