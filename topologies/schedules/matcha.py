"""MATCHA: the matchings of a graph, each used at random as often as its share of the budget is worth.

Source of all: Wang, Sahu, Yang, Joshi and Kar (2019), "MATCHA: Speeding up decentralized SGD via matching decomposition
sampling", arXiv 1905.09435.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import share
from dfedsam.topologies.graph import Graph
from dfedsam.topologies.graphs.helpers import checked_seed
from dfedsam.topologies.make import Spec, static_graph
from dfedsam.topologies.matrices import from_pairs, union
from dfedsam.topologies.schedule import Drawn
from dfedsam.topologies.schedules.edge_colouring import matchings_of
from dfedsam.topologies.schedules.unreliable import Links
from dfedsam.topologies.topology import Topology

Matching = Sequence[tuple[int, int]]

MOST = 128  # peers up to which probabilities are optimised: a dense semidefinite program
_CLARABEL = 64  # peers up to which the interior-point solver takes some seconds; beyond, SCS is quicker, less exact
_LOOSE = 1e-4  # of the best connectivity: how much the certificate may leave open


def matcha(
    n: int,
    topology: Spec = "ring",
    budget: float = 0.5,
    matchings: Sequence[Sequence[Sequence[int]]] | None = None,
    seed: int = 0,
) -> Topology:
    """Each matching of a graph is active with its own probability in every round: W_t = I - α Σ B_j L_j.

    The probabilities p of the matchings maximise μ₂(Σ p_j L_j) with Σ p_j ≤ budget · matchings; α then minimises
    ρ = λ_max(E[W_t²] - J), which is the expected contraction. Both depend on how the edges are divided into matchings.
    W_t is symmetric and doubly stochastic; it may have negative entries on the diagonal. The probabilities are found by
    cvxpy (the extra `sdp`), which a budget of 1 does not need.

    Args:
        n: number of peers, at most 128 with a budget below 1.
        topology: the graph, undirected and the same in every round; its weights are not used.
        budget: share of the matchings that are up in a round on average, in (0, 1]; 1 uses the whole graph always.
        matchings: how the edges are divided, [[[0, 4], [2, 3]], …]: each edge once, no peer twice in a matching; None
            divides them into at most Δ + 1 by Misra and Gries's method.
        seed: at least 0; also the graph's, where it is random.
    """
    budget = share("budget", budget, "the usual is 0.5")
    seed = checked_seed(seed)
    graph = static_graph(topology, n, seed, "matcha")
    divided = matchings_of(graph.networkx) if matchings is None else _checked(matchings, graph)
    return Matcha(graph, divided, budget, seed)


class Matcha(Drawn):
    """Matchings that are up at random; made by `matcha`.

    Attributes:
        matchings: pairs of peers, for each matching.
        probabilities: that it is up, shape (matchings,); to six digits, so that all ranks have the same.
        alpha: the weight α of an edge that is up, to six digits.
    """

    def __init__(self, graph: Graph, matchings: Sequence[Matching], budget: float, seed: int) -> None:
        n = graph.n
        if not graph.connected:
            raise OptionError("topology", "in parts", "must be connected for matcha", "add edges")
        self.matchings = matchings
        self.probabilities = np.round(best_probabilities(n, matchings, budget).probabilities, 6)
        alpha, _ = best_step(n, matchings, self.probabilities)
        self.alpha = float(f"{alpha:.6g}")
        i, j = np.concatenate([np.array(matching).T for matching in matchings], axis=1)
        whole_graph = from_pairs(n, i, j, self.alpha)
        self._links = Links(whole_graph, directed=False)
        matching_of = np.repeat(np.arange(len(matchings)), [len(matching) for matching in matchings])
        order = np.argsort(np.minimum(i, j) * n + np.maximum(i, j))  # that of the links
        self._matching = matching_of[order]
        ever = from_pairs(n, i, j, self.probabilities[matching_of])
        super().__init__(n, seed, union([ever]))

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        up = rng.random(len(self.matchings)) < self.probabilities
        return self._links.without(~up[self._matching])

    def contraction(self) -> float:
        return second_moment(self.n, self.matchings, self.probabilities)(self.alpha)


class Activation(NamedTuple):
    """Probabilities of the matchings, shape (m,), the μ₂(Σ p_j L_j) that they reach, and an upper bound of it."""

    probabilities: NDArray[np.float64]
    connectivity: float
    bound: float


def best_probabilities(n: int, matchings: Sequence[Matching], budget: float) -> Activation:
    """Maximise μ₂(Σ p_j L_j) over 0 ≤ p ≤ 1, Σ p_j ≤ budget · m.

    A semidefinite program: the largest s with Σ p_j L_j ⪰ s (I - J). Every Z ⪰ 0 with Z1 = 0 and trace 1 bounds the
    maximum by that of Σ p_j tr(Z L_j) over the same p, which the largest of these traces give; the solver's dual
    solution is such a Z, and proves the result.
    """
    m = len(matchings)
    if budget == 1:
        ones = np.ones(m)
        mu = float(np.linalg.eigvalsh(laplacian(n, matchings, ones))[1])
        return Activation(ones, mu, mu)
    p, Z = _solve(n, matchings, budget)
    p = np.clip(p, 0, 1)
    p *= min(1.0, budget * m / p.sum())
    connectivity = float(np.linalg.eigvalsh(laplacian(n, matchings, p))[1])
    values, vectors = np.linalg.eigh(Z - Z.mean(axis=0) - Z.mean(axis=1)[:, None] + Z.mean())
    Z = (vectors * np.maximum(values, 0)) @ vectors.T
    traces = [np.sum(Z * laplacian(n, [matching], np.ones(1))) for matching in matchings]
    largest = np.sort(traces)[::-1] / np.trace(Z)
    bound = float(largest @ np.clip(budget * m - np.arange(m), 0, 1))
    if not bound - connectivity <= _LOOSE * bound:
        rule = f"gives probabilities that are not proved best: μ₂ is {connectivity:.6g}, at most {bound:.6g}"
        raise OptionError("budget", budget, rule, "take another budget or graph")
    return Activation(p, connectivity, bound)


def second_moment(n: int, matchings: Sequence[Matching], p: NDArray[np.float64]) -> Callable[[float], float]:
    """α ↦ ρ = λ_max(E[W_t²] - J) of W_t = I - α Σ B_j L_j, where B_j is 1 with probability p_j and else 0.

    With L̄ = Σ p_j L_j and L̃ = Σ p_j (1 - p_j) L_j, E[W_t²] = I - 2α L̄ + α² (L̄² + 2 L̃), since L_j² = 2 L_j.
    """
    mean, rest = laplacian(n, matchings, p), np.eye(n) - 1 / n
    square = mean @ mean + 2 * laplacian(n, matchings, p * (1 - p))
    return lambda alpha: float(np.linalg.eigvalsh(rest - 2 * alpha * mean + alpha**2 * square)[-1])


def best_step(n: int, matchings: Sequence[Matching], p: NDArray[np.float64]) -> tuple[float, float]:
    """(α, ρ): the α for which `second_moment` is smallest, and that value.

    It is convex in α, and at least 1 from 2/μ_n(L̄) on.
    """
    from scipy.optimize import minimize_scalar  # slow to import

    rho = second_moment(n, matchings, p)
    widest = 2 / float(np.linalg.eigvalsh(laplacian(n, matchings, p))[-1])
    best: Any = minimize_scalar(rho, bounds=(0, widest), method="bounded", options={"xatol": 1e-9 * widest})
    return float(best.x), float(best.fun)


def laplacian(n: int, matchings: Sequence[Matching], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ w_j L_j, dense, shape (n, n)."""
    L = np.zeros((n, n))
    for matching, weight in zip(matchings, weights, strict=True):
        i, j = np.array(matching).T
        L[i, j] = L[j, i] = -weight
    L[np.diag_indices(n)] = -L.sum(axis=1)
    return L


