"""Weight rules: from a graph to its mixing matrix W.

The rules that mix fastest are in `fastest`, W from files in `files`. A rule is a function of a graph. One whose W has
only rows, or only columns, that sum to one declares it: `@weight_rule(sums="rows")`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam import registry
from dfedsam.topologies.matrices import adjacency_matrix, diagonal
from dfedsam.topologies.normalize import normalize_graph, require_undirected
from dfedsam.topologies.spectra.extremes import DENSE, extreme_eigenvalues
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
    """

    def __init__(
        self, function: Callable[..., sp.csr_array], options: Mapping[str, Any] | None = None, sums: Sums | None = None
    ) -> None:
        update_wrapper(self, function)
        self.function, self.options = function, dict(options or {})
        lent: list[Sums | None] = [option.sums for option in self.options.values() if isinstance(option, WeightRule)]
        self.sums: Sums | None = lent[0] if lent else sums

    def __call__(self, graph: nx.Graph, *args: Any, **options: Any) -> sp.csr_array:
        return self.function(graph, *args, **{**self.options, **options})

    def bind(self, options: Mapping[str, Any]) -> WeightRule:
        """The rule with these options fixed."""
        return WeightRule(self.function, {**self.options, **options}, self.sums) if options else self

    @property
    def description(self) -> str | dict[str, Any]:
        """What rebuilds it: its public name, or {"class_path": name, "init_args": options} with options."""
        name = registry.public_name(self.function)
        options = {
            key: value.description if isinstance(value, WeightRule) else value for key, value in self.options.items()
        }
        return {"class_path": name, "init_args": options} if options else name


def weight_rule(*, sums: Sums | None = None) -> Callable[[Callable[..., sp.csr_array]], WeightRule]:
    """Make a function from a graph to W a weight rule.

    Args:
        sums: which lines of W sum to one, where it is not both.
    """
    return lambda function: WeightRule(function, sums=sums)


@weight_rule()
def metropolis(graph: nx.Graph) -> sp.csr_array:
    """Metropolis–Hastings weights: w_ij = 1/(1 + max(d_i, d_j)) on edges; w_ii completes each row to one.

    Every peer needs only its neighbours' degrees. On a d-regular graph W is (I + A)/(d + 1). Source: Xiao, Boyd and Kim
    (2007), "Distributed average consensus with least-mean-square deviation", eq. (2).

    Args:
        graph: undirected, without self-loops; edge weights are ignored. It need not be connected.

    Returns:
        W of shape (n, n), float64, sorted indices: symmetric bit for bit, rows and columns sum to one, diagonal at
        least 1/(1 + d_i).

    Raises:
        ValueError: if the graph is directed, has a self-loop or fewer than two peers.

    >>> from dfedsam.topologies import star
    >>> metropolis(star(3)).toarray().round(3).tolist()
    [[0.333, 0.333, 0.333], [0.333, 0.667, 0.0], [0.333, 0.0, 0.667]]
    """
    A = adjacency_matrix(require_undirected(graph, UNDIRECTED)).tocoo()
    degrees = A.sum(axis=1)
    off = sp.csr_array((1 / (1 + np.maximum(degrees[A.row], degrees[A.col])), (A.row, A.col)), shape=A.shape)
    return _sorted(off + diagonal(1 - off.sum(axis=1)))


@weight_rule()
def max_degree(graph: nx.Graph) -> sp.csr_array:
    """The same weight on every edge, from the largest degree Δ: W = I - L/(1 + Δ), L the graph's Laplacian.

    Equal to Metropolis weights on regular graphs, paths and stars, slower on others. Source: Xiao and Boyd (2004),
    "Fast linear iterations for distributed averaging", there with 1/Δ, with which a bipartite graph never converges.

    Args:
        graph: undirected, without self-loops; edge weights are ignored.

    Returns:
        As `metropolis`, with a diagonal of at least 1/(1 + Δ).

    Raises:
        ValueError: as for `metropolis`.
    """
    graph = require_undirected(graph, UNDIRECTED)
    return _constant(graph, 1 / (1 + max(degree for _, degree in graph.degree())))


