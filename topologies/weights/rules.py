"""Weight rules: from a graph to its mixing matrix W.

The weights that mix fastest are in `fastest`, beside, those of a file in `files`. A rule of which rows or columns alone
sum to one says so by an attribute, `rule.sums`; a rule made from another is as good as that one.
"""

from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam.topologies.spectra.extremes import DENSE, extreme_eigenvalues
from dfedsam.topologies.tidy import adjacency_matrix, diagonal, tidy, undirected

UNDIRECTED = "for a directed one take the weights of push-sum, out_degree, or the biased ones, uniform"
_DIGITS = 10  # of eigenvalues: those that follow differ with the machine, and ranks must agree bit for bit
_CARE = 1e-6  # relative error that the largest eigenvalue of a large Laplacian may have


def metropolis(graph: nx.Graph) -> sp.csr_array:
    """Metropolis–Hastings weights: w_ij = 1/(1 + max(d_i, d_j)) on edges, and w_ii what is left to one.

    Every peer needs only its neighbours' degrees. On a d-regular graph W is (I + A)/(d + 1). Source: Xiao, Boyd and Kim
    (2007), "Distributed average consensus with least-mean-square deviation", eq. (2).

    Args:
        graph: Undirected, without self-loops; weights on its edges are not looked at. It need not be connected.

    Returns:
        W of shape (n, n), float64, sorted indices: symmetric bit for bit, rows and columns sum to one, diagonal at
        least 1/(1 + d_i).

    Raises:
        ValueError: if the graph is directed, has a self-loop or fewer than two peers.
    """
    A = adjacency_matrix(undirected(graph, UNDIRECTED)).tocoo()
    degrees = A.sum(axis=1)
    off = sp.csr_array((1 / (1 + np.maximum(degrees[A.row], degrees[A.col])), (A.row, A.col)), shape=A.shape)
    W = sp.csr_array(off + diagonal(1 - off.sum(axis=1)))
    W.sort_indices()
    return W


def max_degree(graph: nx.Graph) -> sp.csr_array:
    """The same weight on every edge, from the largest degree Δ: W = I - L/(1 + Δ), L the graph's Laplacian.

    Equal to Metropolis weights on regular graphs, paths and stars, slower on others. Source: Xiao and Boyd (2004),
    "Fast linear iterations for distributed averaging", there with 1/Δ, with which a bipartite graph never settles.

    Args:
        graph: Undirected, without self-loops; weights on its edges are not looked at.

    Returns:
        W of shape (n, n), float64, sorted indices: symmetric bit for bit, rows and columns sum to one, diagonal at
        least 1/(1 + Δ).

    Raises:
        ValueError: if the graph is directed, has a self-loop or fewer than two peers.
    """
    graph = undirected(graph, UNDIRECTED)
    return _constant(graph, 1 / (1 + max(degree for _, degree in graph.degree())))


def best_constant(graph: nx.Graph) -> sp.csr_array:
    """The one weight on all edges that mixes fastest: W = I - αL, α = 2/(μ₂ + μ_n), so that λ = (μ_n - μ₂)/(μ_n + μ₂).

    0 = μ₁ < μ₂ ≤ … ≤ μ_n are the eigenvalues of the Laplacian L. Entries of the diagonal may be negative. Source: Xiao
    and Boyd (2004), "Fast linear iterations for distributed averaging".

    Args:
        graph: Undirected, without self-loops; weights on its edges are not looked at. Above 500 peers only the two
            eigenvalues are computed, by Lanczos's method, and λ is the best but for a millionth of 1 - λ.

    Returns:
        W of shape (n, n), float64, sorted indices: symmetric bit for bit, rows and columns sum to one.

    Raises:
        ValueError: if the graph is directed, has a self-loop or fewer than two peers.
    """
    graph = undirected(graph, UNDIRECTED)
    A = adjacency_matrix(graph)
    L = sp.csr_array(diagonal(A.sum(axis=1)) - A)
    if len(graph) <= DENSE:
        second, last = np.linalg.eigvalsh(L.toarray())[[1, -1]]
    else:  # α too small costs a little, too large all; μ_n is at most max (d_i + d_j) (Anderson and Morley 1985)
        i, j = np.array(graph.edges(), dtype=np.int32).T
        second, last = extreme_eigenvalues(L)
        last = min(last * (1 + _CARE), float((L.diagonal()[i] + L.diagonal()[j]).max()))
    second, last = (float(f"{mu:.{_DIGITS}g}") for mu in (second, last))
    return _constant(graph, 2 / (second + last))


