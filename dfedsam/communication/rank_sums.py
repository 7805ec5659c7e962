"""The sums of one rank, in pieces whose order is that of a single process."""

import numpy as np
from numpy.typing import NDArray

from dfedsam.communication.kernels import Decoded, Finish, WeightRows, multiply
from dfedsam.communication.partition import Partition
from dfedsam.rows import SparseRows, ThreadPool


class RankSums:
    """How a rank sums W's products with its own and with received rows, in the order of the peers' numbers.

    A single process adds in the same order, so the sums are the same, bit for bit. In most rows the order has three
    pieces: peers of other ranks, then own peers, then again peers of other ranks. These are added one after another,
    without copying the rows. If own and other peers alternate more often, which happens only in blocks that are not
    contiguous, the rows are first copied into one array.

    Args:
        rows: the block's rows of W, with the numbers of the peers as columns, rising.
        partition: which rank owns which peers.
        rank: whose block it is.
        received: the peers whose rows are received, in the order in which they are.
    """

    def __init__(self, rows: WeightRows, partition: Partition, rank: int, received: NDArray[np.intp]) -> None:
        owners = partition.owner[rows.indices]
        index = partition.position - partition.positions(rank).start  # of a peer's row, among own or received ones
        index[received] = np.arange(len(received))
        columns = index[rows.indices]
        row = np.repeat(np.arange(len(rows.indptr) - 1), np.diff(rows.indptr))
        self._from_local = self._from_remote = np.empty(0, np.intp)
        if partition.contiguous:
            piece = (owners >= rank).astype(np.intp) + (owners > rank)
        else:
            piece = _alternations(rows.indptr, row, owners == rank)
            often = np.zeros(len(rows.indptr) - 1, bool)
            often[row[piece > 2]] = True
            piece[often[row]] = 3
            local, remote = (np.flatnonzero((piece == 3) & which) for which in (owners == rank, owners != rank))
            self._from_local, columns[local] = _renumber(columns[local], len(often))
            self._from_remote, columns[remote] = _renumber(columns[remote], len(received))
            columns[remote] += len(self._from_local)
        self._below, self._local, self._above, self._mixed = rows.split(columns, row, piece, 4)

    def add(
        self,
        local: Decoded,
        remote: Decoded,
        out: NDArray,
        pool: ThreadPool,
        *,
        add: bool = False,
        finish: Finish | None = None,
    ) -> None:
        """out = the block's rows of W @ X, from its own rows (b, d) and those received (m, d); see `multiply`."""
        pieces = [(self._below, remote), (self._local, local), (self._above, remote)]
        if len(self._from_local):
            pieces.append((self._mixed, self._side_by_side(local, remote)))
        multiply(pieces, out, pool, add=add, finish=finish)

    def _side_by_side(self, local: Decoded, remote: Decoded) -> Decoded:
        if isinstance(local, SparseRows) and isinstance(remote, SparseRows):
            return SparseRows.concatenate(local.rows(self._from_local), remote.rows(self._from_remote))
        assert isinstance(local, np.ndarray)
        assert isinstance(remote, np.ndarray)
        first = len(self._from_local)
        rows = np.empty((first + len(self._from_remote), local.shape[1]), local.dtype)
        np.take(local, self._from_local, axis=0, out=rows[:first], mode="clip")  # the other modes copy once more
        np.take(remote, self._from_remote, axis=0, out=rows[first:], mode="clip")
        return rows


def _alternations(indptr: NDArray, row: NDArray[np.intp], local: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For each entry, how often other ranks' and own peers alternate up to it in its row, which begins with others'.

    Args:
        indptr: where rows begin and end, as in CSR.
        row: of each entry.
        local: whether each entry is of an own peer.
    """
    before = np.concatenate([[False], local[:-1]])
    before[indptr[:-1][np.diff(indptr) > 0]] = False
    alternated = np.concatenate([[0], np.cumsum(local != before)])
    return alternated[1:] - alternated[indptr[row]]


def _renumber(columns: NDArray[np.intp], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of `count` columns occur, rising, and the columns renumbered among these."""
    occurs = np.zeros(count, bool)
    occurs[columns] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[columns]
