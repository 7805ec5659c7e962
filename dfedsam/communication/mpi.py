"""Peers in blocks over MPI ranks. mpi4py is imported here only, and only when there is a launcher."""

import itertools
import os
import stat
import sys
import time
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.communication.base import Communicator
from dfedsam.communication.halo import HaloExchange, RankPlan
from dfedsam.communication.kernels import add_rows
from dfedsam.communication.partition import Assign
from dfedsam.errors import first_line
from dfedsam.machine import cores, expected_sizes, in_mpi_job, threads_per_rank

if TYPE_CHECKING:
    from mpi4py import MPI

T = TypeVar("T")
_PIPELINED = 1 << 15  # columns of a sum that go from rank to rank at once
_PANEL_BYTES = 64 << 20  # of rows that a rank distributes by columns at once


def world() -> "MPI.Intracomm":
    """All ranks of the job.

    Raises:
        ValueError: there is no MPI library, or the world does not have the size that the launcher gave it.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is here, but no library for it to load
        raise ValueError(
            "no MPI library can be loaded: install one with `pip install 'dfedsam[mpich]'`, or point MPI4PY_LIBMPI to "
            f"the system's libmpi.so; without ranks none is needed ({first_line(error)})"
        ) from None
    size = MPI.COMM_WORLD.size
    for name, expected in expected_sizes().items():
        if expected != size:
            raise ValueError(
                f"the MPI world has {size} rank{'s' * (size != 1)}, but {name} is {expected}: launcher and MPI library "
                f"belong to different MPI implementations; use the mpirun of {MPI.get_vendor()[0]}"
            )
    return MPI.COMM_WORLD


def abort_on_error(comm: "MPI.Comm") -> None:
    """Let an exception that nothing catches end all ranks: it is printed, then the job is aborted.

    Otherwise the other ranks would wait forever for the one that has stopped.
    """

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(f"rank {comm.rank} of {comm.size} stopped the run:\n{text}")
        flush_output()
        comm.Abort(1)

    sys.excepthook = hook


def abort(status: int) -> NoReturn:
    """End this process with an exit status, and in an MPI job all the other ranks with it.

    For errors that are reported in one line: if one rank left by `sys.exit`, the others would wait forever.
    """
    if in_mpi_job() and "mpi4py.MPI" in sys.modules:
        from mpi4py import MPI

        flush_output()
        MPI.COMM_WORLD.Abort(status)
    raise SystemExit(status)


def flush_output(seconds: float = 2) -> None:
    """Flush what this process wrote and wait up to `seconds` for the launcher to read it from its pipes.

    A launcher that aborts may drop output that it has not read yet, and with it the reason.
    """
    end = time.monotonic() + seconds
    for stream in sys.stdout, sys.stderr:
        stream.flush()
        while _unread_bytes(stream) and time.monotonic() < end:
            time.sleep(0.001)


def _unread_bytes(stream: TextIO) -> int:
    """Unread bytes of a pipe; 0 for a terminal, a file, or a stream without a descriptor."""
    try:
        import fcntl
        import termios

        if not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            return 0
        return int.from_bytes(fcntl.ioctl(stream.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)
    except (ImportError, OSError):  # Windows; a stream of Python's own
        return 0


class MPICommunicator(Communicator):
    """The communicator over the ranks of an MPI job.

    Args:
        peers: peers in the whole network, at least one a rank.
        comm: the ranks; all of the job's when None.
        assign: gives each peer its rank; None: contiguous blocks.
    """

    def __init__(self, peers: int, comm: "MPI.Intracomm | None" = None, assign: Assign | None = None) -> None:
        comm = world() if comm is None else comm
        here = comm.Split_type(_shared())
        allowed = cores()
        # the root's, since graph partitioners may differ between machines
        agreed = None if assign is None else lambda size: comm.bcast(np.asarray(assign(size)))
        super().__init__(peers, comm.size, comm.rank, threads_per_rank(here.allgather(allowed), allowed), agreed)
        here.Free()
        self._comm = comm.Dup()
        self._halo = HaloExchange(self._comm, self.pool)

    def total(self, x: NDArray) -> NDArray[np.float64]:
        rows = x.reshape(len(x), -1)
        total = self._total_in_turn(rows) if self.partition.contiguous else self._total_by_columns(rows)
        return total.reshape(x.shape[1:])

    def _total_in_turn(self, rows: NDArray) -> NDArray[np.float64]:
        """Sum of all peers' rows, (b, d) → (d,): rank after rank adds its own."""
        out = np.zeros(rows.shape[1], np.float64)
        for start in range(0, len(out), _PIPELINED):  # one rank adds some columns while the next adds those before
            columns = out[start : start + _PIPELINED]
            if self.rank > 0:
                self._comm.Recv(columns, source=self.rank - 1)
            add_rows(rows[:, start : start + _PIPELINED], columns)
            if self.rank < self.size - 1:
                self._comm.Send(columns, dest=self.rank + 1)
        self._comm.Bcast(out, root=self.size - 1)
        return out

    def _total_by_columns(self, rows: NDArray) -> NDArray[np.float64]:
        """Sum of all peers' rows, (b, d) → (d,): each rank sums some columns of all rows."""
        out = np.empty(rows.shape[1], np.float64)
        longest = int(self.partition.lengths.max())
        panel = max(1, _PANEL_BYTES // (longest * rows.itemsize))
        for start in range(0, len(out), panel):
            some = rows[:, start : start + panel]
            ends = [some.shape[1] * rank // self.size for rank in range(self.size + 1)]
            widths = np.diff(ends)
            width = widths[self.rank]
            send = np.concatenate([some[:, low:high].reshape(-1) for low, high in itertools.pairwise(ends)])
            receive = np.empty((self.peers, width), rows.dtype)
            sent, received = (counts * rows.itemsize for counts in (len(rows) * widths, self.partition.lengths * width))
            self._comm.Alltoallv([send.view(np.uint8), sent], [receive.reshape(-1).view(np.uint8), received])
            total = np.zeros(width, np.float64)
            add_rows(receive, total, self.partition.position)
            self._comm.Allgatherv(total, [out[start : start + panel], widths])
        return out

    def gather(self, rows: NDArray) -> NDArray:
        rows = np.ascontiguousarray(rows)
        out = np.empty((self.peers, *rows.shape[1:]), rows.dtype)
        row = out.nbytes // self.peers
        self._comm.Allgatherv(
            rows.reshape(-1).view(np.uint8), [out.reshape(-1).view(np.uint8), self.partition.lengths * row]
        )
        return out if self.partition.contiguous else out[self.partition.position]

    def agree(self, flag: bool) -> bool:
        from mpi4py import MPI

        out = np.empty(1, np.bool_)  # of one byte: objects take three times as many messages one after another
        self._comm.Allreduce(np.array([flag], np.bool_), out, op=MPI.LOR)
        return bool(out[0])

    def broadcast(self, value: T) -> T:
        return self._comm.bcast(value)

    def first(self, value: T | None) -> T | None:
        return next((v for v in self._comm.allgather(value) if v is not None), None)

    def _make_plan(self, rows: csr_array) -> RankPlan:
        return RankPlan(rows, self.partition, self._halo)


def _shared() -> int:
    from mpi4py import MPI

    return MPI.COMM_TYPE_SHARED
