"""Mixing across ranks: rows travel by persistent neighbourhood collectives, then each rank adds up its own."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.communication.blocks import Blocks
from dfedsam.communication.product import stored
from dfedsam.communication.routes import Route, route
from dfedsam.communication.sums import Sums
from dfedsam.communication.threads import Team
from dfedsam.sparse_rows import SparseRows

if TYPE_CHECKING:
    from mpi4py import MPI

_PANEL_BYTES = 8 << 20  # of rows that one rank sends at once


class Exchange:
    """What the plans of one network share: communicators for the ranks that talk, and the buffers rows travel in.

    Communicators and requests are made and freed by all ranks in the same calls, never by the garbage collector.

    Args:
        comm: all ranks of the run, for this network's use only.
        team: the threads of this rank.
    """

    def __init__(self, comm: "MPI.Intracomm", team: Team) -> None:
        self.comm = comm
        self.team = team
        self.plans: list[RankPlan] = []
        self._neighbours: dict[tuple, tuple[MPI.Distgraphcomm, int]] = {}
        self._buffers = np.empty((2, 0), np.uint8)

    def buffers(self, size: int) -> NDArray[np.uint8]:
        """Two buffers of at least `size` bytes, (2, ...). Growing them ends the requests bound to the old ones.

        `size` must be the same on every rank, so that all of them bind their requests anew at the same call.
        """
        if size > self._buffers.shape[1]:
            for plan in self.plans:
                plan.unbind()
            self._buffers = np.empty((2, size), np.uint8)
        return self._buffers

    def join(self, route: Route) -> "MPI.Distgraphcomm | None":
        """A communicator in which this rank's neighbours are those of `route`; None where no ranks talk at all.

        Matrices between the same ranks share one: a schedule needs few of the some two thousand that MPI can give.
        """
        if not route.pairs:
            return None
        comm, users = self._neighbours.get(route.pairs, (None, 0))
        if comm is None:
            sources, destinations = np.flatnonzero(route.receive_counts), np.flatnonzero(route.send_counts)
            comm = self.comm.Create_dist_graph_adjacent(sources.tolist(), destinations.tolist())
        self._neighbours[route.pairs] = comm, users + 1
        return comm

    def leave(self, route: Route) -> None:
        """Give the communicator back; the last to do so frees it."""
        if not route.pairs:
            return
        comm, users = self._neighbours.pop(route.pairs)
        if users > 1:
            self._neighbours[route.pairs] = comm, users - 1
        else:
            comm.Free()


class Channel(NamedTuple):
    """A persistent request and the rows it sends and fills."""

    send: NDArray
    receive: NDArray
    request: "MPI.Prequest"


class RankPlan:
    """How one rank mixes with one W in one type.

    Wide rows go panel by panel of columns, so that the rows on their way take little memory. All ranks cut the same
    panels; the last one overlaps the one before rather than being narrower, so that one request serves them all.

    Args:
        W: (n, n), canonical, in the type of the rows.
        blocks: who plays whom.
        exchange: shared with the network's other plans.
    """

    def __init__(self, W: csr_array, blocks: Blocks, exchange: Exchange) -> None:
        self._exchange = exchange
        rank = exchange.comm.rank
        self._route = route(W, blocks, rank)
        self._sums = Sums(stored(W, blocks[rank]), blocks, rank, self._route.receive)
        self.remote = self._route.receive
        self._dtype = W.dtype
        self._comm = exchange.join(self._route)
        self._channels: dict[int, Channel] = {}
        exchange.plans.append(self)

    def mix(self, x: NDArray, out: NDArray) -> None:
        """See `Communicator.mix`; both arrays are C-contiguous, (b, d)."""
        d = x.shape[1]
        if self._comm is None:
            self._sums.add(x, x[:0], out, self._exchange.team)
            return
        width = max(1, min(d, _PANEL_BYTES // (self._route.most * self._dtype.itemsize)))
        if width not in self._channels:
            self._channels[width] = self._bind(self._comm, width)
        send, receive, request = self._channels[width]
        panel = out if width == d else np.empty((len(out), width), out.dtype)
        for start in range(0, d, width):
            columns = slice(min(start, d - width), min(start + width, d))
            own = np.ascontiguousarray(x[:, columns])
            np.take(own, self._route.send, axis=0, out=send, mode="clip")  # the other modes copy once more
            request.Start()
            request.Wait()
            self._sums.add(own, receive, panel, self._exchange.team)
            if panel is not out:
                out[:, columns] = panel

    def receive(self, messages: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The messages that come in, (m, w), for the block's (b, w); see `Communicator.receive`."""
        from mpi4py import MPI

        width = messages.shape[1]
        incoming = np.empty((len(self.remote), width), np.uint8)
        if self._comm is not None:
            outgoing = messages[self._route.send]
            sent, received = (
                (c[c > 0] * width).tolist() for c in (self._route.send_counts, self._route.receive_counts)
            )
            self._comm.Neighbor_alltoallv((outgoing, sent, MPI.BYTE), (incoming, received, MPI.BYTE))
        return incoming

    def add(
        self, own: NDArray | SparseRows, remote: NDArray | SparseRows, onto: NDArray, then: Callable[[slice], None]
    ) -> None:
        """See `Communicator.add_encoded`; all arrays are C-contiguous."""
        self._sums.add(own, remote, onto, self._exchange.team, onto=True, then=then)

    def unbind(self) -> None:
        """End the requests, whose buffers are about to go; they are bound anew when next needed."""
        for channel in self._channels.values():
            channel.request.Free()
        self._channels.clear()

    def free(self) -> None:
        """Give back what MPI holds for this plan."""
        self.unbind()
        self._exchange.plans.remove(self)
        self._exchange.leave(self._route)

    def _bind(self, comm: "MPI.Distgraphcomm", width: int) -> Channel:
        from mpi4py import MPI

        row = width * self._dtype.itemsize
        outgoing, incoming = self._exchange.buffers(self._route.most * row)
        sent, received = ((c[c > 0] * row).tolist() for c in (self._route.send_counts, self._route.receive_counts))
        request = comm.Neighbor_alltoallv_init((outgoing, sent, MPI.BYTE), (incoming, received, MPI.BYTE))
        send, receive = (
            buffer[: len(peers) * row].view(self._dtype).reshape(len(peers), width)
            for buffer, peers in ((outgoing, self._route.send), (incoming, self._route.receive))
        )
        return Channel(send, receive, request)
