"""The time of synchronous rounds: each peer computes, and then waits for messages in every gossip step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.clock.compute import Compute, Constant
from dfedsam.clock.links import Edges, Links, UniformLinks
from dfedsam.random import RandomStream
from dfedsam.validation import one_of

Wait = Literal["neighbourhood", "barrier"]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What simulated time is made of.

    Args:
        compute: how long peers compute.
        links: how long messages travel.
        wait: whom a peer waits for in a gossip step: "neighbourhood", for its own neighbours, as MPI's neighbour
            exchange does; "barrier", for all peers.
    """

    compute: Compute = Constant()
    links: Links = UniformLinks()
    wait: Wait = "neighbourhood"

    def __post_init__(self) -> None:
        one_of("wait", self.wait, get_args(Wait))

    def check(self, n: int) -> None:
        """Raise OptionError unless the profiles fit a network of n peers."""
        self.compute.check(n)
        self.links.check(n)


class SynchronousTime:
    """Simulated time of a run, advanced round by round.

    t_i ← max over j in N(i) and i of (t_j + d(j, i)) in each gossip step, after t_i ← t_i + c_i for the computation:
    the recursion of Marfoq et al. (2020), equation 4, with random computation times.

    Args:
        clock: the profiles.
        n: peers.
        seed: the run's seed.

    Attributes:
        now: when each peer is ready for the next round, in seconds, shape (n,).
        waited: seconds that each has waited so far for others' messages, shape (n,).
    """

    def __init__(self, clock: Clock, n: int, seed: int) -> None:
        clock.check(n)
        self.clock, self.seed = clock, seed
        self.now = np.zeros(n)
        self.waited = np.zeros(n)
        self._weights: csr_array | None = None

    def advance(self, round: int, weights: csr_array, *, steps: int, size: float, queries: NDArray[np.float64]) -> None:
        """Let one round pass.

        Args:
            round: 0-based.
            weights: W_t; its off-diagonal entries are the edges.
            steps: Q, gossip steps of the round; 0 for a round without communication.
            size: bytes of one message.
            queries: how many each peer asks in the round, shape (n,).
        """
        stream = RandomStream(self.seed, "compute time", round, 0, range(len(self.now)))
        ready = self.now + self.clock.compute.seconds(stream, queries)
        edges = self._edges_of(weights)
        delays = self.clock.links.seconds(edges, size) if steps else np.zeros(0)
        for _ in range(steps):
            arrived = self._step(edges, ready, delays)
            self.waited += arrived - ready
            ready = arrived
        self.now = ready

    @property
    def metrics(self) -> dict[str, float]:
        """Seconds since the start, and the share of them spent waiting.

        `time` is that of the slowest peer and `time_mean` the mean over peers; `idle` is the mean share of waiting.
        """
        total = float(self.now.mean())
        idle = float(self.waited.mean()) / total if total else 0.0
        return {"time": float(self.now.max()), "time_mean": total, "idle": idle}

    def _step(self, edges: Edges, ready: NDArray[np.float64], delays: NDArray[np.float64]) -> NDArray[np.float64]:
        """When each peer has all messages of a gossip step that starts at `ready`, shape (n,)."""
        if not len(delays):
            return ready
        arrivals = ready[edges.senders] + delays
        if self.clock.wait == "barrier":
            return np.full_like(ready, max(arrivals.max(), ready.max()))
        latest = ready.copy()
        heads, starts = self._heads
        latest[heads] = np.maximum(latest[heads], np.maximum.reduceat(arrivals, starts))
        return latest

    def _edges_of(self, weights: csr_array) -> Edges:
        """The edges of W, sorted by receiver; kept as long as W is the same object."""
        if self._weights is not weights:
            rows = np.repeat(np.arange(len(weights.indptr) - 1), np.diff(weights.indptr))
            sent = (weights.indices != rows) & (weights.data != 0)
            self._weights = weights
            self._edges = Edges(len(weights.indptr) - 1, weights.indices[sent].astype(np.intp), rows[sent])
            self._heads = np.unique(self._edges.receivers, return_index=True)
        return self._edges
