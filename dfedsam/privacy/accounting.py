"""Privacy accounting: (ε, δ) of many releases, the noise that a budget needs, and what a network's graph adds to it.

A release adds noise to a sum that one example, or one peer, moves by at most its sensitivity; the noise multiplier σ is
the noise's standard deviation (Laplace: its scale) over that. With Poisson sampling each example is in a release with
probability `rate`. "rdp" is our own formula, the same on every machine; "pld" is tighter and takes seconds, and needs
Google's dp-accounting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import scipy  # whose `special` is loaded when it is first used
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from dfedsam.errors import OptionError
from dfedsam.topologies import cache_by_id

Accountant = Literal["rdp", "pld"]
Noise = Literal["gaussian", "laplace"]
_ORDERS = np.array([*(1 + k / 10 for k in range(1, 100)), *range(11, 64), 128, 256, 512, 1024])  # as dp-accounting's
_TERMS = 500  # of a series
_NEGLIGIBLE = -30.0  # logarithm of a last term that may be left out
_LARGEST, _TOLERANCE = 1e9, 1e-6  # noise multiplier, and relative accuracy of a bisection


def rdp_gaussian(sigma: float, orders: NDArray) -> NDArray[np.float64]:
    """Rényi divergence α/(2σ²) of one release with all examples. Source: Mironov (2017), proposition 7."""
    return orders / (2 * sigma**2)


def rdp_sampled_gaussian(sigma: float, rate: float, orders: NDArray) -> NDArray[np.float64]:
    """Rényi divergence of one release of a Poisson sample, orders α > 1.

    For a whole α it is log Σ_k C(α, k) q^k (1 − q)^{α−k} e^{(k² − k)/(2σ²)} / (α − 1); for others the two series on
    either side of the point where both densities are equal. Source: Mironov, Talwar and Zhang (2019), "Rényi
    differential privacy of the sampled Gaussian mechanism", section 3.3.
    """
    whole = orders == np.floor(orders)
    moments = np.empty(len(orders))
    moments[whole] = [_whole(sigma, rate, order) for order in orders[whole].tolist()]
    moments[~whole] = _fractional(sigma, rate, orders[~whole, None])
    return moments / (orders - 1)


def _whole(sigma: float, rate: float, order: float) -> float:
    k = np.arange(order + 1)
    binomial = scipy.special.gammaln(order + 1) - scipy.special.gammaln(k + 1) - scipy.special.gammaln(order - k + 1)
    terms = binomial + k * math.log(rate) + (order - k) * math.log1p(-rate) + (k**2 - k) / (2 * sigma**2)
    total: Any = scipy.special.logsumexp(terms)
    return float(total)


def _fractional(sigma: float, rate: float, order: NDArray) -> NDArray[np.float64]:
    """For orders of shape (m, 1): shape (m,); infinite where the series are too long."""
    k = np.arange(_TERMS)
    j = order - k
    equal = sigma**2 * math.log(1 / rate - 1) + 0.5
    binomial = scipy.special.gammaln(order + 1) - scipy.special.gammaln(k + 1) - scipy.special.gammaln(j + 1)
    left = binomial + k * math.log(rate) + j * math.log1p(-rate) + (k**2 - k) / (2 * sigma**2)
    left += scipy.special.log_ndtr((equal - k) / sigma)
    right = binomial + j * math.log(rate) + k * math.log1p(-rate) + (j**2 - j) / (2 * sigma**2)
    right += scipy.special.log_ndtr((j - equal) / sigma)
    sums: Any = scipy.special.logsumexp(np.stack([left, right]), b=scipy.special.gammasgn(j + 1), axis=(0, 2))
    return np.where(np.maximum(left[:, -1], right[:, -1]) < _NEGLIGIBLE, sums, np.inf)


def epsilon_of_rdp(rdp: NDArray[np.float64], orders: NDArray, delta: float) -> float:
    """ε at δ of Rényi divergences at these orders: min_α ρ(α) + log((α − 1)/α) − (log δ + log α)/(α − 1).

    Source: Canonne, Kamath and Steinke (2020), "The discrete Gaussian for differential privacy", proposition 12.
    """
    values = rdp + np.log1p(-1 / orders) - (math.log(delta) + np.log(orders)) / (orders - 1)
    return max(0.0, float(values.min()))


@lru_cache(maxsize=4096)
def epsilon(
    noise: Noise, sigma: float, releases: float, delta: float, *, rate: float = 1.0, accountant: Accountant = "rdp"
) -> float:
    """ε of independent releases.

    Args:
        noise: "gaussian", or "laplace", whose ε is pure with "rdp": the releases' sum.
        sigma: the noise multiplier, above 0.
        releases: how many, at least 0; a whole number for "pld".
        delta: δ, in (0, 1).
        rate: the probability that an example is in a release, in (0, 1].
        accountant: "rdp" or "pld".

    Raises:
        OptionError: for "pld" without dp-accounting.
    """
    if releases == 0:
        return 0.0
    if accountant == "pld":
        return _epsilon_of_pld(noise, sigma, int(releases), delta, rate)
    if noise == "laplace":
        return releases * math.log1p(rate * math.expm1(1 / sigma)) if sigma > 1 / 700 else math.inf
    return epsilon_of_rdp(releases * _rdp(sigma, rate), _ORDERS, delta)


@lru_cache(maxsize=256)
def _rdp(sigma: float, rate: float) -> NDArray[np.float64]:
    return rdp_gaussian(sigma, _ORDERS) if rate == 1 else rdp_sampled_gaussian(sigma, rate, _ORDERS)


def noise_for(budget: float, spent: Callable[[float], float]) -> float:
    """The smallest noise multiplier σ for which the ε spent(σ), which falls, is at most the budget, by bisection."""
    low, high = 1e-3, 1.0
    while spent(high) > budget:
        low, high = high, 2 * high
        if high > _LARGEST:
            raise OptionError("epsilon", budget, "is too small for any noise", "raise it, or delta")
    while high / low > 1 + _TOLERANCE:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if spent(middle) > budget else (low, middle)
    return high


def epsilon_of_zcdp(rho: float, delta: float) -> float:
    """ρ + 2√(ρ log 1/δ), for comparison. Source: Bun and Steinke (2016), proposition 1.3."""
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def _epsilon_of_pld(noise: Noise, sigma: float, releases: int, delta: float, rate: float) -> float:
    try:
        import dp_accounting  # pyright: ignore[reportMissingImports]
        from dp_accounting.pld import PLDAccountant  # pyright: ignore[reportMissingImports]
    except ImportError:
        rule = "needs dp-accounting, which is not installed"
        raise OptionError("privacy.accountant", "pld", rule, "install dfedsam[privacy], or choose rdp") from None
    event = dp_accounting.GaussianDpEvent(sigma) if noise == "gaussian" else dp_accounting.LaplaceDpEvent(sigma)
    if rate < 1:
        event = dp_accounting.PoissonSampledDpEvent(rate, event)
    accountant = PLDAccountant()
    accountant.compose(event, releases)
    return float(accountant.get_epsilon(delta))


@cache_by_id
def correlated_leak(W: sp.csr_array, sigma: float, shared: float) -> NDArray[np.float64]:
    """[(σ²I + σ_c²L)⁻¹]_ii for each peer i: 1/σ² of the plain Gaussian mechanism that is as private.

    σ is the deviation of each peer's own noise, above 0, σ_c that of each pair's, which are the links of W (n, n). An
    observer sees all messages, but none of the pairs' shared noise. Source: Allouah, Koloskova, El Firdoussi, Jaggi and
    Guerraoui (2024), "The privacy power of correlated noise in decentralized learning" (DECOR), theorem 1. Costs n³.
    """
    links = W.toarray() != 0
    np.fill_diagonal(links, False)
    L = np.diag(links.sum(axis=1)) - links.astype(np.float64)
    mu, vectors = np.linalg.eigh(L)
    return (vectors**2 / (sigma**2 + shared**2 * np.maximum(mu, 0))).sum(axis=1)


@cache_by_id
def zero_sum_leak(W: sp.csr_array) -> NDArray[np.float64]:
    """1ᵀΣ_a⁻¹1 for each peer a, Σ_a the covariance of Zip-DL's noise of unit scale in its messages to others.

    W is symmetric with a positive diagonal; its rows sum to one. The value is 1/σ² of the plain Gaussian mechanism that
    tells an observer of these messages as much about x_a. With m_v = W_av, m_a = W_aa − 1 and D = diag(W_av) over a's
    neighbours and itself, it is mᵀD⁻²m − (1ᵀD⁻²m)²/(1ᵀD⁻²1): d (d − 1) for d equal weights.
    """
    entries, diagonal = W.tocoo(), W.diagonal()
    other = (entries.row != entries.col) & (entries.data != 0)
    row, weights, n = entries.row[other], entries.data[other], len(diagonal)
    count, inverse, squares = (np.bincount(row, weights**power, minlength=n) for power in (0, -1, -2))
    own_term = (1 - diagonal) / diagonal**2
    return count + (1 - diagonal) * own_term - (inverse - own_term) ** 2 / (squares + diagonal**-2.0)


def pairwise_losses(W: sp.csr_array, steps: int) -> NDArray[np.float64]:
    """What peer v learns about u's noisy value in T gossip steps, in units of the local loss αΔ²/(2σ²): [u, v].

    f(u, v) = Σ_{t < T} Σ_{w ∈ N(v)} (W^t)²_{wu} / ‖(W^t)_w‖²; v sees what its neighbours send, and nothing else. It is
    a bound; the value itself is never above 1. W is symmetric. Source: Cyffers, Even, Bellet and Massoulié (2022),
    "Muffliato: peer-to-peer privacy amplification for decentralized optimization and averaging", theorem 1. Costs T n²
    times the mean degree.
    """
    *_, total = _totals(W, steps)
    return total


def losses_of_run(W: sp.csr_array, steps: int, rounds: int) -> NDArray[np.float64]:
    """Σ over rounds of min(1, pairwise losses), of a noisy value in each, gossiped Q steps a round until the run's end.

    Later noise, which only hides more, is left out, and so is that local updates depend on what was received.
    """
    losses = np.zeros((len(W.diagonal()),) * 2)
    for t, total in enumerate(_totals(W, steps * rounds), 1):
        if t % steps == 0:
            losses += np.minimum(1, total)
    return losses


def _totals(W: sp.csr_array, steps: int) -> Iterator[NDArray[np.float64]]:
    """The pairwise losses after 1, 2, …, T gossip steps."""
    links = sp.csr_array(W - sp.diags_array(W.diagonal()))
    links.eliminate_zeros()
    hears = sp.csr_array((np.ones(links.nnz), links.indices, links.indptr), shape=links.shape)
    n = len(W.diagonal())
    power, total = np.eye(n), np.zeros((n, n))
    for _ in range(steps):
        squares: NDArray[np.float64] = np.asarray(power) ** 2
        total = total + hears @ (squares / squares.sum(axis=1, keepdims=True))
        power = W @ power
        yield total.T


def by_distance(W: sp.csr_array, losses: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and the largest of losses (n, n) over the pairs of each distance in links 0, 1, …, (diameter + 1,)."""
    distances = shortest_path(abs(W) > 0, unweighted=True).astype(int).ravel()
    counts, largest = np.bincount(distances), np.zeros(distances.max() + 1)
    np.maximum.at(largest, distances, losses.ravel())
    return np.bincount(distances, losses.ravel()) / counts, largest
