"""Weight rules: from a graph to its mixing matrix W."""

import networkx as nx
import numpy as np
import scipy.sparse as sp

from topologies.tidy import adjacency_matrix, diagonal, tidy, undirected


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
    A = adjacency_matrix(undirected(graph, "a directed one has weights for push-sum: out_degree")).tocoo()
    degrees = A.sum(axis=1)
    off = sp.csr_array((1 / (1 + np.maximum(degrees[A.row], degrees[A.col])), (A.row, A.col)), shape=A.shape)
    W = sp.csr_array(off + diagonal(1 - off.sum(axis=1)))
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


setattr(out_degree, "sums", "columns")  # noqa: B010  (an attribute that type checkers do not know)
