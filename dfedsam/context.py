"""What a block of peers can do in one round: query its own minibatches, and gossip along the edges. Nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfedsam.errors import RunError
from dfedsam.gossip.channel import Channel, LocalUpdate
from dfedsam.objectives.base import Problem
from dfedsam.random import RandomStream

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.communication.base import Communicator


@dataclass
class QueryCounter:
    """What a block's peers have spent so far: `queries` and `gradients` are counts a peer, shape (peers,)."""

    queries: NDArray[np.int64]
    gradients: NDArray[np.int64]

    @classmethod
    def zero(cls, peers: int) -> QueryCounter:
        return cls(np.zeros(peers, np.int64), np.zeros(peers, np.int64))


@dataclass(frozen=True)
class Oracle:
    """One local step's minibatches of a block of peers: what may be asked of them, and the step's random numbers.

    Args:
        problem: the objective with the block's data.
        batch: what `problem.minibatch` gave, shape (p, …).
        rows: which rows of the block these p peers are.
        key: the step's random numbers (seed, round, step) for these peers; purposes are added to it.
        meter: counts every query, a row a peer of the block.
        cosines: where it is a list, estimators add (rows, cosines of these peers' estimates with the exact gradients).
        slopes: where it is a list, estimates Σ_q slopes_q u_q along random directions add their slopes (p, q).
        memory: what the estimator keeps, by name, a row a peer; it updates them in place.
    """

    problem: Problem
    batch: NDArray
    rows: slice
    key: RandomStream
    meter: QueryCounter
    cosines: list[tuple[slice, NDArray]] | None = None
    slopes: list[NDArray] | None = None
    memory: dict[str, NDArray] = field(default_factory=dict)

    def losses(self, candidates: NDArray) -> NDArray:
        """Query each peer's minibatch: candidates (p, q, dim) to losses (p, q). Each candidate is one query, or as
        many as the problem says.

        Raises:
            RunError: if a loss is not finite.
        """
        with np.errstate(all="ignore"):
            losses = self.problem.losses(candidates, self.batch, self.rows)
        self.meter.queries[self.rows] += candidates.shape[1] * self.problem.queries_a_loss
        self._finite(np.isfinite(losses).all(axis=1), "loss")
        return losses

    def scores(self, candidates: NDArray) -> NDArray:
        """Query as `losses` does, and keep all class scores: candidates (p, q, dim) to scores (p, q, problem.scored).

        Raises:
            RunError: if a score is not finite.
        """
        with np.errstate(all="ignore"):
            scores = self.problem.scores(candidates, self.batch, self.rows)
        self.meter.queries[self.rows] += candidates.shape[1]
        self._finite(np.isfinite(scores).all(axis=(1, 2)), "score")
        return scores

    def gradients(self, x: NDArray) -> NDArray:
        """Exact gradients (p, dim) at x (p, dim): a white box, for reference runs. Counted apart from queries.

        Raises:
            ValueError: if the objective has none.
            RunError: if one is not finite.
        """
        with np.errstate(all="ignore"):
            gradients = self.problem.gradients(x, self.batch, self.rows)
            self.meter.gradients[self.rows] += 1
            self._finite(np.isfinite(np.einsum("pd->p", gradients)), "gradient")
        return gradients

    def _finite(self, fine: ArrayLike, what: str) -> None:
        failed = np.flatnonzero(~np.asarray(fine))
        if failed.size:
            peers = [self.key.peers[i] for i in failed]
            named = ", ".join(map(str, peers[:8])) + (f" and {len(peers) - 8} more" if len(peers) > 8 else "")
            raise RunError(
                f"round {self.key.round}, local step {self.key.step}: the {what} of peer {named} is not finite; "
                "a lower lr or sigma, or a larger mu where differences of losses overflow, usually helps"
            )

    def draws(self, purpose: str) -> RandomStream:
        """Random numbers of this step for `purpose`, a row a peer."""
        return replace(self.key, purpose=purpose)


