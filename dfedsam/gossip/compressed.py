"""Shared parts of compressed gossip: a peer sends an encoded row, and sums its neighbours' decoded rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError, RunError, options_within
from dfedsam.gossip.base import GossipState, MultiStepGossip
from dfedsam.gossip.channel import laplacian
from dfedsam.gossip.compressors import Compressor, TopK
from dfedsam.peers import format_peers
from dfedsam.registry import public_name
from dfedsam.rows import SparseRows, loops, squares

if TYPE_CHECKING:
    from dfedsam.gossip.channel import Channel
    from dfedsam.random import RandomStream

    _Send = Callable[[NDArray, RandomStream, slice, NDArray, bool], None]


@dataclass(frozen=True)
class CompressedStep:
    """One compressed step of a block: the rows z to send, and the arrays to which C(z) is added.

        z = source(rows, out);  estimate += a C(z);  then target += b (W − I) C(z);  finish(rows)

    The functions are called with some neighbouring rows at a time, in any thread and order, and once for each row.

    Args:
        source: returns some rows z of the block, shape (p, dim), written into `out` or as these rows of `estimate`; or
            x, shape (peers, dim), for z = x − estimate and a = 1.
        estimate: shape (peers, dim).
        target: shape (peers, dim), C-contiguous; of the type of `estimate`, or float64 to add up without its rounding.
        growth: notices where z grows without bound.
        estimate_scale: a.
        target_scale: b.
        finish: called when rows of `target` are complete; or x, to which they are then added; None: nothing to do.
    """

    source: Callable[[slice, NDArray], NDArray] | NDArray
    estimate: NDArray
    target: NDArray
    growth: GrowthCheck
    estimate_scale: float = 1.0
    target_scale: float = 1.0
    finish: Callable[[slice], None] | NDArray | None = None

    def run(self, compressor: Compressor, channel: Channel) -> None:
        """Send C(z) along all edges.

        Args:
            compressor: C.
            channel: of this gossip step.

        Raises:
            RunError: if z is not finite, or has grown beyond the bound.
        """
        communicator, stream = channel.communicator, channel.stream
        (count, dim), dtype, wide = self.estimate.shape, self.estimate.dtype, self.target.dtype
        messages = communicator.scratch("messages", (count, compressor.width(dim, dtype)), np.uint8)
        entries = compressor.entries(dim)
        if entries is None:
            rows = communicator.scratch("decoded", (count, dim), wide)
            send, decode = self._send_rows(compressor, messages, rows), compressor.decode
        else:
            columns = communicator.scratch("columns", (count, entries), np.intp)
            rows = SparseRows(columns, communicator.scratch("values", (count, entries), wide))
            send, decode = self._send_entries(compressor, messages, rows), compressor.decode_entries

        whole = rows if isinstance(rows, np.ndarray) and dtype == wide else None
        norms = np.empty(count, dtype)

        @np.errstate(over="ignore", invalid="ignore")  # of rows that the growth check complains of
        def encode(some: slice, needed: bool) -> None:
            part = stream.part(some)
            if isinstance(self.source, np.ndarray) and dtype == wide and not needed:
                x, estimate = self.source[some], self.estimate[some]
                if isinstance(rows, SparseRows):
                    norms[some] = compressor.follow_entries(x, estimate, part, rows.rows(some))
                else:
                    norms[some] = compressor.follow(x, estimate, part, rows[some])
                return
            out = np.empty((some.stop - some.start, dim), dtype) if whole is None else whole[some]
            if isinstance(self.source, np.ndarray):
                z = np.subtract(self.source[some], self.estimate[some], out=out)
            else:
                z = self.source(some, out)
            norms[some] = squares(z)
            send(z, part, some, out, needed)

        loops(self.estimate)  # loads them, for the compressor's use, if the rows are worth it
        communicator.add_encoded(
            laplacian(channel.weights, self.target_scale),
            messages,
            rows,
            lambda received: _in_type(decode(received, dim, dtype, stream), wide),
            self.target,
            self.finish,
            encode,
        )
        self.growth.check(norms, stream)

    def _send_rows(self, compressor: Compressor, messages: NDArray[np.uint8], decoded: NDArray) -> _Send:
        scale = self.estimate.dtype.type(self.estimate_scale)

        def send(z: NDArray, stream: RandomStream, rows: slice, out: NDArray, needed: bool) -> None:
            if needed:
                compressor.write(z, stream, messages[rows], out)
            else:
                compressor.compress(z, stream, out)
            self.estimate[rows] += out if scale == 1 else scale * out
            if out.dtype != decoded.dtype:
                decoded[rows] = out

        return send

    def _send_entries(self, compressor: Compressor, messages: NDArray[np.uint8], decoded: SparseRows) -> _Send:
        def send(z: NDArray, stream: RandomStream, rows: slice, _out: NDArray, needed: bool) -> None:
            if needed:
                entries = compressor.write_entries(z, stream, messages[rows])
            else:
                entries = compressor.compress_entries(z, stream)
            decoded.columns[rows], decoded.values[rows] = entries
            entries.add_to(self.estimate[rows], self.estimate_scale)

        return send


def _in_type(rows: NDArray | SparseRows, dtype: np.dtype) -> NDArray | SparseRows:
    if isinstance(rows, SparseRows):
        return SparseRows(rows.columns, rows.values.astype(dtype, copy=False))
    return rows.astype(dtype, copy=False)


@dataclass(frozen=True)
class GrowthCheck:
    """Ends a run in which the rows to send grow without bound, because the gossip diverges.

    Args:
        largest: the largest ‖z‖² of the rows z that each peer sent in the initial rounds, shape (peers,); updated
            here.
        settling: number of initial rounds.
        bound: the largest allowed growth of ‖z‖ beyond that, as a factor.
        phase: name of the phase in the error.
        hint: the probable cause (option and value) and what to do.
    """

    largest: NDArray
    settling: int
    bound: float
    phase: str
    hint: str

    def check(self, squares: NDArray, stream: RandomStream) -> None:
        """Raise RunError if a square ‖z‖² of the block's rows, shape (peers,), is not finite or too large."""
        largest = self.largest
        if stream.round < self.settling:
            np.fmax(largest, squares, out=largest)
        fine = np.isfinite(squares) & ((squares <= self.bound**2 * largest) | (largest == 0))
        if not fine.all():
            peers = format_peers(np.asarray(stream.peers)[~fine])
            raise RunError(
                f"the rows to send have grown beyond bound, so the peers diverge; {self.hint}",
                phase=self.phase,
                round=stream.round,
                peers=peers,
            )


