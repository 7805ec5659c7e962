"""How far from their mean peers still are after t rounds of gossip alone."""

import numpy as np
from numpy.typing import NDArray

from dfedsam.topologies.topology import Topology

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