@dataclass
class RoundContext:
    """One round of one block, as an algorithm sees it.

    Args:
        round: 0-based round t.
        problem: the objective with the block's data.
        key: the round's random numbers for the block.
        meter: counts queries.
        communicator: carries rows between peers; only gossip touches it.
        weights: the mixing matrix W_t.
        watch: called with x just before it is mixed.
        rows: which rows of the block are played: all, or a part.
        cosines: see Oracle.
        active: which of the block's peers are there in this round, shape (peers,); None: all.
        trace: where it is there, local steps write down what they were made of.
    """

    round: int
    problem: Problem
    key: RandomStream
    meter: QueryCounter
    communicator: Communicator
    weights: csr_array
    watch: Callable[[NDArray], None]
    rows: slice
    cosines: list[tuple[slice, NDArray]] | None = None
    active: NDArray[np.bool_] | None = None
    trace: LocalUpdate | None = None
    _phases: int = 0

    def parts(self, queries: int, row_bytes: int) -> Iterator[tuple[slice, RoundContext]]:
        """Cut the block into stretches of peers whose candidates fit into the cache: (their rows of x, their context).

        Peers that are away in this round belong to none.

        Args:
            queries: candidates a peer that are asked for at once; 0 for an exact gradient, which is one row too.
            row_bytes: size of one candidate.
        """
        size = max(1, self.problem.part_bytes // (max(1, queries) * row_bytes))
        for start, stop in _stretches(self.active, len(self.key.peers)):
            for low in range(start, stop, size):
                rows = slice(low, min(low + size, stop))
                yield rows, replace(self, key=self.key.part(rows), rows=rows)

    def oracle(self, step: int, memory: dict[str, NDArray] | None = None) -> Oracle:
        """Local step `step`: each peer draws a minibatch of its own data.

        Args:
            step: 0-based.
            memory: what the estimator keeps for the block, by name, a row a peer; None: nothing.
        """
        key = replace(self.key, step=step)
        batch = self.problem.minibatch(replace(key, purpose="minibatch"), self.rows)
        slopes = None if self.trace is None else []
        own = {name: array[self.rows] for name, array in (memory or {}).items()}
        return Oracle(self.problem, batch, self.rows, key, self.meter, self.cosines, slopes, own)

    def channel(self, x: NDArray, update: LocalUpdate | None = None) -> Channel:
        """Open the next gossip phase of this round: the recorder sees x before it is mixed.

        Args:
            x: what is about to be mixed, shape (peers, dim).
            update: what the local steps did, for a gossip that sends their coefficients.
        """
        self.watch(x)
        self._phases += 1
        return Channel(self.weights, self.communicator, replace(self.key, purpose=f"gossip {self._phases}"), update)


def _stretches(active: NDArray[np.bool_] | None, peers: int) -> list[tuple[int, int]]:
    """Where neighbouring peers that are there begin and end."""
    if active is None:
        return [(0, peers)]
    ends = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    return list(zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True))


@dataclass
class Server:
    """What a central server can do, for baselines only; `network` and `watch` as in RoundContext."""

    communicator: Communicator
    watch: Callable[[NDArray], None]

    def mean(self, x: NDArray, weights: NDArray | None = None) -> NDArray:
        """The mean of all peers' rows, shape (dim,): each peer sends one vector to the server and gets one back.

        Args:
            x: the block's rows, shape (peers, dim).
            weights: how much each counts for, above 0, shape (peers,), which it sends along; None: all the same.
        """
        self.watch(x)
        return self.communicator.server_mean(x, weights)

    def collect(self, rows: NDArray, reply: int) -> NDArray:
        """What all peers send, (peers, k) to (all peers, k); the server then answers each with `reply` numbers of the
        same type, which follow from it."""
        return self.communicator.server_rows(rows, reply * rows.itemsize)
