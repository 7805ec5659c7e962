"""The steady consensus distance of gradient steps and gossip, in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.spectra.symmetric import need_symmetric
from dfedsam.topologies.topology import TOLERANCE
from dfedsam.validation import whole_number

Multipliers = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def steady_consensus(
    W: sp.csr_array,
    centres: NDArray[np.floating],
    lr: float,
    noise: float = 0.0,
    steps: int = 1,
    *,
    multipliers: Multipliers | None = None,
    before_gossip: bool = False,
) -> float:
    """The steady consensus distance of adapt-then-combine gradient steps on noisy quadratics.

    For f_i(x) = ½‖x - b_i‖² and X ← M(X - lr · G), G the gradients plus independent noise, and M = P(W) a polynomial of
    W, such as W^Q, with eigenpairs (m_k, v_k): E (1/n) Σ ‖x_i - x̄‖² = (1/n) Σ_{k≥2} [(lr m_k / (1 - (1-lr) m_k))²
    ‖v_kᵀB‖² + lr² σ² d m_k² / (1 - (1-lr)² m_k²)]. Before gossip the factors m_k² in the numerators are left out. Costs
    n³.

    Args:
        W: symmetric and connected, shape (n, n).
        centres: the minima b_i, shape (n, d).
        lr: step size η, above 0 and below 2.
        noise: standard deviation σ of a gradient's noise in each coordinate.
        steps: gossip steps Q a round: M = W^Q.
        multipliers: for any other M: the map from W's eigenvalues λ_k to m_k = P(λ_k), shape (k,) → (k,); `steps` is
            not used then. For Chebyshev gossip λ ↦ T_Q(λ/λ_max)/T_Q(1/λ_max).
        before_gossip: give the distance between a round's gradient step and its gossip, instead of after it.

    Raises:
        ValueError: if lr is out of range, W is not symmetric, its peers are not connected, or M makes them diverge.
    """
    if not 0 < lr < 2:
        rule = "must be above 0 and below 2, or the quadratics diverge"
        raise OptionError("lr", lr, rule, "take a smaller one")
    need_symmetric(W)
    values, vectors = np.linalg.eigh(W.toarray())
    if values[-2] > 1 - TOLERANCE:
        raise ValueError("W leaves the peers in components that never meet: it must be connected; add edges")
    values, vectors = values[:-1], vectors[:, :-1]  # all but the mean
    m = values ** whole_number("steps", steps, 1, "the usual is 1") if multipliers is None else multipliers(values)
    largest = float(abs(1 - lr) * np.abs(m).max())
    if not largest < 1:
        rule = "must be below 1, or the peers diverge"
        raise OptionError("the largest |(1 - lr) m_k|", largest, rule, "give other multipliers")
    n, d = centres.shape
    after = 1.0 if before_gossip else m
    bias = (lr * after / (1 - (1 - lr) * m)) ** 2 * np.sum((vectors.T @ centres) ** 2, axis=1)
    spread = lr**2 * noise**2 * d * after**2 / (1 - (1 - lr) ** 2 * m**2)
    return float(np.sum(bias + spread) / n)