def lazy(graph: nx.Graph, weights: str | dict[str, Any] | Callable[..., sp.csr_array] = "metropolis") -> sp.csr_array:
    """Half of another rule and half of standing still: (I + W)/2, whose eigenvalues are none of them below 0.

    D² and exact diffusion ask for it where λ_min ≤ -1/3. It keeps what the other rule promises of its sums.

    Args:
        graph: What the other rule takes.
        weights: The other rule (see `topologies.names.find_rule`).

    Returns:
        (I + W)/2 of shape (n, n), float64, sorted indices.

    Raises:
        ValueError: if there is no such rule, or it does not take this graph.
    """
    from dfedsam.topologies.names import (
        find_rule,  # names knows the files of weights, which know topologies, which know us
    )

    W = find_rule(weights)(graph)
    halved = sp.csr_array((W + diagonal(np.ones(W.shape[0]))) / 2)
    halved.sort_indices()
    return halved


def uniform(graph: nx.Graph) -> sp.csr_array:
    """The plain average over oneself and those one hears: W = D̃⁻¹(A + I), w_ij = 1/(1 + d_i).

    Only rows sum to one, unless all degrees are equal: the fixed point weighs every peer by 1 + d_i, so gossip is
    biased, and a larger gap than that of other rules says nothing.

    Args:
        graph: Undirected, or directed with edges from sender to receiver, d_i then the number of those that i hears;
            no self-loops; weights on its edges are not looked at.

    Returns:
        W of shape (n, n), float64, sorted indices: rows sum to one, no entry is negative.

    Raises:
        ValueError: if the graph has a self-loop or fewer than two peers.
    """
    heard = adjacency_matrix(tidy(graph)).T
    each = 1 / (1 + heard.sum(axis=1))
    W = sp.csr_array(diagonal(each) @ (heard + diagonal(np.ones(len(each)))))
    W.sort_indices()
    return W


def out_degree(graph: nx.Graph) -> sp.csr_array:
    """Weights for push-sum: every peer sends the same share 1/(1 + d_out) to each that hears it, and keeps one.

    Columns sum to one; rows too where all peers have as many senders as receivers. Source: Kempe, Dobra and Gehrke
    (2003), "Gossip-based computation of aggregate information"; Assran et al. (2019), "Stochastic gradient push".

    Args:
        graph: Directed, edges from sender to receiver, or undirected; no self-loops.

    Returns:
        W of shape (n, n), float64, sorted indices: W[i, j] is the share of j's row that i takes in.

    Raises:
        ValueError: if the graph has a self-loop or fewer than two peers.
    """
    A = adjacency_matrix(tidy(graph))
    share = 1 / (1 + A.sum(axis=1))
    W = sp.csr_array((A + diagonal(np.ones(len(share)))).T @ diagonal(share))
    W.sort_indices()
    return W


setattr(uniform, "sums", "rows")  # noqa: B010  (an attribute that type checkers do not know)
setattr(out_degree, "sums", "columns")  # noqa: B010


def _constant(graph: nx.Graph, weight: float) -> sp.csr_array:
    """The same weight on every edge, and on the diagonal what is left to one."""
    A = adjacency_matrix(graph)
    W = sp.csr_array(weight * A + diagonal(1 - weight * A.sum(axis=1)))
    W.sort_indices()
    return W
