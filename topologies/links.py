"""The links of one mixing matrix, stored so that some of them can be taken out quickly, in every round others."""

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
        W.sort_indices()
        self._W = W
        self._receivers, senders = np.repeat(everyone, np.diff(W.indptr)), W.indices.astype(np.int64)
        pairs = senders, self._receivers
        first, second = pairs if directed else (np.minimum(*pairs), np.maximum(*pairs))
        off = np.flatnonzero(first != second)
        links, link = np.unique(first[off] * n + second[off], return_inverse=True)
        self.i, self.j = np.divmod(links, n)
        order = np.argsort(link, kind="stable")
        self._entries = off[order]  # those of the first link, of the second, …
        self._starts = np.searchsorted(link[order], np.arange(len(links) + 1))
        self._own = np.flatnonzero(first == second)  # entries on the diagonal
        self._sent = np.bincount(senders, minlength=n)  # entries in a column

    def without(self, lost: NDArray[np.bool_]) -> sp.csr_array:
        """W without some links: a peer keeps what it would have sent over them, W_jj += W_ij where j sends to i.

        Columns sum to what they did; where W is symmetric and links are undirected, rows do too. A peer that is left
        without a link to send over keeps exactly what it has.

        Args:
            lost: Which links are, shape (m,).

        Returns:
            (n, n), float64, sorted indices, the lost entries gone.
        """
        W, n = self._W, len(self._own)
        gone = self._entries[np.repeat(lost, np.diff(self._starts))]
        senders = W.indices[gone]
        own = W.data[self._own] + np.bincount(senders, W.data[gone], n)
        silent = (np.bincount(senders, minlength=n) == self._sent - 1) & (np.abs(own - 1) <= TOLERANCE)
        own[silent] = 1  # not 1 ± 1e-16, which 1,000 rounds of silence would raise to a power
        data = W.data.copy()
        data[self._own] = own
        there = np.ones(len(data), bool)
        there[gone] = False
        stay = np.flatnonzero(there)
        indptr = W.indptr.copy()
        indptr[1:] -= np.cumsum(np.bincount(self._receivers[gone], minlength=n)).astype(indptr.dtype)
        thin = sp.csr_array((data[stay], W.indices[stay], indptr), shape=(n, n))
        thin.has_canonical_format = True  # sorted, nothing twice: known without another look
        return thin
