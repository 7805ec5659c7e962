"""The capabilities of a block of peers in a round: query its own minibatches, and gossip along the edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import RunError
from dfedsam.gossip.channel import Channel, LocalUpdate
from dfedsam.peers import format_peers
from dfedsam.random import RandomStream
from dfedsam.state import changed

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.adversary import Attackers
    from dfedsam.clock import AsynchronousTime
    from dfedsam.communication.base import Communicator
    from dfedsam.objectives.base import Problem, Rows
    from dfedsam.privacy import MessagePrivacy, Privacy, ScalarPrivacy


@dataclass
class QueryCounter:
    """Counts of a block's peers so far: `queries` and `gradients`, each of shape (peers,)."""

    queries: NDArray[np.int64]
    gradients: NDArray[np.int64]

    @classmethod
    def zero(cls, peers: int) -> QueryCounter:
        """All counts zero."""
        return cls(np.zeros(peers, np.int64), np.zeros(peers, np.int64))


@dataclass
class Oracle:
    """Answers queries of p peers, each on its own minibatch, in one local step.

    Args:
        problem: the objective with the block's data.
        batch: the minibatches returned by `problem.minibatch`, shape (p, …).
        rows: the rows of these p peers in the block.
        stream: the random numbers of this round, step and peers; `random` names their purpose.
        counter: counts every query of the block's peers.
        cosines: the recorder's list: estimators append (rows, cosines with the exact gradients); None: not recorded.
        privacy: the mechanism that adds noise to differences of losses; None: none does.
    """

    problem: Problem
    batch: NDArray
    rows: Rows
    stream: RandomStream
    counter: QueryCounter
    cosines: list[tuple[Rows, NDArray]] | None = None
    privacy: ScalarPrivacy | None = None
    _releases: list[int] = field(default_factory=lambda: [0])

    def slopes(self, candidates: NDArray, ahead: slice, behind: slice, step: float) -> NDArray:
        """Differences of losses over their distance, (p, q), with the privacy mechanism's clipping and noise, if any.

        Args:
            candidates: shape (p, c, dim). Each counts as `problem.queries_per_loss` queries.
            ahead: which candidates' losses come first, q of them.
            behind: which are subtracted, q or 1.
            step: the distance between both.
        """
        if self.privacy is None:
            losses = self.losses(candidates)
            return (losses[:, ahead] - losses[:, behind]) / step
        with np.errstate(all="ignore"):
            losses = self.problem.example_losses(candidates, self.batch, self.rows)
        self.counter.queries[self.rows] += candidates.shape[1] * self.problem.queries_per_loss
        self._releases[0] += 1
        noise = self.random(f"privacy {self._releases[0]}")
        slopes = (losses[:, ahead] - losses[:, behind]) / step
        return self.privacy.release(slopes, self.batch, self.problem, self.rows, noise)

    def losses(self, candidates: NDArray, *, finite: bool = True) -> NDArray:
        """Query the losses of candidates (p, q, dim) on each peer's minibatch, (p, q).

        Each candidate counts as `problem.queries_per_loss` queries. Losses that are not finite raise RunError, or,
        unless `finite`, become infinite.
        """
        with np.errstate(all="ignore"):
            losses = self.problem.losses(candidates, self.batch, self.rows)
        self.counter.queries[self.rows] += candidates.shape[1] * self.problem.queries_per_loss
        if not finite:
            return np.where(np.isfinite(losses), losses, np.inf)
        self._require_finite(np.isfinite(losses).all(axis=1), "loss")
        return losses

    def scores(self, candidates: NDArray) -> NDArray:
        """Query class scores: candidates (p, q, dim) to the scores of all examples, shape (p, q, problem.num_scores).

        Raises:
            RunError: if a score is not finite.
        """
        with np.errstate(all="ignore"):
            scores = self.problem.scores(candidates, self.batch, self.rows)
        self.counter.queries[self.rows] += candidates.shape[1]
        self._require_finite(np.isfinite(scores).all(axis=(1, 2)), "score")
        return scores

    def gradients(self, x: NDArray) -> NDArray:
        """Exact gradients (p, dim) at x (p, dim), for reference runs on a white box; they do not count as queries.

        Raises:
            ValueError: if the objective gives no gradients.
            RunError: if a gradient is not finite.
        """
        with np.errstate(all="ignore"):
            gradients = self.problem.gradients(x, self.batch, self.rows)
            self.counter.gradients[self.rows] += 1
            if not math.isfinite(np.vdot(gradients, gradients)):  # faster than row by row
                self._require_finite(np.isfinite(np.einsum("pd->p", gradients)), "gradient")
        return gradients

    def of(self, some: NDArray[np.intp]) -> Oracle:
        """The oracle of some of its peers, named by their rising places among them."""
        rows = np.arange(len(self.counter.queries))[self.rows][some]
        stream = changed(self.stream, peers=np.asarray(self.stream.peers)[some])
        return changed(self, batch=self.batch[some], rows=rows, stream=stream)

    def random(self, purpose: str) -> RandomStream:
        """The random numbers of this step for one purpose, a row for each of the p peers."""
        return changed(self.stream, purpose=purpose)

    def _require_finite(self, finite: np.bool_ | NDArray[np.bool_], what: str) -> None:
        if not finite.all():
            raise RunError(
                f"the {what} is not finite; a lower lr or sigma, or a larger mu where differences of losses overflow, "
                "usually helps",
                phase=f"local step {self.stream.step}",
                round=self.stream.round,
                peers=format_peers(np.asarray(self.stream.peers)[~finite]),
            )


