"""Weight rules: from a graph to its mixing matrix W."""

import networkx as nx
import numpy as np
import scipy.sparse as sp

from topologies.tidy import adjacency_matrix, diagonal, tidy


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
    A = adjacency_matrix(tidy(graph)).tocoo()
    degrees = A.sum(axis=1)
    off = sp.csr_array((1 / (1 + np.maximum(degrees[A.row], degrees[A.col])), (A.row, A.col)), shape=A.shape)
    W = sp.csr_array(off + diagonal(1 - off.sum(axis=1)))
    W.sort_indices()
    return W
