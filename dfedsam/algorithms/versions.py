"""Current and older rows of the peers that a rank reads, in an asynchronous run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.context import RoundContext
from dfedsam.topologies import cache_by_id

if TYPE_CHECKING:
    from dfedsam.clock.fragments import FragmentWave
    from dfedsam.clock.wakings import Wave


class Rows:
    """The current rows of the block and of all other peers that it reads.

    Args:
        x: the block's rows, shape (peers, dim), which the algorithm changes in place.
        context: the round's context.

    Attributes:
        current: rows of the known peers, in the order of their numbers; x itself in a single process.
        position: position of each peer's row among them, −1 for unknown peers, shape (n,).
        waves: the round's waves.
    """

    def __init__(self, x: NDArray, context: RoundContext) -> None:
        self._x, self._communicator, self._W = x, context.communicator, context.weights
        self._block = np.asarray(self._communicator.block)
        self._row_of = np.full(self._communicator.peers, -1)
        self._row_of[self._block] = np.arange(len(self._block))
        assert context.events is not None
        self.waves: Iterator[Any] = context.events.waves(context.round)
        self.edges = context.events.edges
        self.current, self.position = x, self._row_of
        self.exchange()

    def rows_of(self, peers: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows of x of those of some peers that belong to the block."""
        rows = self._row_of[peers]
        return rows[rows >= 0]

    def entries_of(self, peers: NDArray[np.intp], of: NDArray) -> NDArray:
        """The entries of `of` for those of some peers that belong to the block."""
        return of[self._row_of[peers] >= 0]

    def exchange(self) -> None:
        """Learn the other ranks' current rows: a collective call."""
        if self._communicator.size > 1:
            self.current, known = self.received(self._x)
            self.position = np.full(self._communicator.peers, -1)
            self.position[known] = np.arange(len(known))

    def received(self, rows: NDArray) -> tuple[NDArray, NDArray[np.intp]]:
        """The rows of all known peers for the block's (peers, …), and the numbers of those."""
        messages = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
        known, received = self._communicator.receive(self._W, messages, counted=False)
        return received.view(rows.dtype).reshape(len(known), *rows.shape[1:]), known

    def count(self, messages: int, size: int | None = None) -> None:
        """Count messages that peers have sent, here or elsewhere, of `size` bytes, or else rows."""
        self._communicator.count(messages, size or self._x[0].nbytes)


