"""How long a peer computes in a round."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import Options, at_least, option, positive, share
from dfedsam.random import RandomStream, generator


@dataclass(frozen=True, kw_only=True)
class Compute(Options, ABC):
    """A compute profile: seconds that each peer computes in a round.

    Attributes:
        needs_queries: whether they depend on how many queries a peer asks.
        buckets: token buckets of a peer, which fill while it does not ask.
    """

    needs_queries: ClassVar[bool] = False
    buckets: ClassVar[int] = 0

    @abstractmethod
    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds of every peer in one round, in which each asks so many queries (n,), shape (n,).

        The stream is that of the round, for all n peers: what is drawn depends on seed, round and peer alone.
        """

    def mean_seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of `seconds` over rounds, shape (n,)."""
        return self.seconds(stream, queries)

    def delays(
        self, peers: int, starts: NDArray[np.float64], queries: NDArray[np.float64], debts: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Seconds by which the buckets of some peers delay them, in addition to `seconds`, shape (k,).

        Args:
            peers: in the network.
            starts: when each of them starts to ask, in seconds, shape (k,).
            queries: how many each asks, shape (k,).
            debts: when each bucket would be full again, updated, shape (k, buckets); 0 before the first query.
        """
        return np.zeros(len(starts))

    def check(self, n: int) -> None:
        """Raise OptionError unless the profile fits a network of n peers."""


@dataclass(frozen=True, kw_only=True)
class Constant(Compute):
    """All peers take the same time in every round.

    Args:
        mean: seconds a round, at least 0.
    """

    mean: float = option(0.1, at_least, 0)

    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(stream.peers), float(self.mean))


@dataclass(frozen=True, kw_only=True)
class RandomTimes(Compute):
    """Times that are independent over peers and rounds, with a common mean.

    Args:
        mean: seconds a round on average, above 0.
    """

    mean: float = option(0.1, positive)

    def mean_seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(stream.peers), float(self.mean))


@dataclass(frozen=True, kw_only=True)
class Exponential(RandomTimes):
    """Exponentially distributed times, independent over peers and rounds: a barrier of n peers then takes H_n means."""

    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        return -self.mean * np.log1p(-_uniform(stream))


@dataclass(frozen=True, kw_only=True)
class LogNormal(RandomTimes):
    """Log-normally distributed times, independent over peers and rounds.

    Args:
        sigma: standard deviation of the logarithm, at least 0.
    """

    sigma: float = option(0.5, at_least, 0)

    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        normal = stream.normal((1,), np.float64)[:, 0]
        return self.mean * np.exp(self.sigma * normal - self.sigma**2 / 2)


@dataclass(frozen=True, kw_only=True)
class Pareto(RandomTimes):
    """Pareto distributed times, independent over peers and rounds: a heavy tail of stragglers.

    Args:
        alpha: exponent of the tail, above 1; below 2 the variance is infinite.
    """

    alpha: float = 2.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.alpha) and self.alpha > 1):
            raise OptionError("alpha", self.alpha, "must be finite and above 1, so that there is a mean", "2.5 is mild")

    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        least = self.mean * (self.alpha - 1) / self.alpha
        return least * (1 - _uniform(stream)) ** (-1 / self.alpha)


@dataclass(frozen=True, kw_only=True)
class TwoSpeeds(Compute):
    """A fixed share of slow peers, the same ones in all rounds.

    Args:
        mean: seconds a round of a peer that is not slow, above 0.
        slow: share of slow peers, in [0, 1]; which they are follows from the seed.
        factor: how many times longer they take, at least 1.
    """

    public_name = "two_point"

    mean: float = option(0.1, positive)
    slow: float = option(0.1, share, zero=True)
    factor: float = option(10.0, at_least, 1)

    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        n = len(stream.peers)
        times = np.full(n, float(self.mean))
        slow = generator(stream.seed, "slow peers").permutation(n)[: round(self.slow * n)]
        times[slow] *= self.factor
        return times


