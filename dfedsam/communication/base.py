"""The interface of communicators: mixing with neighbours, and a few reductions for the recorder."""

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array

from dfedsam.communication.kernels import Decoded, Finish, Prepare, encode_rows
from dfedsam.communication.partition import Assign, Partition
from dfedsam.rows import SparseRows, ThreadPool

T = TypeVar("T")
_ARRAYS = 4  # of a chunk's rows that stay in cache while they are encoded
_MAX_PLANS = 32  # cached plans: more than the period of the usual schedules (2 log₂ n + 2)
_MAX_ENTRIES = 1 << 25  # limit of entries in their matrices, about 24 bytes each, since redrawn matrices accumulate


class MixingPlan(Protocol):
    """How rows are mixed by one W in one type; made once and cached while W is in use.

    `remote` lists the peers whose rows are received; `sent` is a mask of the block's rows that others need, None in
    a single process. `receive` exchanges messages and returns those of `remote`; `add` adds decoded rows to `target`.
    """

    remote: NDArray[np.intp]
    sent: NDArray[np.bool_] | None

    def mix(self, x: NDArray, out: NDArray) -> None: ...
    def receive(self, messages: NDArray[np.uint8]) -> NDArray[np.uint8]: ...
    def add(
        self, local: Decoded, remote: Decoded, target: NDArray, finish: Finish | None, prepare: Prepare | None = None
    ) -> None: ...
    def free(self) -> None: ...