def _solve(n: int, matchings: Sequence[Matching], budget: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The program's primal solution p, shape (m,), and dual solution Z, shape (n, n), as the solver gives them."""
    if n > MOST:
        hint = "take a budget of 1, fewer peers, or link_failures or pairwise"
        raise OptionError("peers", n, f"must be at most {MOST} for matcha", hint)
    try:
        import cvxpy as cp
    except ImportError:
        hint = "install it by `pip install 'dfedsam[sdp]'`, or take a budget of 1"
        raise OptionError("topology", "matcha", "needs the package cvxpy", hint) from None
    m = len(matchings)
    laplacians = sp.csc_array(np.stack([laplacian(n, [matching], np.ones(1)).ravel() for matching in matchings]).T)
    p, s = cp.Variable(m), cp.Variable()
    laplacians = laplacians / np.linalg.eigvalsh(laplacian(n, matchings, np.full(m, budget)))[1]  # so that s is near 1
    mean = cp.reshape(laplacians @ p, (n, n), order="C")
    J = np.full((n, n), 1 / n)
    connected = mean - s * (np.eye(n) - J) + J >> 0  # J alone on constant vectors, so that the inside is not empty
    constraints: list[Any] = [connected, p >= 0, p <= 1, cp.sum(p) <= budget * m]
    problem = cp.Problem(cp.Maximize(s), constraints)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an inaccurate solution: the bound says how near it is
            if n <= _CLARABEL:
                problem.solve(solver=cp.CLARABEL)
            else:
                problem.solve(solver=cp.SCS, eps=1e-7, max_iters=20_000)
    except cp.SolverError as error:
        raise OptionError("budget", budget, f"makes cvxpy fail ({error})", "take another budget or graph") from None
    if p.value is None or connected.dual_value is None:
        raise OptionError("budget", budget, f"makes cvxpy end {problem.status}", "take another budget or graph")
    return np.asarray(p.value, np.float64), np.asarray(connected.dual_value, np.float64)


def _checked(matchings: Any, graph: Graph) -> list[Matching]:
    """The matchings as pairs i < j, once they divide the graph's edges."""
    form = "give lists of pairs of peers, such as [[[0, 1], [2, 3]], [[1, 2]]]"
    try:
        divided: list[Matching] = [[(min(i, j), max(i, j)) for i, j in matching] for matching in matchings]
    except (TypeError, ValueError):
        raise OptionError("matchings", matchings, "must be lists of pairs of peers", form) from None
    for matching in divided:
        peers = [peer for edge in matching for peer in edge]
        if not matching or len(set(peers)) < len(peers):
            rule = "must hold at least one edge, and no peer twice"
            raise OptionError("matchings", [list(edge) for edge in matching], rule, form)
    edges = sorted(edge for matching in divided for edge in matching)
    expected = sorted((min(edge), max(edge)) for edge in graph.networkx.edges())
    if edges != expected:
        wrong = next(edge for edge in sorted({*edges, *expected}) if edges.count(edge) != expected.count(edge))
        rule = "must hold every edge of the graph once, and no other"
        raise OptionError("matchings", f"wrong at the edge {list(wrong)}", rule, form)
    return divided
