"""Weight rules: from a graph to its mixing matrix W, of shape (n, n), float64, csr with sorted indices.

A rule is a function of a graph; edge weights are ignored. One whose W has only rows, or only columns, that sum to one
declares it: `@weight_rule(sums="rows")`. With those of an undirected graph W is symmetric bit for bit, and its rows and
columns sum to one. All raise a ValueError for a graph of another kind, with a self-loop, or with fewer than two peers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam import registry
from dfedsam.topologies.graph import AnyGraph, Graph, as_graph, undirected
from dfedsam.topologies.matrices import diagonal, with_diagonal
from dfedsam.topologies.spectra.extremes import DENSE, extreme_eigenvalues, laplacian
from dfedsam.topologies.topology import Sums

UNDIRECTED = "for a directed one take the weights of push-sum, out_degree, or the biased ones, uniform"
_DIGITS = 10  # of eigenvalues: later digits differ between machines, and ranks must agree bit for bit
_MARGIN = 1e-6  # relative error that the largest eigenvalue of a large Laplacian may have


class WeightRule:
    """A function from a graph to W, its options, and what it promises of W's sums.

    Args:
        function: called as `function(graph, **options)`; gives W of shape (n, n), float64, csr.
        options: fixed options. A rule among them, as of `lazy`, lends its promise.
        sums: which lines of W sum to one; None: both on an undirected graph, the columns on a directed one.
        arrays: whether the function takes a `Graph` as well; else it gets one of networkx.
    """

    def __init__(
        self,
        function: Callable[..., sp.csr_array],
        options: Mapping[str, Any] | None = None,
        sums: Sums | None = None,
        *,
        arrays: bool = False,
    ) -> None:
        update_wrapper(self, function)
        self.function, self.options, self.arrays = function, dict(options or {}), arrays
        each: list[Sums | None] = [option.sums for option in self.options.values() if isinstance(option, WeightRule)]
        self.sums: Sums | None = each[0] if each else sums

    def __call__(self, graph: AnyGraph, *args: Any, **options: Any) -> sp.csr_array:
        argument = graph if self.arrays or not isinstance(graph, Graph) else graph.networkx
        return self.function(argument, *args, **{**self.options, **options})

    def bind(self, options: Mapping[str, Any]) -> WeightRule:
        """The rule with these options fixed."""
        fixed = {**self.options, **options}
        return WeightRule(self.function, fixed, self.sums, arrays=self.arrays) if options else self

    @property
    def description(self) -> str | dict[str, Any]:
        """What rebuilds it: its public name, or {"class_path": name, "init_args": options} with options."""
        name = registry.public_name(self.function)
        options = {
            key: value.description if isinstance(value, WeightRule) else value for key, value in self.options.items()
        }
        return {"class_path": name, "init_args": options} if options else name


def weight_rule(
    *, sums: Sums | None = None, arrays: bool = False
) -> Callable[[Callable[..., sp.csr_array]], WeightRule]:
    """Make a function from a graph to W a weight rule; the arguments are those of `WeightRule`."""
    return lambda function: WeightRule(function, sums=sums, arrays=arrays)


@weight_rule(arrays=True)
def metropolis(graph: AnyGraph) -> sp.csr_array:
    """Metropolis–Hastings weights: w_ij = 1/(1 + max(d_i, d_j)) on edges; w_ii completes each row to one.

    Every peer needs only its neighbours' degrees. On a d-regular graph W is (I + A)/(d + 1). Source: Xiao, Boyd and Kim
    (2007), "Distributed average consensus with least-mean-square deviation", eq. (2).

    Args:
        graph: undirected; it need not be connected.

    >>> from dfedsam.topologies import star
    >>> metropolis(star(3)).toarray().round(3).tolist()
    [[0.333, 0.333, 0.333], [0.333, 0.667, 0.0], [0.333, 0.0, 0.667]]
    """
    graph = undirected(graph, UNDIRECTED)
    A, degrees = graph.adjacency, graph.degrees.astype(np.int32)
    off: NDArray[Any] = np.repeat(degrees, degrees)
    off = 1 / (1 + np.maximum(off, degrees[A.indices], out=off))
    return with_diagonal(A, off, 1 - sp.csr_array((off, A.indices, A.indptr), shape=A.shape).sum(axis=1))


@weight_rule(arrays=True)
def max_degree(graph: AnyGraph) -> sp.csr_array:
    """The same weight on every edge, from the largest degree Δ: W = I - L/(1 + Δ), L the graph's Laplacian.

    Equal to Metropolis weights on regular graphs, paths and stars, slower on others. Source: Xiao and Boyd (2004),
    "Fast linear iterations for distributed averaging", there with 1/Δ, with which a bipartite graph never converges.

    Args:
        graph: undirected.
    """
    graph = undirected(graph, UNDIRECTED)
    return _constant(graph, 1 / (1 + int(graph.degrees.max())))


@weight_rule(arrays=True)
def best_constant(graph: AnyGraph) -> sp.csr_array:
    """The one weight on all edges that mixes fastest: W = I - αL, α = 2/(μ₂ + μ_n), so that λ = (μ_n - μ₂)/(μ_n + μ₂).

    0 = μ₁ < μ₂ ≤ … ≤ μ_n are the eigenvalues of the Laplacian L. Entries of the diagonal may be negative. Source: Xiao
    and Boyd (2004), "Fast linear iterations for distributed averaging".

    Args:
        graph: undirected. Above 500 peers only the two eigenvalues are computed, by Lanczos's method, and λ is optimal
            up to a millionth of 1 - λ.
    """
    graph = undirected(graph, UNDIRECTED)
    L, degrees = laplacian(graph.adjacency), graph.degrees
    if graph.n <= DENSE:
        second, last = np.linalg.eigvalsh(L.toarray())[[1, -1]]
    else:  # α too small costs a little, too large all; μ_n is at most max (d_i + d_j) (Anderson and Morley 1985)
        i, j = graph.edges.T
        second, last = extreme_eigenvalues(lambda: L)
        last = min(last * (1 + _MARGIN), float((degrees[i] + degrees[j]).max()))
    second, last = (float(f"{mu:.{_DIGITS}g}") for mu in (second, last))
    return _constant(graph, 2 / (second + last))


@weight_rule(arrays=True)
def lazy(graph: AnyGraph, weights: WeightRule = metropolis) -> sp.csr_array:
    """The lazy version of another rule: (I + W)/2, which has no negative eigenvalues.

    D² and exact diffusion ask for it where λ_min ≤ -1/3. It keeps what the other rule promises of its sums.

    Args:
        graph: what the other rule takes.
        weights: the other rule.
    """
    W = weights(graph)
    return _sorted((W + diagonal(np.ones(len(W.indptr) - 1))) / 2)


@weight_rule(sums="rows", arrays=True)
def uniform(graph: AnyGraph) -> sp.csr_array:
    """The plain average over a peer and those it hears: W = D̃⁻¹(A + I), w_ij = 1/(1 + d_i).

    Only rows sum to one, unless all degrees are equal: the fixed point weighs every peer by 1 + d_i, so gossip is
    biased, and its spectral gap cannot be compared with that of other rules.

    Args:
        graph: undirected, or directed with edges from sender to receiver, d_i then the number of peers that i hears.
    """
    heard = sp.csr_array(as_graph(graph).adjacency.T)
    counts = np.diff(heard.indptr)
    each = 1 / (1 + counts)
    return with_diagonal(_sorted(heard), np.repeat(each, counts), each)


@weight_rule(sums="columns", arrays=True)
def out_degree(graph: AnyGraph) -> sp.csr_array:
    """Weights for push-sum: every peer sends the same share 1/(1 + d_out) to each that hears it, and keeps one.

    Columns sum to one; rows too where all peers have as many senders as receivers. W[i, j] is the share of j's row that
    i takes in. Source: Kempe, Dobra and Gehrke (2003), "Gossip-based computation of aggregate information"; Assran et
    al. (2019), "Stochastic gradient push".

    Args:
        graph: directed, edges from sender to receiver, or undirected.
    """
    graph = as_graph(graph)
    heard = _sorted(graph.adjacency.T)
    share: NDArray[np.float64] = np.asarray(1 / (1 + graph.degrees), dtype=np.float64)
    return with_diagonal(heard, share[heard.indices], share)


def _constant(graph: Graph, weight: float) -> sp.csr_array:
    """The same weight on every edge; the diagonal completes each row to one."""
    return with_diagonal(graph.adjacency, weight, 1 - weight * graph.degrees)


def _sorted(W: Any) -> sp.csr_array:
    """A sparse matrix as csr with sorted indices."""
    W = sp.csr_array(W)
    W.sort_indices()
    return W