class Communicator(ABC):
    """Peers in blocks, one block per rank, and the exchange of rows between them.

    Calls are collective: every rank makes the same ones in the same order. In the shapes below n stands for all peers,
    b for the block's and d for the width of a row.

    Args:
        peers: peers in the whole network, at least one per rank.
        size: number of ranks.
        rank: number of this rank, from 0.
        threads: cores available to this process, at least 1.
        assign: assigns each peer to a rank; None: contiguous blocks. No result depends on it.

    Attributes:
        partition: the peers of every rank.
        block: the peers of this rank: a range, or an array of rising numbers.
        messages: rows that all peers have sent so far.
        bytes: bytes of those rows.
        exchanges: W, or the way to a server or from it, and bytes of a message, of every exchange; None: not recorded.
        pool: this process's threads.
    """

    def __init__(self, peers: int, size: int, rank: int, threads: int, assign: Assign | None = None) -> None:
        self.partition = Partition(peers, size, assign)
        self.block = self.partition[rank]
        self.peers = peers
        self.size = size
        self.rank = rank
        self.threads = threads
        self.messages = 0
        self.bytes = 0
        self.exchanges: list[tuple[csr_array | Literal["up", "down"], int]] | None = None
        self.pool = ThreadPool(threads)
        self._scratch: dict[str, NDArray[np.uint8]] = {}
        self._plans: OrderedDict[tuple[int, np.dtype], tuple[csr_array, int, MixingPlan]] = OrderedDict()

    @property
    def is_root(self) -> bool:
        """True on the one process that writes files and prints messages."""
        return self.rank == 0

    def mix(self, W: csr_array, x: NDArray, out: NDArray | None = None) -> NDArray:
        """One gossip step: the block's rows of W @ X, where X stacks the rows of all peers.

        The sum over a row's neighbours is taken in the order of their numbers, in the type of `x`, so that the result
        is bit for bit that of one process. The communication plan is made once for each W, which is recognised by its
        identity and must not be changed afterwards.

        Args:
            W: (n, n), row i holds the weights with which peer i averages. Cast to the type of `x` once.
            x: (b, d), the block's rows.
            out: (b, d), C-contiguous, of the type of `x`, sharing no memory with it: receives the result.

        Returns:
            (b, d), in the type of `x`. Each off-diagonal nonzero of W, here or elsewhere, counts as a message of d
            numbers.
        """
        if x.ndim != 2 or len(x) != len(self.block):
            raise ValueError(
                f"x has shape {x.shape}: it must be ({len(self.block)}, d), a row for each peer of this rank"
            )
        if out is None:
            out = np.empty(x.shape, x.dtype)
        elif out.shape != x.shape or out.dtype != x.dtype or not out.flags.c_contiguous or np.may_share_memory(out, x):
            raise ValueError("out must be C-contiguous, of the shape and type of x, and not share its memory")
        edges, plan = self._plan(W, x.dtype)
        if x.size:
            plan.mix(np.ascontiguousarray(x), out)
        self.count(edges, x.shape[1] * x.itemsize, W)
        return out

    def add_encoded(
        self,
        W: csr_array,
        messages: NDArray[np.uint8],
        local: Decoded,
        decode: Callable[[NDArray[np.uint8]], Decoded],
        target: NDArray,
        finish: Finish | None = None,
        encode: Callable[[slice, bool], None] | None = None,
    ) -> None:
        """One gossip step of encoded rows: adds the block's rows of W @ X, where X stacks all decoded messages.

        Each off-diagonal nonzero of W, here or elsewhere, counts as a message of w bytes.

        Args:
            W: as in `mix`.
            messages: (b, w), the block's; w bytes are sent along every edge.
            local: (b, d), C-contiguous: the block's decoded messages; or SparseRows, if they have few entries.
            decode: messages (m, w) to rows (m, d) of the type of `local`, each message separately, in any thread; a
                rank decodes each received message once. Returns SparseRows if `local` are SparseRows.
            target: (b, d), C-contiguous, of the type of `local`: receives the sums, added in the order of the peers'
                numbers.
            finish: called with some rows of `target` once these are complete, in any thread and order; or (b, d), to
                which they are then added.
            encode: writes some rows of `local`, and of `messages` if told so, once each; None: both are written.
        """
        numbers = local.values if isinstance(local, SparseRows) else local
        shape = (len(numbers), target.shape[1]) if isinstance(local, SparseRows) else local.shape
        if target.shape != shape or target.dtype != numbers.dtype or not target.flags.c_contiguous:
            raise ValueError("target must be C-contiguous, of the shape and type of local")
        edges, plan = self._plan(W, target.dtype)
        prepare = None if encode is None else partial(encode_rows, encode, plan.sent)
        if prepare is not None and plan.sent is not None:
            self.pool.map_chunks(prepare, len(target), _ARRAYS * target.itemsize * target.shape[1])
            prepare = None
        received = plan.receive(messages)
        if isinstance(local, SparseRows):
            remote = decode(received)
        else:
            remote = self.scratch("remote", (len(received), target.shape[1]), target.dtype)

            def work(rows: slice) -> None:
                remote[rows] = decode(received[rows])

            self.pool.map_chunks(work, len(received), target.shape[1] * target.itemsize)
        plan.add(local, remote, target, finish, prepare)
        self.count(edges, messages.shape[1], W)

    def scratch(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
        """A temporary array, which reuses the memory of the last one of this name if that is large enough.

        Allocating new memory in every round takes longer than the arithmetic of a gossip step.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if name not in self._scratch or len(self._scratch[name]) < size:
            self._scratch[name] = np.empty(size, np.uint8)
        return self._scratch[name][:size].view(dtype).reshape(shape)

    def receive(
        self, W: csr_array, messages: NDArray[np.uint8], *, counted: bool = True
    ) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
        """The messages of the block's peers, and of all their in-neighbours in W.

        Args:
            W: as in `mix`; only its links matter.
            messages: (b, w), the block's.
            counted: whether it counts, as `add_encoded` does; if not, the caller counts what it takes of them.

        Returns:
            The numbers of the peers, rising, shape (m,), and their messages, shape (m, w).
        """
        edges, plan = self._plan(W, W.dtype)
        if counted:
            self.count(edges, messages.shape[1], W)
        if self.size == 1:
            return np.asarray(self.block), messages
        peers = np.concatenate([np.asarray(self.block), plan.remote])
        order = np.argsort(peers)
        return peers[order], np.concatenate([messages, plan.receive(messages)])[order]

    def server_mean(
        self, x: NDArray, weights: NDArray | None = None, participants: NDArray[np.bool_] | None = None
    ) -> NDArray:
        """The exact mean over the participants, (b, d) → (d,) in the type of `x`, for server baselines only.

        Counts two messages for each participant: its row, with its weight if there are weights, and the mean in return.

        Args:
            x: the block's rows, shape (b, d).
            weights: weight of each peer, shape (b,); None: equal weights.
            participants: mask of the block's participants, shape (b,); None: all. The mean of none is 0.
        """
        count, shares = self.peers, weights
        if participants is not None:
            present = participants.astype(np.float64)
            count, shares = int(self.total(present)), present if weights is None else present * weights
        if shares is None:
            mean = (self.total(x) / count).astype(x.dtype)
        else:
            sums, share = self.total(x * shares[:, None].astype(np.float64)), self.total(shares)
            mean = (sums / np.where(share > 0, share, 1)).astype(x.dtype)
        self.count(count, mean.nbytes + (0 if weights is None else x.itemsize), "up")
        self.count(count, mean.nbytes, "down")
        return mean

    def server_rows(self, x: NDArray, reply: int) -> NDArray:
        """The rows of all peers, (b, d) → (n, d): two messages per peer, its row and a reply of `reply` bytes."""
        self.count(self.peers, x.shape[1] * x.itemsize, "up")
        self.count(self.peers, reply, "down")
        return self.gather(x)

    @abstractmethod
    def total(self, x: NDArray) -> NDArray[np.float64]:
        """Sum over all peers in their order, (b, ...) → (...) in float64, on every rank.

        The bits do not depend on the split: ranks add in turn, row by row.
        """

    @abstractmethod
    def gather(self, rows: NDArray) -> NDArray:
        """The rows of all peers in their order, (b, ...) → (n, ...), on every rank. For a few numbers of each peer."""

    @abstractmethod
    def agree(self, flag: bool) -> bool:
        """True on every rank if any rank says true."""

    @abstractmethod
    def broadcast(self, value: T) -> T:
        """The root's value, on every rank."""

    @abstractmethod
    def first(self, value: T | None) -> T | None:
        """The value of the first rank that has one, on every rank; None if all have None."""

    @abstractmethod
    def _make_plan(self, rows: csr_array) -> MixingPlan:
        """A plan for a canonical matrix of all peers in the type of the rows."""

    def count(self, messages: int, size: int, link: csr_array | Literal["up", "down"] | None = None) -> None:
        """Count messages that peers have sent.

        Args:
            messages: how many.
            size: bytes of each.
            link: the W along whose edges they went, or the way to a server, or from it; None: `exchanges` omits them.
        """
        self.messages += messages
        self.bytes += messages * size
        if self.exchanges is not None and link is not None:
            self.exchanges.append((link, size))

    def _plan(self, W: csr_array, dtype: np.dtype) -> tuple[int, MixingPlan]:
        key = id(W), dtype
        if key in self._plans:
            self._plans.move_to_end(key)
            return self._plans[key][1:]
        rows = self._canonical(W)
        edges = rows.nnz - int(np.count_nonzero(rows.diagonal()))
        cast = copy(rows)  # the same pattern; csr_array(rows, dtype) would check it again in every round of a schedule
        cast.data = rows.data.astype(dtype, copy=False)
        if np.issubdtype(dtype, np.integer) and not np.array_equal(cast.data, rows.data):
            raise ValueError(f"x has type {dtype}: it cannot hold the weights of W; use a floating type")
        entry = (W, edges, self._make_plan(cast))  # keeping W keeps its identity unique
        self._plans[key] = entry
        while len(self._plans) > _MAX_PLANS or (len(self._plans) > 1 and self._planned_entries() > _MAX_ENTRIES):
            self._plans.popitem(last=False)[1][2].free()  # the same on every rank: calls come in the same order
        return entry[1:]

    def _planned_entries(self) -> int:
        return sum(W.nnz for W, _, _ in self._plans.values())

    def _canonical(self, W: csr_array) -> csr_array:
        """W with its columns sorted, without repeated or zero entries."""
        if W.shape != (self.peers, self.peers):  # pyright: ignore[reportUnnecessaryComparison]  (scipy's stub: None)
            raise ValueError(f"W has shape {W.shape}: it must be ({self.peers}, {self.peers}), a row for each peer")
        if W.has_canonical_format and np.all(W.data):
            return W
        rows = W.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
        return rows
