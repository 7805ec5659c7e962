"""How a rank adds up its rows from its own and from those that came in, in the order of the peers' numbers.

That order is the one in which one process adds, so the sums are the same, bit for bit. In most rows it falls into
three pieces: peers that came in, then own ones, then again some that came in. These are added one after another,
straight from where the rows lie. Where own and remote peers alternate more often, which happens only in blocks that are
not contiguous, the rows that take part are first put side by side.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dfedsam.communication.blocks import Blocks
from dfedsam.communication.product import Rows, multiply
from dfedsam.communication.threads import Team
from dfedsam.sparse_rows import SparseRows


class Sums:
    """The sums of one rank for one W.

    Args:
        rows: the block's rows of W, with the numbers of the peers as columns, rising.
        blocks: who plays whom.
        rank: whose block it is.
        receive: the peers whose rows come in, in the order in which they do.
    """

    def __init__(self, rows: Rows, blocks: Blocks, rank: int, receive: NDArray[np.intp]) -> None:
        owners = blocks.owner[rows.indices]
        place = blocks.position - blocks.places(rank).start  # of a peer's row, among own ones or those that came in
        place[receive] = np.arange(len(receive))
        columns = place[rows.indices]
        row = np.repeat(np.arange(len(rows.indptr) - 1), np.diff(rows.indptr))
        self._from_own = self._from_remote = np.empty(0, np.intp)
        if blocks.contiguous:
            piece = (owners >= rank).astype(np.intp) + (owners > rank)
        else:
            piece = _alternations(rows.indptr, row, owners == rank)
            often = np.zeros(len(rows.indptr) - 1, bool)
            often[row[piece > 2]] = True
            piece[often[row]] = 3
            own, remote = (np.flatnonzero((piece == 3) & which) for which in (owners == rank, owners != rank))
            self._from_own, columns[own] = _number(columns[own], len(often))
            self._from_remote, columns[remote] = _number(columns[remote], len(receive))
            columns[remote] += len(self._from_own)
        self._below, self._own, self._above, self._aside = rows.deal(columns, row, piece, 4)

    def add(
        self,
        own: NDArray | SparseRows,
        remote: NDArray | SparseRows,
        out: NDArray,
        team: Team,
        *,
        onto: bool = False,
        then: Callable[[slice], None] | None = None,
    ) -> None:
        """out = the block's rows of W @ X, from its own rows (b, d) and those that came in (m, d); see `multiply`."""
        pieces = [(self._below, remote), (self._own, own), (self._above, remote)]
        if len(self._from_own):
            pieces.append((self._aside, self._beside(own, remote)))
        multiply(pieces, out, team, onto=onto, then=then)

    def _beside(self, own: NDArray | SparseRows, remote: NDArray | SparseRows) -> NDArray | SparseRows:
        """Those rows of both that are added from side by side."""
        if isinstance(own, SparseRows) and isinstance(remote, SparseRows):
            return SparseRows.joined(own.rows(self._from_own), remote.rows(self._from_remote))
        assert isinstance(own, np.ndarray)
        assert isinstance(remote, np.ndarray)
        first = len(self._from_own)
        beside = np.empty((first + len(self._from_remote), own.shape[1]), own.dtype)
        np.take(own, self._from_own, axis=0, out=beside[:first], mode="clip")  # the other modes copy once more
        np.take(remote, self._from_remote, axis=0, out=beside[first:], mode="clip")
        return beside


def _alternations(indptr: NDArray, row: NDArray[np.intp], own: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For each entry, how often remote and own peers alternate up to it in its row, which begins with remote ones.

    Args:
        indptr: where rows begin and end, as in CSR.
        row: of each entry.
        own: whether each entry is of an own peer.
    """
    before = np.concatenate([[False], own[:-1]])
    before[indptr[:-1][np.diff(indptr) > 0]] = False
    alternated = np.concatenate([[0], np.cumsum(own != before)])
    return alternated[1:] - alternated[indptr[row]]


def _number(columns: NDArray[np.intp], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of `count` columns there are, rising, and the columns counted among these alone."""
    there = np.zeros(count, bool)
    there[columns] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[columns]
