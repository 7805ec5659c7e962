"""How far from their mean peers still are after t rounds of gossip alone, and what theory says of it."""

import numpy as np
from numpy.typing import NDArray

from topologies.topology import Topology

EXACT = 200  # peers up to which the worst start is found; above, random starts stand for it
STARTS = 16  # random starts
MOST = 300  # rounds that are looked at
SMALL = 1e-10  # of the first distance: then the peers agree
EXACTLY = 1e-13  # of the first distance: what rounding leaves of none


def errors(topology: Topology) -> NDArray[np.float64]:
    """What t rounds leave of the first distance from the mean, t = 0, 1, … until SMALL or MOST, shape (rounds + 1,).

    Up to EXACT peers ‖W_{t-1} ⋯ W_0 − J‖₂, which is that of the worst start; above, the root of the mean square over
    STARTS random ones. Where only columns of W_t sum to one, peers divide by push-sum's weights.
    """
    n = topology.n
    if n <= EXACT:
        x = np.eye(n)
    else:
        x = np.random.default_rng(0).standard_normal((n, STARTS))
        x -= x.mean(axis=0)
        x /= np.linalg.norm(x)
    mean = x.mean(axis=0)
    share = np.ones((n, 1))  # push-sum's weights
    found = [1.0]
    for t in range(MOST):
        W = topology.weights(t)
        x = W @ x
        if topology.sums == "columns":
            share = W @ share
        found.append(float(np.linalg.norm(x / share - mean, 2 if n <= EXACT else None)))
        if found[-1] < SMALL:
            break
    return np.array(found)


def rate(topology: Topology) -> tuple[float, str] | None:
    """The factor a round by which theory says that the distance shrinks, and its formula; None where there is none.

    Drawn afresh: √λ_max(E[WᵀW] − J), in the mean square. Over a period τ: ‖W_{τ-1} ⋯ W_0 − J‖₂^(1/τ), with push-sum
    the second largest modulus of the product's eigenvalues instead of its norm. None also above EXACT peers, for want
    of a product, and where a period makes the mean exactly.
    """
    if topology.period is None:
        left = topology.contraction()
        return None if left is None else (float(np.sqrt(left)), "$\\sqrt{\\lambda_{max}(E[W^TW] - J)}^{\\,t}$")
    if topology.n > EXACT or topology.period > MOST:
        return None
    product = np.eye(topology.n)
    for t in range(topology.period):
        product = topology.weights(t) @ product
    apart = product - 1 / topology.n
    if topology.sums == "both":
        left, formula = float(np.linalg.norm(apart, 2)), "$\\|W_{\\tau-1} \\cdots W_0 - J\\|^{\\,t/\\tau}$"
    else:
        left = float(np.sort(np.abs(np.linalg.eigvals(product)))[-2])
        formula = "$|\\lambda_2(W_{\\tau-1} \\cdots W_0)|^{\\,t/\\tau}$"
    return None if left < SMALL else (left ** (1 / topology.period), formula)