@dataclass
class RoundContext:
    """One round of one block, as an algorithm sees it.

    Args:
        round: 0-based round t.
        problem: the objective with the block's data.
        stream: the round's random numbers for the block.
        counter: counts queries.
        communicator: carries rows between peers; only gossip uses it.
        weights: the mixing matrix W_t.
        before_gossip: the recorder's function, called with x just before it is mixed.
        rows: the rows of the block that this context covers: all, or a chunk.
        cosines: see Oracle.
        participants: mask of the block's participants in this round, shape (peers,); None: all.
        events: the wakings of an asynchronous algorithm; None for all others.
        first_step: number of this context's first local step.
        server: the central server of a baseline; None for every decentralised algorithm.
        attackers: who forges messages; None: nobody.
        privacy: the mechanism that adds noise; None: none does.
        start: x at the start of the round, for such a mechanism, shape (peers, dim).
    """

    round: int
    problem: Problem
    stream: RandomStream
    counter: QueryCounter
    communicator: Communicator
    weights: csr_array
    before_gossip: Callable[[NDArray], None]
    rows: Rows
    cosines: list[tuple[Rows, NDArray]] | None = None
    participants: NDArray[np.bool_] | None = None
    server: Server | None = None
    attackers: Attackers | None = None
    privacy: Privacy | None = None
    start: NDArray | None = None
    events: AsynchronousTime | None = None
    first_step: int = 0
    _phases: int = 0

    def chunks(self, queries: int, row_bytes: int) -> Iterator[tuple[slice, RoundContext]]:
        """Yield (rows of x, their context) for chunks of the block's participants whose candidates fit into the cache.

        Args:
            queries: candidates of a peer that are queried at once; 0 for an exact gradient, which also takes one row.
            row_bytes: size of one candidate.
        """
        size = max(1, self.problem.chunk_bytes // (max(1, queries) * row_bytes))
        peers = len(self.stream.peers)
        if self.participants is None and size >= peers:
            yield slice(0, peers), self
            return
        for start, stop in _segments(self.participants, peers):
            for low in range(start, stop, size):
                rows = slice(low, min(low + size, stop))
                yield rows, changed(self, stream=self.stream.part(rows), rows=rows)

    def chunks_of(
        self, rows: NDArray[np.intp], first_step: int, queries: int, row_bytes: int
    ) -> Iterator[tuple[slice | NDArray[np.intp], slice, RoundContext]]:
        """As `chunks`, for some rows: yield (these rows of x, their places in `rows`, their context).

        Args:
            rows: rising, shape (k,).
            first_step: number of their first local step, which sets their random numbers apart from others'.
            queries: as for `chunks`.
            row_bytes: as for `chunks`.
        """
        size, peers = max(1, self.problem.chunk_bytes // (max(1, queries) * row_bytes)), np.asarray(self.stream.peers)
        for low in range(0, len(rows), size):
            places = slice(low, min(low + size, len(rows)))
            some = rows[places]
            joined = some[-1] - some[0] + 1 == len(some)
            where = slice(int(some[0]), int(some[-1]) + 1) if joined else some
            stream = changed(self.stream, peers=self.stream.peers[where] if joined else peers[some])
            yield where, places, changed(self, stream=stream, rows=where, first_step=first_step)

    def oracle(self, step: int) -> Oracle:
        """The oracle of local step `step` (0-based), in which each peer draws a minibatch of its own data."""
        stream, private = changed(self.stream, step=self.first_step + step, purpose="minibatch"), self.privacy
        if private is None or private.releases != "scalars":
            batch = self.problem.minibatch(stream, self.rows)
            return Oracle(self.problem, batch, self.rows, stream, self.counter, self.cosines)
        private = cast("ScalarPrivacy", private)
        batch = private.minibatch(self.problem, stream, self.rows)
        return Oracle(self.problem, batch, self.rows, stream, self.counter, self.cosines, private)

    def channel(self, x: NDArray | None = None, update: LocalUpdate | None = None) -> Channel:
        """Open the round's next gossip phase.

        Args:
            x: the peers' models (peers, dim) if these are mixed, for the recorder, and for noise, which is added in
            place;
                None for any other vector, such as a tracked gradient.
            update: the local steps' update, for a gossip that sends coefficients.
        """
        self._phases += 1
        stream = changed(self.stream, purpose=f"gossip {self._phases}")
        noise = None
        if x is not None and self.privacy is not None and self.privacy.releases == "messages":
            drawn = changed(stream, purpose=f"privacy {self._phases}")
            start = cast("NDArray", self.start)  # kept if messages are noisy
            noise = cast("MessagePrivacy", self.privacy).protect(x, start, self.weights, self.communicator, drawn)
        if x is not None:
            self.before_gossip(x)
        return Channel(self.weights, self.communicator, stream, update, self.attackers, self._losses, noise)

    def _losses(self, rows: NDArray[np.intp], candidates: NDArray) -> NDArray:
        losses = np.empty(candidates.shape[:2], candidates.dtype)
        for _, places, part in self.chunks_of(rows, 0, candidates.shape[1], candidates[0, 0].nbytes):
            losses[places] = part.oracle(0).losses(candidates[places], finite=False)
        return losses


def _segments(participants: NDArray[np.bool_] | None, peers: int) -> list[tuple[int, int]]:
    """The start and end of each run of neighbouring participants."""
    if participants is None:
        return [(0, peers)]
    ends = np.flatnonzero(np.diff(participants.astype(np.int8), prepend=0, append=0))
    return list(zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True))


@dataclass
class Server:
    """A central server, for baselines only; its fields are those of RoundContext."""

    communicator: Communicator
    before_gossip: Callable[[NDArray], None]
    participants: NDArray[np.bool_] | None = None

    def mean(self, x: NDArray, weights: NDArray | None = None) -> NDArray:
        """The mean (dim,) of the participants' models (peers, dim): each sends the server a vector and gets one back.

        Weights (peers,), above 0, which peers also send, make it a weighted mean.
        """
        self.before_gossip(x)
        return self.communicator.server_mean(x, weights, self.participants)

    def collect(self, rows: NDArray, reply: int) -> NDArray:
        """Gather rows at the server, (peers, k) to (all peers, k); it replies to each peer with so many values."""
        return self.communicator.server_rows(rows, reply * rows.itemsize)
