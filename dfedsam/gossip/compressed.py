"""What compressed gossips share: a peer sends the message of a row, and takes in what its neighbours' messages say."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import RunError
from dfedsam.gossip.base import Gossip
from dfedsam.gossip.compressors import Compressor, Sparse, TopK
from dfedsam.peers import format_peers
from dfedsam.sparse_rows import SparseRows
from dfedsam.topologies import cache_by_id
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.random import RandomStream

Memory = dict[str, NDArray]


@dataclass(frozen=True, kw_only=True)
class Compressed(Gossip):
    """Q steps, in each of which every peer sends one compressed row to its neighbours.

    What a peer must send grows without bound where the gossip diverges, and this is noticed.

    Args:
        compressor: what is sent in place of a row.
        steps: Q, gossip steps a round, at least 1.

    Attributes:
        bound: how many times what a peer sends may grow beyond what it sent at first.
    """

    bound: ClassVar[float] = 1e6

    compressor: Compressor = TopK()
    steps: int = 1

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 1, "LocalOnly is the algorithm without communication")

    def init(self, x: NDArray) -> Memory:
        """See Gossip.

        Raises:
            ValueError: if the compressor cannot take rows of this length.
        """
        self.compressor.check(x.shape[1])
        return {"first": np.zeros(len(x))}

    def __call__(self, x: NDArray, memory: Memory, channel: Channel) -> tuple[NDArray, Memory]:
        """See the class."""
        for step in range(self.steps):
            self.step(x, memory, channel.step(step))
        return x, memory

    @property
    def phase(self) -> str:
        """What an error calls it."""
        return f"gossip {type(self).__name__}"

    @abstractmethod
    def step(self, x: NDArray, memory: Memory, channel: Channel) -> None:
        """One gossip step of x (peers, dim) and the memory, in place; `channel.stream` is the step's."""

    @abstractmethod
    def blame(self, memory: Memory) -> str:
        """The option that may be to blame where it diverges, its value and what to do."""

    def exchange(
        self,
        take: Callable[[slice], NDArray],
        learns: NDArray,
        by: float,
        onto: NDArray,
        share: float,
        settle: Callable[[slice], None],
        memory: Memory,
        channel: Channel,
    ) -> None:
        """Send C(z) for rows z; both functions are called with some neighbouring rows at a time and in any thread.

        Args:
            take: gives some rows z (p, dim) of the block, as a new array or these rows of `learns`.
            learns: by · C(z) is added to it, (peers, dim).
            by: how much of it.
            onto: share · (W − I) C(z) is added to it, (peers, dim), once all of z has been taken.
            share: how much of it, such as γ.
            settle: is told which rows are there in `onto`.
            memory: the gossip's.
            channel: of the step.

        Raises:
            RunError: if what a peer must send is not finite, or has grown beyond bound.
        """
        communicator, weights, key = channel.communicator, channel.weights, channel.stream
        (count, dim), dtype, compressor = onto.shape, onto.dtype, self.compressor
        messages = communicator.scratch("messages", (count, compressor.width(dim, dtype)), np.uint8)
        if isinstance(compressor, Sparse) and compressor.few(dim):
            shape = count, compressor.count(dim)
            own = SparseRows(
                communicator.scratch("places", shape, np.intp), communicator.scratch("values", shape, dtype)
            )

            def send(z: NDArray, part: RandomStream, rows: slice) -> None:
                entries = compressor.pick(z, part)
                messages[rows] = compressor.join(entries, dim)
                own.places[rows], own.values[rows] = entries
                entries.add_to(learns[rows], by)

            def decode(some: NDArray[np.uint8]) -> NDArray | SparseRows:
                return compressor.split(some, dim, dtype, key)
        else:
            own = communicator.scratch("own", onto.shape, dtype)

            def send(z: NDArray, part: RandomStream, rows: slice) -> None:
                compressor.write(z, part, messages[rows], own[rows])
                learns[rows] += own[rows] if by == 1 else dtype.type(by) * own[rows]

            def decode(some: NDArray[np.uint8]) -> NDArray | SparseRows:
                return compressor.decode(some, dim, dtype, key)

        def work(rows: slice) -> None:
            z, part = take(rows), key.part(rows)
            self._watch(z, memory, rows, part)
            send(z, part, rows)

        communicator.team.in_stretches(work, count, dim * onto.itemsize)
        communicator.add_encoded(_towards(weights, share), messages, own, decode, onto, settle)

    def _watch(self, z: NDArray, memory: Memory, rows: slice, key: RandomStream) -> None:
        squares, first = np.matmul(z[:, None], z[:, :, None])[:, 0, 0], memory["first"][rows]
        np.copyto(first, squares, where=first == 0)
        fine = squares <= self.bound**2 * first
        if not (fine.all() and np.isfinite(squares).all()):
            worst = np.asarray(key.peers)[~(fine & np.isfinite(squares))]
            raise RunError(
                f"round {key.round}, {self.phase}: what {format_peers(worst)} must send has grown beyond bound, "
                f"so the peers move apart; {self.blame(memory)}"
            )


@cache_by_id
def _towards(W: csr_array, share: float) -> csr_array:
    """share · (W − I), by which peers come nearer to their neighbours; off the diagonal it has W's entries."""
    from dfedsam.topologies.tidy import diagonal

    return type(W)(share * (W - diagonal(np.ones(len(W.indptr) - 1))))
