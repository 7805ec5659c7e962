"""Mixing across ranks: which rows must travel for one W, and how they do.

Every rank knows the whole of W, so each works out by itself what it takes in and what it sends; a remote row is sent
once to each rank that needs it, whatever the number of peers there that do. Blocks are contiguous and columns sorted,
so a row's sum falls into three pieces, in order: peers of lower blocks, the block's own, and peers of higher blocks.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.network.base import stored
from dfedsam.network.blocks import block
from dfedsam.network.product import accumulate

if TYPE_CHECKING:
    from mpi4py import MPI

_PANEL_BYTES = 16 << 20  # rows sent and received at once by one rank


class Route(NamedTuple):
    """The rows that travel for one W, as one rank sees them."""

    send: NDArray[np.intp]  # the block's rows to send, counted from its first, rank after rank
    send_counts: NDArray[np.intp]  # (size,) how many of them go to each rank
    receive: NDArray[np.intp]  # the peers whose rows come in, rising
    receive_counts: NDArray[np.intp]  # (size,)
    most: int  # rows sent and received by the busiest rank
    pairs: tuple[tuple[int, int], ...]  # (receiver, sender) of all ranks that talk: the same on every rank


def route(W: csr_array, size: int, rank: int) -> Route:
    """Work out from the whole of W (n, n) which rows travel between `size` ranks."""
    n = len(W.indptr) - 1
    blocks = [block(n, size, r) for r in range(size)]
    owner = np.repeat(np.arange(size), [len(b) for b in blocks])
    receivers = np.repeat(owner, np.diff(W.indptr))
    remote = receivers != owner[W.indices]
    receivers, peers = np.divmod(np.unique(receivers[remote] * n + W.indices[remote]), n)
    senders = owner[peers]
    mine, others = senders == rank, receivers == rank
    load = np.bincount(senders, minlength=size) + np.bincount(receivers, minlength=size)
    pairs = np.unique(np.stack([receivers, senders], axis=1), axis=0)
    return Route(
        send=peers[mine] - blocks[rank].start,
        send_counts=np.bincount(receivers[mine], minlength=size),
        receive=peers[others],
        receive_counts=np.bincount(senders[others], minlength=size),
        most=int(load.max(initial=0)),
        pairs=tuple((int(r), int(s)) for r, s in pairs),
    )


class Exchange:
    """What the plans of one network share: communicators for the ranks that talk, and the buffers rows travel in.

    Args:
        comm: all ranks of the run, for this network's use only.
    """

    def __init__(self, comm: "MPI.Intracomm") -> None:
        self.comm = comm
        self.plans: list[RankPlan] = []
        self._neighbours: dict[tuple, tuple[MPI.Distgraphcomm, int]] = {}
        self._buffers = np.empty((2, 0), np.uint8)

    def buffers(self, size: int) -> NDArray[np.uint8]:
        """Two buffers, (2, at least `size`) bytes. Growing them ends the requests bound to the old ones.

        `size` must be the same on every rank, so that all of them bind their requests anew at the same call.
        """
        if size > self._buffers.shape[1]:
            for plan in self.plans:
                plan.unbind()
            self._buffers = np.empty((2, size), np.uint8)
        return self._buffers

    def neighbourhood(self, route: Route) -> "MPI.Distgraphcomm":
        """A communicator in which this rank's neighbours are those of `route`, shared by all W with the same pairs."""
        comm, uses = self._neighbours.get(route.pairs, (None, 0))
        if comm is None:
            sources, destinations = np.flatnonzero(route.receive_counts), np.flatnonzero(route.send_counts)
            comm = self.comm.Create_dist_graph_adjacent(sources.tolist(), destinations.tolist())
        self._neighbours[route.pairs] = comm, uses + 1
        return comm

    def leave(self, route: Route) -> None:
        """Give a communicator back; the last to do so frees it, on every rank at the same call."""
        comm, uses = self._neighbours.pop(route.pairs)
        if uses > 1:
            self._neighbours[route.pairs] = comm, uses - 1
        else:
            comm.Free()


class RankPlan:
    """How one rank mixes with one W in one type.

    Wide rows go panel by panel of columns, so that what travels at once takes `_PANEL_BYTES` at most. All ranks cut the
    same panels; the last one overlaps its neighbour rather than being narrower, so that one request serves them all.
    """

    def __init__(self, W: csr_array, peers: range, exchange: Exchange) -> None:
        comm, n = exchange.comm, len(W.indptr) - 1
        self.exchange = exchange
        self.route = route(W, comm.size, comm.rank)
        rows = stored(W, peers)
        below = int(np.searchsorted(self.route.receive, peers.start))
        self.below = rows.part(0, peers.start, self.route.receive[:below])
        self.own = rows.part(peers.start, peers.stop)
        self.above = rows.part(peers.stop, n, self.route.receive[below:])
        self.split = below
        self.itemsize = W.dtype.itemsize
        self.dtype = W.dtype
        self.neighbourhood = exchange.neighbourhood(self.route) if self.route.pairs else None
        self._bound: dict[int, tuple[NDArray, NDArray, MPI.Prequest]] = {}
        exchange.plans.append(self)

    def mix(self, x: NDArray, out: NDArray) -> None:
        if self.neighbourhood is None:
            self._add(x, out, out[:0], out[:0])
            return
        d = x.shape[1]
        width = max(1, min(d, _PANEL_BYTES // (self.route.most * self.itemsize)))
        if width not in self._bound:
            self._bound[width] = self._bind(width)
        send, receive, request = self._bound[width]
        panel = out if width == d else np.empty((len(out), width), out.dtype)
        for start in range(0, d, width):
            start = min(start, d - width)
            columns = np.ascontiguousarray(x[:, start : start + width])
            np.take(columns, self.route.send, axis=0, out=send, mode="clip")  # clip: numpy's path without a copy
            request.Start()
            request.Wait()
            self._add(columns, panel, receive[: self.split], receive[self.split :])
            if panel is not out:
                out[:, start : start + width] = panel

    def unbind(self) -> None:
        """End the requests, whose buffers are about to go; they are bound anew when next needed."""
        for _, _, request in self._bound.values():
            request.Free()
        self._bound.clear()

    def free(self) -> None:
        self.unbind()
        self.exchange.plans.remove(self)
        if self.neighbourhood is not None:
            self.exchange.leave(self.route)

    def _add(self, x: NDArray, out: NDArray, below: NDArray, above: NDArray) -> None:
        out.fill(0)
        accumulate(self.below, below, out)
        accumulate(self.own, x, out)
        accumulate(self.above, above, out)

    def _bind(self, width: int) -> "tuple[NDArray, NDArray, MPI.Prequest]":
        from mpi4py import MPI

        if self.neighbourhood is None:
            raise RuntimeError("no ranks talk in this plan")
        row = width * self.itemsize
        buffers = self.exchange.buffers(self.route.most * row)
        counts = [c[c > 0] * row for c in (self.route.send_counts, self.route.receive_counts)]
        specs = [[b, c.tolist(), (np.cumsum(c) - c).tolist(), MPI.BYTE] for b, c in zip(buffers, counts, strict=True)]
        request = self.neighbourhood.Neighbor_alltoallv_init(*specs)
        lengths = len(self.route.send), len(self.route.receive)
        send, receive = (b[: k * row].view(self.dtype).reshape(k, width) for b, k in zip(buffers, lengths, strict=True))
        return send, receive, request
