"""The links of one mixing matrix, stored so that some of them can be taken out quickly, in every round others."""

from copy import copy

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from topologies.topology import TOLERANCE


class Links:
    """The pattern of one W, worked out once.

    Args:
        W: (n, n), columns that sum to one.
        directed: Whether each direction is a link of its own; else a link carries both.

    Attributes:
        i: Sender of each link, shape (m,); the smaller of its two peers where links are undirected.
        j: Receiver of each link, or the larger of its two peers.
    """

    def __init__(self, W: sp.csr_array, *, directed: bool) -> None:
        n, entries = len(W.indptr) - 1, W.tocoo()
        off = (entries.row != entries.col) & (entries.data != 0)
        everyone = np.arange(n)
        data = np.concatenate([entries.data[off], W.diagonal()])
        places = np.concatenate([entries.row[off], everyone]), np.concatenate([entries.col[off], everyone])
        W = sp.csr_array(sp.coo_array((data, places), shape=(n, n)))  # all of the diagonal is stored, zero or not
        W.sum_duplicates()
        self._W = W
        self._receivers, senders = np.repeat(everyone, np.diff(W.indptr)), W.indices.astype(np.int64)
        pairs = senders, self._receivers
        first, second = pairs if directed else (np.minimum(*pairs), np.maximum(*pairs))
        off = np.flatnonzero(first != second)
        links, link = np.unique(first[off] * n + second[off], return_inverse=True)
        self.i, self.j = np.divmod(links, n)
        order = np.argsort(link, kind="stable")
        self._entries = off[order]  # those of the first link, of the second, …
        self._counts = np.bincount(link, minlength=len(links))
        self._own = np.flatnonzero(first == second)  # entries on the diagonal
        self._home = self._own[senders]  # where on the diagonal an entry's sender keeps its own
        self._sent = np.bincount(senders[off], minlength=n)  # entries in a column, off the diagonal

    def without(self, lost: NDArray[np.bool_]) -> sp.csr_array:
        """W without some links: a peer keeps what it would have sent over them, W_jj += W_ij where j sends to i.

        Columns sum to what they did; where W is symmetric and links are undirected, rows do too. A peer that is left
        without a link to send over keeps exactly what it has.

        Args:
            lost: Which links are, shape (m,).

        Returns:
            (n, n), float64, sorted indices, the lost entries gone.
        """
        W = self._W
        gone = self._entries[np.repeat(lost, self._counts)]
        data = W.data + np.bincount(self._home[gone], W.data[gone], W.nnz)
        silent = np.flatnonzero(np.bincount(W.indices[gone], minlength=len(self._own)) == self._sent)
        own = self._own[silent]
        data[own[np.abs(data[own] - 1) <= TOLERANCE]] = 1  # not 1 ± 1e-16, to a power in 1,000 rounds of silence
        data[gone] = 0
        thin = copy(W)  # its arrays are replaced; that it is sorted stays known, and need not be looked at again
        thin.data, thin.indices, thin.indptr = data, W.indices.copy(), W.indptr.copy()
        thin.eliminate_zeros()
        return thin
