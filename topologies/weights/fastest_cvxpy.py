"""The fastest mixing weights by solvers that cvxpy brings: Clarabel on small graphs, SCS on larger ones."""

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp

from dfedsam.topologies.weights.edges import Array, Edges

SMALL, LARGE = 48, 128  # peers: up to which Clarabel takes seconds, and SCS a minute


def solve(name: str, edges: Edges, nonnegative: bool) -> tuple[Array, Array, Array | None]:
    """As `topologies.weights.interior_point.interior_point`.

    Args:
        name: Of the rule, for messages.
        edges: Of the graph.
        nonnegative: As there.

    Raises:
        ValueError: if cvxpy is not installed, there are more than LARGE peers, or the solver found nothing.
    """
    try:
        import cvxpy as cp
    except ImportError:
        hint = "pip install 'dfedsam[sdp]', or leave solver out"
        raise ValueError(f"solver is cvxpy: it must be installed; {hint}") from None
    n, m = edges.n, edges.m
    if n > LARGE:
        raise ValueError(f"solver is cvxpy: it takes at most {LARGE} peers, and this graph has {n}; leave solver out")
    w, s = cp.Variable(m), cp.Variable()
    numbers, (i, j) = np.arange(m), (edges.i.astype(int), edges.j.astype(int))
    places = (np.concatenate([i * n + i, j * n + j, i * n + j, j * n + i]), np.tile(numbers, 4))
    laplacian = sp.csr_array((np.repeat([1.0, 1.0, -1.0, -1.0], m), places), shape=(n * n, m))
    M = np.eye(n) - 1 / n - cp.reshape(laplacian @ w, (n, n), order="C")
    within: list[Any] = [s * np.eye(n) - M >> 0, s * np.eye(n) + M >> 0]
    limits: list[Any] = [edges.incidence @ w <= 1, w >= 0] if nonnegative else []
    program = cp.Problem(cp.Minimize(s), within + limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of inaccuracy: the certificate says how much there is
            if n <= SMALL:
                program.solve(solver=cp.CLARABEL)
            else:  # its own scaling slows SCS down here: the program is scaled well
                program.solve(solver=cp.SCS, normalize=False, eps_abs=1e-7, eps_rel=1e-7, max_iters=5000)
    except cp.SolverError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"weights is {name}: cvxpy failed: {reason}; leave solver out") from None
    if w.value is None:
        raise ValueError(f"weights is {name}: cvxpy ended {program.status}; leave solver out")
    Z = np.asarray(within[0].dual_value) - np.asarray(within[1].dual_value)
    return w.value, (Z + Z.T) / 2, np.asarray(limits[0].dual_value) if nonnegative else None
