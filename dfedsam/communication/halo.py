"""Mixing across ranks: the rows of other ranks' peers arrive by persistent neighbourhood collectives."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.communication.kernels import Decoded, Finish, Prepare, WeightRows
from dfedsam.communication.partition import Partition
from dfedsam.communication.rank_sums import RankSums
from dfedsam.rows import ThreadPool

if TYPE_CHECKING:
    from mpi4py import MPI

_PANEL_BYTES = 8 << 20  # limit of the rows that one rank sends at once


class Route(NamedTuple):
    """The rows that one rank sends and receives for one W.

    Every rank knows the whole W, so each computes its own sends and receives. A row is sent only once to each rank that
    needs it, however many peers there do.
    """

    send: NDArray[np.intp]  # the block's rows to send, counted from its first, rank after rank
    send_counts: NDArray[np.intp]  # (size,) number of rows sent to each rank
    receive: NDArray[np.intp]  # the peers whose rows are received, rank after rank, rising in each
    receive_counts: NDArray[np.intp]  # (size,) number of rows received from each rank
    most: int  # rows sent or received, whichever is more, by the busiest rank
    pairs: tuple[tuple[int, int], ...]  # (receiver, sender) of all communicating ranks: the same on every rank

    @classmethod
    def of(cls, W: csr_array, partition: Partition, rank: int) -> "Route":
        """The route of W (n, n) between the ranks of a partition, seen from one of them."""
        size, block = len(partition), partition.positions(rank)
        receivers = np.repeat(partition.owner, np.diff(W.indptr))
        remote = np.flatnonzero(receivers != partition.owner[W.indices])
        # a byte for each rank and peer, set in one pass: sorting the entries takes ten times as long
        needed = np.zeros((size, len(partition.owner)), bool)
        needed[receivers[remote], partition.position[W.indices[remote]]] = True
        firsts = [partition.positions(sender).start for sender in range(size)]
        counts = np.add.reduceat(needed, firsts, axis=1, dtype=np.intp)  # (receiver, sender)
        return cls(
            send=np.nonzero(needed[:, block.start : block.stop])[1],
            send_counts=counts[:, rank],
            receive=partition.order[needed[rank]],
            receive_counts=counts[rank],
            most=int(max(counts.sum(axis=0).max(), counts.sum(axis=1).max())),
            pairs=tuple((receiver, sender) for receiver, sender in np.argwhere(counts).tolist()),
        )

    def message_counts(self, width: int) -> tuple[list[int], list[int]]:
        """Bytes sent to and received from each neighbouring rank, for rows of `width` bytes."""
        sent, received = ((c[c > 0] * width).tolist() for c in (self.send_counts, self.receive_counts))
        return sent, received


class HaloExchange:
    """The shared part of a communicator's plans: graphs of communicating ranks, and message buffers.

    Graph communicators and requests are made and freed by all ranks in the same calls, never by the garbage collector.

    Args:
        comm: all ranks of the run, for this exchange's use only.
        pool: the threads of this rank.
    """

    def __init__(self, comm: "MPI.Intracomm", pool: ThreadPool) -> None:
        self.comm = comm
        self.pool = pool
        self.plans: list[RankPlan] = []
        self._graphs: dict[tuple, tuple[MPI.Distgraphcomm, int]] = {}
        self._buffers = np.empty((2, 0), np.uint8)

    def buffers(self, size: int) -> NDArray[np.uint8]:
        """Two buffers of at least `size` bytes, (2, ...). Growing them ends the requests bound to the old ones.

        `size` must be the same on every rank, so that all of them rebind their requests in the same call.
        """
        if size > self._buffers.shape[1]:
            for plan in self.plans:
                plan.unbind()
            self._buffers = np.empty((2, size), np.uint8)
        return self._buffers

    def join(self, route: Route) -> "MPI.Distgraphcomm | None":
        """A communicator in which this rank's neighbours are those of `route`; None if no ranks communicate.

        Matrices between the same ranks share one: a schedule needs few of the about two thousand that MPI can give.
        """
        if not route.pairs:
            return None
        comm, users = self._graphs.get(route.pairs, (None, 0))
        if comm is None:
            sources, destinations = np.flatnonzero(route.receive_counts), np.flatnonzero(route.send_counts)
            comm = self.comm.Create_dist_graph_adjacent(sources.tolist(), destinations.tolist())
        self._graphs[route.pairs] = comm, users + 1
        return comm

    def leave(self, route: Route) -> None:
        """Release the communicator; the last user frees it."""
        if not route.pairs:
            return
        comm, users = self._graphs.pop(route.pairs)
        if users > 1:
            self._graphs[route.pairs] = comm, users - 1
        else:
            comm.Free()


class _Binding(NamedTuple):
    """A persistent request and the rows it sends and fills."""

    send: NDArray
    receive: NDArray
    request: "MPI.Prequest"


class RankPlan:
    """How one rank mixes with one W in one type.

    Wide rows are sent in panels of columns, so that messages take little memory. All ranks use the same panels; the
    last one overlaps the one before rather than being narrower, so that one request serves all panels.

    Args:
        W: (n, n), canonical, in the type of the rows.
        partition: which rank owns which peers.
        halo: shared with the communicator's other plans.
    """

    def __init__(self, W: csr_array, partition: Partition, halo: HaloExchange) -> None:
        self._halo = halo
        rank = halo.comm.rank
        self._route = Route.of(W, partition, rank)
        self._sums = RankSums(WeightRows.of(W, partition[rank]), partition, rank, self._route.receive)
        self.remote = self._route.receive
        sent = np.zeros(len(partition[rank]), np.bool_)
        sent[self._route.send] = True
        self.sent: NDArray[np.bool_] | None = sent
        self._dtype = W.dtype
        self._comm = halo.join(self._route)
        self._bindings: dict[int, _Binding] = {}
        halo.plans.append(self)

    def mix(self, x: NDArray, out: NDArray) -> None:
        """See `Communicator.mix`; both arrays are C-contiguous, (b, d)."""
        d = x.shape[1]
        if self._comm is None:
            self._sums.add(x, x[:0], out, self._halo.pool)
            return
        width = max(1, min(d, _PANEL_BYTES // (self._route.most * self._dtype.itemsize)))
        if width not in self._bindings:
            self._bindings[width] = self._bind(self._comm, width)
        send, receive, request = self._bindings[width]
        panel = out if width == d else np.empty((len(out), width), out.dtype)
        for start in range(0, d, width):
            columns = slice(min(start, d - width), min(start + width, d))
            source = np.ascontiguousarray(x[:, columns])
            np.take(source, self._route.send, axis=0, out=send, mode="clip")  # the other modes copy once more
            request.Start()
            request.Wait()
            self._sums.add(source, receive, panel, self._halo.pool)
            if panel is not out:
                out[:, columns] = panel

    def receive(self, messages: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The messages received, (m, w), for the block's (b, w); see `Communicator.receive`."""
        from mpi4py import MPI

        width = messages.shape[1]
        incoming = np.empty((len(self.remote), width), np.uint8)
        if self._comm is not None:
            outgoing = messages[self._route.send]
            sent, received = self._route.message_counts(width)
            self._comm.Neighbor_alltoallv((outgoing, sent, MPI.BYTE), (incoming, received, MPI.BYTE))
        return incoming

    def add(
        self,
        local: Decoded,
        remote: Decoded,
        target: NDArray,
        finish: Finish | None,
        prepare: Prepare | None = None,
    ) -> None:
        """See `Communicator.add_encoded`; all arrays are C-contiguous. Rows are written before, since some are sent."""
        assert prepare is None
        self._sums.add(local, remote, target, self._halo.pool, add=True, finish=finish)

    def unbind(self) -> None:
        """End the requests, whose buffers are about to be freed; they are rebound when next needed."""
        for binding in self._bindings.values():
            binding.request.Free()
        self._bindings.clear()

    def free(self) -> None:
        """Free this plan's MPI objects."""
        self.unbind()
        self._halo.plans.remove(self)
        self._halo.leave(self._route)

    def _bind(self, comm: "MPI.Distgraphcomm", width: int) -> _Binding:
        from mpi4py import MPI

        row = width * self._dtype.itemsize
        outgoing, incoming = self._halo.buffers(self._route.most * row)
        sent, received = self._route.message_counts(row)
        request = comm.Neighbor_alltoallv_init((outgoing, sent, MPI.BYTE), (incoming, received, MPI.BYTE))
        send, receive = (
            buffer[: len(peers) * row].view(self._dtype).reshape(len(peers), width)
            for buffer, peers in ((outgoing, self._route.send), (incoming, self._route.receive))
        )
        return _Binding(send, receive, request)
