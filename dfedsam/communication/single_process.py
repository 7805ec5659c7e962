"""All peers in one process: no MPI library is needed."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.communication.base import Communicator
from dfedsam.communication.kernels import Decoded, Finish, Prepare, WeightRows, add_rows, multiply
from dfedsam.machine import cores, threads_per_rank
from dfedsam.rows import ThreadPool

T = TypeVar("T")


class SingleProcess(Communicator):
    """The communicator of one process: the block is all peers."""

    def __init__(self, peers: int) -> None:
        allowed = cores()
        super().__init__(peers, size=1, rank=0, threads=threads_per_rank([allowed], allowed))

    def total(self, x: NDArray) -> NDArray[np.float64]:
        out = np.zeros(x.shape[1:], np.float64)
        add_rows(x.reshape(len(x), -1), out.reshape(-1))
        return out

    def gather(self, rows: NDArray) -> NDArray:
        return rows.copy()

    def agree(self, flag: bool) -> bool:
        return bool(flag)

    def broadcast(self, value: T) -> T:
        return value

    def first(self, value: T | None) -> T | None:
        return value

    def _make_plan(self, rows: csr_array) -> "_LocalPlan":
        return _LocalPlan(WeightRows.of(rows, self.block), self.pool)


class _LocalPlan:
    """A plan that fetches nothing."""

    def __init__(self, rows: WeightRows, pool: ThreadPool) -> None:
        self._rows = rows
        self._pool = pool
        self.remote = np.empty(0, np.intp)
        self.sent: NDArray[np.bool_] | None = None

    def mix(self, x: NDArray, out: NDArray) -> None:
        multiply([(self._rows, x)], out, self._pool)

    def receive(self, messages: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return messages[:0]

    def add(
        self,
        local: Decoded,
        remote: Decoded,
        target: NDArray,
        finish: Finish | None,
        prepare: Prepare | None = None,
    ) -> None:
        multiply([(self._rows, local)], target, self._pool, add=True, finish=finish, prepare=prepare)

    def free(self) -> None:
        pass