@dataclass
class CompressedState(GossipState):
    """The state of every compressed gossip.

    Args:
        largest: see `GrowthCheck`, shape (peers,).
    """

    largest: NDArray


C = TypeVar("C", bound=CompressedState)


@dataclass(frozen=True, kw_only=True)
class Compressed(MultiStepGossip[C]):
    """Q steps, in each of which every peer sends one compressed row to its neighbours.

    Args:
        compressor: the compression of each row.
        steps: Q, gossip steps per round, at least 1.

    Attributes:
        bound: the largest allowed growth of a peer's rows beyond those of the initial rounds, as a factor.
    """

    is_exact = False
    bound: ClassVar[float] = 1e3

    compressor: Compressor = TopK()

    def check_dim(self, dim: int) -> None:
        with options_within("compressor"):
            self.compressor.check(dim)
        if self.compressor.delta(dim) is None:
            name, rule = public_name(type(self.compressor)), f"must contract rows of length {dim}, but it does not"
            raise OptionError("compressor", name, rule, "choose qsgd, with more levels or unbiased false, or top_k")

    def __call__(self, x: NDArray, state: C, channel: Channel) -> tuple[NDArray, C]:
        settling = -(-settling_steps(self.compressor, x.shape[1]) // self.steps)
        phase = f"gossip {public_name(type(self))}"
        growth = GrowthCheck(state.largest, settling, self.bound, phase, self.hint(state))
        for q in range(self.steps):
            step = channel.step(q)
            self.step(x, state, growth).run(self.compressor, step)
        return x, state

    @abstractmethod
    def step(self, x: NDArray, state: C, growth: GrowthCheck) -> CompressedStep:
        """One gossip step of x (peers, dim) and the state, which it changes in place."""

    @abstractmethod
    def hint(self, state: C) -> str:
        """The probable cause of divergence (option and value) and what to do."""


def settling_steps(compressor: Compressor, dim: int) -> int:
    """Steps after which the initial difference has been sent: ten times its size in messages, at most 500."""
    delta = compressor.delta(dim)
    return min(500, ceil(10 / delta)) if delta else 100