@dataclass(frozen=True, kw_only=True)
class PerPeer(Compute):
    """Each peer's own time, the same in all rounds.

    Args:
        file: one number of seconds per line, a line per peer, above 0.
    """

    file: Path | str

    def check(self, n: int) -> None:
        times = self._times()
        if len(times) != n:
            raise OptionError("file", self.file, f"must have a line for each of {n} peers, but it has {len(times)}")

    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._times()

    def _times(self) -> NDArray[np.float64]:
        times = read_numbers("file", self.file).ravel()
        if not (times > 0).all():
            raise OptionError("file", self.file, "must hold seconds above 0")
        return times


@dataclass(frozen=True, kw_only=True)
class PerQuery(Compute):
    """Time in proportion to the queries that a peer asks in the round.

    Args:
        seconds_per_query: above 0.
    """

    needs_queries = True

    seconds_per_query: float = option(0.01, positive)

    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.seconds_per_query * queries


@dataclass(frozen=True, kw_only=True)
class RateLimits(Compute):
    """Queries to an endpoint that limits how many it answers a minute, by token buckets of requests and of tokens.

    A bucket of b requests fills at r a second; a request takes one and waits until there is one. A peer asks one query
    after another. If it starts at t, and its bucket would be full again at F, then with f = max(t, F) the first query
    starts at a₁ = max(t, f + (1 − b)/r) and the last at the earliest at a_q = max(t, f + (q − b)/r), and it is done at
    max(a₁ + q s, a_q + s); F becomes f + q/r. Of several buckets the latest counts.

    Args:
        requests_per_minute: r · 60, above 0.
        burst: b, requests that a full bucket holds, at least 1.
        tokens_per_minute: how many tokens are answered a minute, above 0; None: any number.
        tokens_per_query: tokens of a query, above 0. The bucket of tokens holds as many seconds as that of requests.
        seconds_per_query: s, until an answer is there, at least 0.
        shared: whether all peers use one account, of which each gets an equal part; else each has its own.
    """

    needs_queries = True
    buckets = 2

    requests_per_minute: float = option(600.0, positive)
    burst: float = option(60.0, at_least, 1)
    tokens_per_minute: float | None = option(None, positive)
    tokens_per_query: float = option(500.0, positive)
    seconds_per_query: float = option(0.01, at_least, 0)
    shared: bool = False

    def seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.seconds_per_query * queries

    def mean_seconds(self, stream: RandomStream, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        return queries * np.maximum(self.seconds_per_query, self._intervals(len(queries)).max())

    def delays(
        self, peers: int, starts: NDArray[np.float64], queries: NDArray[np.float64], debts: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        every, start, counts = self._intervals(peers), starts[:, None], queries[:, None]
        full = np.maximum(start, debts)
        held = np.maximum((self.burst / peers if self.shared else self.burst) * every[0], every)  # seconds, if full
        first, last = (np.maximum(start, full + number * every - held) for number in (1, counts))
        done = np.maximum(first + counts * self.seconds_per_query, last + self.seconds_per_query).max(axis=1)
        debts[:] = np.where(counts > 0, full + counts * every, debts)
        return np.where(queries > 0, done - starts - self.seconds_per_query * queries, 0)

    def _intervals(self, peers: int) -> NDArray[np.float64]:
        """Seconds in which each bucket of a peer gains a query, shape (2,)."""
        tokens = 0.0 if self.tokens_per_minute is None else 60 * self.tokens_per_query / self.tokens_per_minute
        return (peers if self.shared else 1) * np.array([60 / self.requests_per_minute, tokens])


def read_numbers(option: str, path: Path | str) -> NDArray[np.float64]:
    """A CSV file of numbers, shape (rows, columns). Raises OptionError if it cannot be read or holds anything else."""
    try:
        return np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
    except OSError as error:
        reason = error.strerror or "there is no such file"  # numpy's own error has no strerror
        raise OptionError(option, path, f"must be readable, but: {reason}", "fix the path") from None
    except ValueError as error:
        raise OptionError(option, path, f"must hold numbers separated by commas, but: {error}") from None


def _uniform(stream: RandomStream) -> NDArray[np.float64]:
    return stream.uniform((1,))[:, 0]