class Versions(Rows):
    """Rows with their older versions, of which a neighbour may be about to read one.

    Args:
        x: the block's rows, shape (peers, dim).
        kept: older rows, shape (peers, s, dim).
        versions: their numbers, −1 for a free place, shape (peers, s).
        context: the round's context.
    """

    def __init__(self, x: NDArray, kept: NDArray, versions: NDArray[np.int64], context: RoundContext) -> None:
        super().__init__(x, context)
        self._versions = self._communicator.gather(versions)
        self._kept = kept if self._communicator.size == 1 else self.received(kept)[0]
        self._weights, self._diagonal = _entries(self._W)

    def mix(self, wave: Wave) -> NDArray:
        """Σ_j w_ij x_j with the versions that the block's peers of a wave read, shape (k, dim).

        Counts the row that each peer of the wave sends to all its neighbours.
        """
        x, edges = self._x, self.edges
        old = wave.versions < wave.done[edges.senders[wave.edges]]
        if wave.uses is None and len(wave.peers) == edges.n and not old.any():  # the same on every rank: as in a round
            return self._communicator.mix(self._W, x)
        self.count(int(edges.out_degrees[wave.peers].sum()))
        local = self.rows_of(wave.peers)
        weights, diagonal = self._of_wave(wave)
        mixed = self.entries_of(wave.peers, diagonal)[:, None].astype(x.dtype) * x[local]
        rows = np.full(edges.n, -1)
        rows[self._block[local]] = np.arange(len(local))
        known = rows[edges.receivers[wave.edges]] >= 0
        if wave.uses is not None:
            known &= wave.uses
        for of, source in ((known & ~old, self.current), (known & old, self._kept.reshape(-1, x.shape[1]))):
            read = wave.edges[of]
            if not read.size:
                continue
            row = rows[edges.receivers[read]]
            column = self._columns(source, edges.senders[read], wave.versions[of])
            starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(local)))])
            entries = weights[of].astype(x.dtype), column, starts
            mixed += csr_array(entries, shape=(len(local), len(source))) @ source
        return mixed

    def fragments(self, wave: FragmentWave, columns: list[NDArray[np.intp]]) -> tuple[NDArray, NDArray]:
        """The sum of what the block's peers of a wave receive, and how often, coordinate by coordinate, (k, dim)."""
        x, local = self._x, self.rows_of(wave.peers)
        total, count = np.zeros((2, len(local), x.shape[1]), x.dtype)
        rows = np.full(self.edges.n, -1)
        rows[self._block[local]] = np.arange(len(local))
        old = wave.versions < wave.done[wave.senders]
        for number, some in enumerate(columns):
            known = (wave.fragments == number) & (rows[wave.receivers] >= 0)
            for of, source in ((known & ~old, self.current), (known & old, self._kept.reshape(-1, x.shape[1]))):
                if not of.any():
                    continue
                values = source[self._columns(source, wave.senders[of], wave.versions[of])[:, None], some]
                starts = np.concatenate([[0], np.cumsum(np.bincount(rows[wave.receivers[of]], minlength=len(local)))])
                sums = csr_array((np.ones(len(values), x.dtype), np.arange(len(values)), starts)) @ values
                total[:, some] += sums
                count[:, some] += np.diff(starts)[:, None]
        return total, count

    def _columns(self, source: NDArray, senders: NDArray[np.intp], versions: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where rows of these versions stand: in `current`, or in the older ones."""
        if source is self.current:
            return self.position[senders]
        slot = (self._versions[senders] == versions[:, None]).argmax(axis=1)
        return self.position[senders] * self._versions.shape[1] + slot

    def _of_wave(self, wave: Wave) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The weights of what a wave reads, and of its peers' own rows: W's, but for peers that are absent or join."""
        weights, diagonal = self._weights[wave.edges], self._diagonal[wave.peers]
        if wave.uses is None or wave.joins is None:
            return weights, diagonal
        place = np.searchsorted(wave.peers, self.edges.receivers[wave.edges])
        diagonal = diagonal + np.bincount(place, np.where(wave.uses, 0, weights), len(wave.peers))
        alone = np.bincount(place, wave.uses, len(wave.peers)) == 0
        self.count(int((wave.joins & ~alone).sum()))  # who joins asks a neighbour for its row
        weights = np.where(wave.uses, np.where(wave.joins[place], 1, weights), 0)
        return weights, np.where(wave.joins, alone, diagonal)

    def keep(self, wave: Wave | FragmentWave) -> None:
        """Keep the rows that the peers of a wave are about to replace, where a neighbour may still read them."""
        old, oldest = wave.done[wave.peers], wave.oldest[wave.peers]
        needed = oldest <= old
        if not needed.any():
            return
        peers, old, oldest = wave.peers[needed], old[needed], oldest[needed]
        while not (free := self._versions[peers] < oldest[:, None]).any(axis=1).all():
            self._versions = np.pad(self._versions, ((0, 0), (0, 1)), constant_values=-1)
            self._kept = np.pad(self._kept, ((0, 0), (0, 1), (0, 0)))
        slot, place = free.argmax(axis=1), self.position[peers]
        self._versions[peers, slot] = old
        known = place >= 0
        self._kept[place[known], slot[known]] = self.current[place[known]]

    def replace(self, local: NDArray[np.intp], rows: NDArray) -> None:
        """Set the rows of the block's peers of a wave."""
        self._x[local] = rows
        self.exchange()

    def state(self) -> tuple[NDArray, NDArray[np.int64]]:
        """The block's older rows and their numbers."""
        kept = self._kept if self._communicator.size == 1 else self._kept[self.position[self._block]]
        return kept, self._versions[self._block]


@cache_by_id
def _entries(W: csr_array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The weights of W's edges in their order, and its diagonal."""
    rows = np.repeat(np.arange(len(W.indptr) - 1), np.diff(W.indptr))
    data, diagonal = np.asarray(W.data, np.float64), np.asarray(W.diagonal(), np.float64)
    return data[(W.indices != rows) & (data != 0)], diagonal
