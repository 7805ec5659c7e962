"""All peers in one process: no MPI library is needed."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.communication.base import Communicator
from dfedsam.communication.product import Rows, add_rows, multiply, stored
from dfedsam.communication.threads import Team
from dfedsam.machine import cores, threads_per_rank
from dfedsam.sparse_rows import SparseRows

T = TypeVar("T")


class SingleProcess(Communicator):
    """The network in one process: the block is all peers."""

    def __init__(self, peers: int) -> None:
        mine = cores()
        super().__init__(peers, size=1, rank=0, threads=threads_per_rank([mine], mine))

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

    def barrier(self) -> None:
        pass

    def first(self, value: T | None) -> T | None:
        return value

    def _make(self, rows: csr_array) -> "_Plan":
        return _Plan(stored(rows, self.block), self.team)


class _Plan:
    def __init__(self, rows: Rows, team: Team) -> None:
        self._rows = rows
        self._team = team
        self.remote = np.empty(0, np.intp)

    def mix(self, x: NDArray, out: NDArray) -> None:
        multiply([(self._rows, x)], out, self._team)

    def receive(self, messages: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return messages[:0]

    def add(
        self, own: NDArray | SparseRows, remote: NDArray | SparseRows, onto: NDArray, then: Callable[[slice], None]
    ) -> None:
        multiply([(self._rows, own)], onto, self._team, onto=True, then=then)

    def free(self) -> None:
        pass
