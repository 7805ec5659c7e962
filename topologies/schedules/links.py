"""The links of one mixing matrix, stored so that some of them can be taken out quickly, in every round others."""

from copy import copy

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_ROUNDING = 1e-13  # of what a peer keeps: 1 within this is 1, lest 1,000 rounds of silence add it up


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
        row, column, everyone = entries.row[off], entries.col[off], np.arange(n)
        sides = [(row, column, entries.data[off]), (everyone, everyone, W.diagonal())]
        if not directed:  # both directions are stored, also where one is zero
            sides.append((column, row, np.zeros(len(row))))
        rows, columns, data = (np.concatenate(part) for part in zip(*sides, strict=True))
        W = sp.csr_array(sp.coo_array((data, (rows, columns)), shape=(n, n)))  # all of the diagonal is stored, too
        W.sum_duplicates()
        self._W = W
        receivers, senders = np.repeat(everyone, np.diff(W.indptr)), W.indices.astype(np.int64)
        pairs = senders, receivers
        first, second = pairs if directed else (np.minimum(*pairs), np.maximum(*pairs))
        self._own = np.flatnonzero(first == second)  # entries on the diagonal
        off = np.flatnonzero(first != second)
        key = first[off] * n + second[off]
        order = np.argsort(key, kind="stable").reshape(-1, 1 if directed else 2)
        self._entries = off[order]  # of each link
        self.i, self.j = np.divmod(key[order[:, 0]], n)

    def without(self, lost: NDArray[np.bool_]) -> sp.csr_array:
        """W without some links: a peer keeps what it would have sent over them, W_jj += W_ij where j sends to i.

        Columns sum to what they did; where W is symmetric and links are undirected, rows do too. Peers that keep all
        they have keep exactly that.

        Args:
            lost: Which links are, shape (m,).

        Returns:
            (n, n), float64, sorted indices, the lost entries gone.
        """
        W = self._W
        gone = self._entries.compress(lost, axis=0).ravel()
        own = W.data[self._own]
        own += np.bincount(W.indices[gone], W.data[gone], len(own))
        own[np.abs(own - 1) <= _ROUNDING] = 1
        data = W.data.copy()
        data[self._own], data[gone] = own, 0
        thin = copy(W)  # its arrays are replaced; that it is sorted stays known, and need not be looked at again
        thin.data, thin.indices, thin.indptr = data, W.indices.copy(), W.indptr.copy()
        thin.eliminate_zeros()
        return thin
