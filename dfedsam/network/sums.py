"""How a rank adds up its rows from its own and from those that came in, in the order of the peers' numbers.

That order is the one in which one process adds, so the sums are the same, bit for bit. In most rows it falls into
three pieces: peers that came in, then own ones, then again some that came in. These are added one after another,
straight from where the rows lie. Where own and remote peers alternate more often, which happens only in blocks that are
not contiguous, the rows that take part are first put side by side.
"""

import numpy as np
from numpy.typing import NDArray

from dfedsam.network.blocks import Blocks
from dfedsam.network.product import Rows, multiply
from dfedsam.network.threads import Team


class Sums:
    """The sums of one rank for one W.

    Args:
        rows: the block's rows of W, with the numbers of the peers as columns, rising.
        blocks: who plays whom.
        rank: whose block it is.
        receive: the peers whose rows come in, in the order in which they do.
    """

    def __init__(self, rows: Rows, blocks: Blocks, rank: int, receive: NDArray[np.intp]) -> None:
        own = blocks.owner[rows.indices] == rank
        place = np.empty(len(blocks.owner), np.intp)  # of a peer's row, among own ones or among those that came in
        place[receive] = np.arange(len(receive))
        place[blocks[rank]] = np.arange(blocks.lengths[rank])
        columns = place[rows.indices]
        piece, aside = _pieces(rows.indptr, own)
        self._below, self._own, self._above = (rows.only((piece == i) & ~aside, columns) for i in range(3))
        self._from_own, columns[own] = _number(columns[own], aside[own])
        self._from_remote, columns[~own] = _number(columns[~own], aside[~own])
        columns[~own] += len(self._from_own)
        self._aside = rows.only(aside, columns)

    def add(self, own: NDArray, remote: NDArray, out: NDArray, team: Team) -> None:
        """out = the block's rows of W @ X, from its own rows (b, d) and those that came in (m, d)."""
        pieces = [(self._below, remote), (self._own, own), (self._above, remote)]
        first = len(self._from_own)
        if first:
            beside = np.empty((first + len(self._from_remote), own.shape[1]), own.dtype)
            np.take(own, self._from_own, axis=0, out=beside[:first], mode="clip")  # the other modes copy once more
            np.take(remote, self._from_remote, axis=0, out=beside[first:], mode="clip")
            pieces.append((self._aside, beside))
        multiply(pieces, out, team)


def _pieces(indptr: NDArray, own: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each entry, how often remote and own peers alternate up to it in its row, which begins with remote ones; and
    whether they do so more than twice in that row."""
    lengths = np.diff(indptr)
    before = np.concatenate([[False], own[:-1]])
    before[indptr[:-1][lengths > 0]] = False
    alternated = np.concatenate([[0], np.cumsum(own != before)])
    row = np.repeat(np.arange(len(lengths)), lengths)
    piece = alternated[1:] - alternated[indptr[row]]
    often = np.zeros(len(lengths), bool)
    often[row[piece > 2]] = True
    return piece, often[row]


def _number(columns: NDArray[np.intp], used: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The columns that are used, rising, and the columns counted among them alone."""
    there = np.zeros(int(columns.max(initial=-1)) + 1, bool)
    there[columns[used]] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[columns]
