"""E[WᵀW] of schedules whose random parts are simple enough for a formula, and what it says of an average round."""

import numpy as np
import scipy.sparse as sp

from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.spectra.extremes import second_smallest, small


def left_over(second: sp.csr_array) -> float:
    """λ_max(S - J) of S = E[WᵀW]: how much of the squared distance from the mean an average round leaves at most.

    Args:
        second: S of shape (n, n), symmetric, rows that sum to one.
    """
    n = len(second.indptr) - 1
    if small(n):
        return float(np.linalg.eigvalsh(second.toarray() - 1 / n)[-1])
    return 1 - second_smallest(sp.csr_array(diagonal(np.ones(n)) - second))


def thinned(W: sp.csr_array, one: float, two: float) -> sp.csr_array:
    """E[W_tᵀW_t] where W_t is W without the links that are down, both ends of which keep what they would have sent.

    With W = I - L, L = Σ_e w_e L_e over the links e, and B_e = 1 where link e is up, W_t = I - Σ B_e w_e L_e. Links
    without a common peer have L_e L_f = 0, and L_e² = 2 L_e, so that only two probabilities matter: E[W_t²] = I - 2 a L
    + b L² + 2 (a - b) Σ w_e² L_e.

    Args:
        W: Symmetric, shape (n, n), rows that sum to one.
        one: a, the probability that a link is up.
        two: b, the probability that two links at the same peer are both up.
    """
    identity = diagonal(np.ones(len(W.indptr) - 1))
    L = sp.csr_array(identity - W)
    squares = W.power(2)
    squares = squares - diagonal(squares.diagonal())
    weighted = diagonal(np.asarray(squares.sum(axis=1))) - squares  # Σ w_e² L_e
    return sp.csr_array(identity - 2 * one * L + two * (L @ L) + 2 * (one - two) * weighted)