@weight_rule()
def best_constant(graph: nx.Graph) -> sp.csr_array:
    """The one weight on all edges that mixes fastest: W = I - αL, α = 2/(μ₂ + μ_n), so that λ = (μ_n - μ₂)/(μ_n + μ₂).

    0 = μ₁ < μ₂ ≤ … ≤ μ_n are the eigenvalues of the Laplacian L. Entries of the diagonal may be negative. Source: Xiao
    and Boyd (2004), "Fast linear iterations for distributed averaging".

    Args:
        graph: undirected, without self-loops; edge weights are ignored. Above 500 peers only the two eigenvalues are
            computed, by Lanczos's method, and λ is optimal up to a millionth of 1 - λ.

    Returns:
        W of shape (n, n), float64, sorted indices: symmetric bit for bit, rows and columns sum to one.

    Raises:
        ValueError: as for `metropolis`.
    """
    graph = require_undirected(graph, UNDIRECTED)
    A = adjacency_matrix(graph)
    L = sp.csr_array(diagonal(A.sum(axis=1)) - A)
    if len(graph) <= DENSE:
        second, last = np.linalg.eigvalsh(L.toarray())[[1, -1]]
    else:  # α too small costs a little, too large all; μ_n is at most max (d_i + d_j) (Anderson and Morley 1985)
        i, j = np.array(graph.edges(), dtype=np.int32).T
        second, last = extreme_eigenvalues(L)
        last = min(last * (1 + _MARGIN), float((L.diagonal()[i] + L.diagonal()[j]).max()))
    second, last = (float(f"{mu:.{_DIGITS}g}") for mu in (second, last))
    return _constant(graph, 2 / (second + last))


@weight_rule()
def lazy(graph: nx.Graph, weights: WeightRule = metropolis) -> sp.csr_array:
    """The lazy version of another rule: (I + W)/2, which has no negative eigenvalues.

    D² and exact diffusion ask for it where λ_min ≤ -1/3. It keeps what the other rule promises of its sums.

    Args:
        graph: what the other rule takes.
        weights: the other rule.

    Returns:
        (I + W)/2 of shape (n, n), float64, sorted indices.

    Raises:
        ValueError: if the other rule does not take this graph.
    """
    W = weights(graph)
    return _sorted((W + diagonal(np.ones(len(W.indptr) - 1))) / 2)


@weight_rule(sums="rows")
def uniform(graph: nx.Graph) -> sp.csr_array:
    """The plain average over a peer and those it hears: W = D̃⁻¹(A + I), w_ij = 1/(1 + d_i).

    Only rows sum to one, unless all degrees are equal: the fixed point weighs every peer by 1 + d_i, so gossip is
    biased, and its spectral gap cannot be compared with that of other rules.

    Args:
        graph: undirected, or directed with edges from sender to receiver, d_i then the number of peers that i hears;
            no self-loops; edge weights are ignored.

    Returns:
        W of shape (n, n), float64, sorted indices: rows sum to one, no entry is negative.

    Raises:
        ValueError: if the graph has a self-loop or fewer than two peers.
    """
    heard = adjacency_matrix(normalize_graph(graph)).T
    each = 1 / (1 + heard.sum(axis=1))
    return _sorted(diagonal(each) @ (heard + diagonal(np.ones(len(each)))))


@weight_rule(sums="columns")
def out_degree(graph: nx.Graph) -> sp.csr_array:
    """Weights for push-sum: every peer sends the same share 1/(1 + d_out) to each that hears it, and keeps one.

    Columns sum to one; rows too where all peers have as many senders as receivers. Source: Kempe, Dobra and Gehrke
    (2003), "Gossip-based computation of aggregate information"; Assran et al. (2019), "Stochastic gradient push".

    Args:
        graph: directed, edges from sender to receiver, or undirected; no self-loops.

    Returns:
        W of shape (n, n), float64, sorted indices: W[i, j] is the share of j's row that i takes in.

    Raises:
        ValueError: if the graph has a self-loop or fewer than two peers.
    """
    A = adjacency_matrix(normalize_graph(graph))
    share = 1 / (1 + A.sum(axis=1))
    return _sorted((A + diagonal(np.ones(len(share)))).T @ diagonal(share))


def _constant(graph: nx.Graph, weight: float) -> sp.csr_array:
    """The same weight on every edge; the diagonal completes each row to one."""
    A = adjacency_matrix(graph)
    return _sorted(weight * A + diagonal(1 - weight * A.sum(axis=1)))


def _sorted(W: Any) -> sp.csr_array:
    """A sparse matrix as csr with sorted indices."""
    W = sp.csr_array(W)
    W.sort_indices()
    return W
