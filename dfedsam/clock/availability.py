"""When peers are present: traces of intervals, and a synthetic model of a day."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfedsam.clock.compute import read_numbers
from dfedsam.clock.links import Microseconds
from dfedsam.errors import OptionError
from dfedsam.options import Options, between, option, share, whole_number
from dfedsam.random import generator

BLOCK = 1 << 44
"""Microseconds, above the span of a period or round: the times of peer i are numbered from i · BLOCK."""
NEVER = BLOCK >> 1
"""When a peer that has left for good comes back: after 100 days, later than any run ends."""
_LONGEST = 8e6  # seconds of a period


class Presence:
    """Intervals in which peers are present, each with its start and without its end.

    Args:
        n: peers; those without an interval are always present.
        intervals: (peer, start, end) in seconds, shape (k, 3); they may overlap, and be empty.
        period: seconds after which all repeat; None: they do not.
    """

    def __init__(self, n: int, intervals: NDArray[np.float64], period: float | None) -> None:
        self._repeats = period is not None
        self._period = NEVER if period is None else max(1, round(1e6 * period))
        always = np.setdiff1d(np.arange(n), intervals[:, 0].astype(np.int64))
        peers = np.concatenate([intervals[:, 0].astype(np.int64), always])
        ends = (np.minimum(1e6 * intervals[:, column], self._period).round().astype(np.int64) for column in (1, 2))
        start, end = (
            np.append(time, np.full_like(always, most)) for time, most in zip(ends, (0, self._period), strict=True)
        )
        some = start < end
        self._starts, self._ends = _merged(*(peers[some] * BLOCK + time[some] for time in (start, end)))
        self._first = np.full(n, NEVER)  # of each peer's intervals
        who = self._starts // BLOCK
        self._first[who[::-1]] = self._starts[::-1] % BLOCK

    def at(self, peers: NDArray[np.intp], times: Microseconds) -> NDArray[np.bool_]:
        """Whether each of some peers is present at its time, in microseconds."""
        return self.next(peers, times) == times

    def next(self, peers: NDArray[np.intp], times: Microseconds) -> Microseconds:
        """When each of some peers is next present: its time itself if it is; `NEVER` or later if it never is again."""
        cycle, place = np.divmod(times, self._period) if self._repeats else (0, np.minimum(times, self._period - 1))
        index = np.searchsorted(self._ends, peers * BLOCK + place, side="right")  # the first interval that ends later
        start = self._starts[np.minimum(index, len(self._starts) - 1)]
        same = (index < len(self._starts)) & (start // BLOCK == peers)
        wait = np.maximum(start % BLOCK - place, 0)
        back = (cycle + 1) * self._period + self._first[peers] if self._repeats else NEVER
        back = np.maximum(np.where(self._first[peers] == NEVER, NEVER, back), times + 1)
        return np.where(same, times + wait, back)

    def deserted(self) -> float | None:
        """The first second at which no peer is present; None: there is always one."""
        starts, ends = _merged(self._starts % BLOCK, self._ends % BLOCK)
        if starts[0] > 0:
            return 0.0
        return None if ends[0] >= self._period else float(ends[0] / 1e6)


@dataclass(frozen=True, kw_only=True)
class Availability(Options, ABC):
    """When peers are present. One that leaves finishes its computation; one that joins starts from a neighbour's x."""

    @abstractmethod
    def presence(self, n: int, seed: int) -> Presence:
        """The intervals of n peers."""

    def check(self, n: int) -> None:
        """Raise OptionError unless it fits a network of n peers and always keeps a peer present."""


@dataclass(frozen=True, kw_only=True)
class Trace(Availability):
    """Intervals from a file.

    Args:
        file: CSV of lines "peer, start, end" with seconds; the end may be inf. Peers that it does not name are always
            present.
        period: seconds after which the intervals repeat, above 0; None: they do not, and who left last stays away.
    """

    file: Path | str
    period: float | None = option(None, between, 1e-6, _LONGEST)

    def presence(self, n: int, seed: int) -> Presence:
        return Presence(n, read_numbers("file", self.file), self.period)

    def check(self, n: int) -> None:
        lines, end = read_numbers("file", self.file), np.inf if self.period is None else self.period
        if lines.shape[1] != 3:
            raise OptionError("file", self.file, f"must have lines of peer, start, end, not {lines.shape[1]} columns")
        for number, (peer, start, stop) in enumerate(lines.tolist(), 1):
            if peer not in range(n):
                raise OptionError(
                    "file", self.file, f"must name peers from 0 to {n - 1}, not {peer:g} in line {number}"
                )
            if not 0 <= start < stop <= end:
                rule = f"must have 0 ≤ start < end ≤ {end:g} in every line, not {start:g} and {stop:g} in line {number}"
                raise OptionError("file", self.file, rule)
        if (since := self.presence(n, 0).deserted()) is not None:
            rule = f"must keep at least one peer present, but all are absent from second {since:g}"
            raise OptionError("file", self.file, rule, "let another peer stay, or set a period after which it repeats")


@dataclass(frozen=True, kw_only=True)
class Daily(Availability):
    """A daily rhythm: the share of peers present follows a sine, and each peer has a phase of its own.

    At time t a share low + (high − low)(1 + sin(2πt/T))/2 of the peers is present, at least one: those with the highest
    scores sin(2πt/T + φ_i) + β_i, φ_i uniform and β_i ~ Beta(2, 5) − 2/7. Source: dasklearn, the simulator of
    sacs-epfl (2025), `churn_manager.py`.

    Args:
        low: smallest share of peers present, in [0, 1].
        high: largest share, in [low, 1].
        period: T, seconds, above 0.
        moments: number of times in a period at which it is decided which peers are present, at least 1.
    """

    public_name = "synthetic"

    low: float = option(0.1, share, zero=True)
    high: float = 0.8
    period: float = option(3600.0, between, 1e-6, _LONGEST)
    moments: int = option(360, whole_number, 1, most=1_000_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        between("high", self.high, self.low, 1)

    def presence(self, n: int, seed: int) -> Presence:
        rng = generator(seed, "availability")
        phases, biases = rng.uniform(0, 2 * np.pi, n), rng.beta(2, 5, n) - 2 / 7
        intervals = []
        for moment in range(self.moments):
            angle = 2 * np.pi * moment / self.moments
            count = max(1, round(n * (self.low + (self.high - self.low) * (1 + np.sin(angle)) / 2)))
            there = np.argsort(-(np.sin(angle + phases) + biases), kind="stable")[:count]
            intervals.append(np.stack([there, np.full(count, moment), np.full(count, moment + 1)], axis=1))
        intervals.append(np.stack([np.arange(n), *np.zeros((2, n), int)], axis=1))  # some may never be present
        scale = self.period / self.moments
        return Presence(n, np.concatenate(intervals) * [1, scale, scale], self.period)


def _merged(starts: Microseconds, ends: Microseconds) -> tuple[Microseconds, Microseconds]:
    """Disjoint intervals that cover the same times, in their order."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    new = np.concatenate([[True], starts[1:] > ends[:-1]])
    return starts[new], ends[np.append(np.flatnonzero(new)[1:] - 1, len(ends) - 1)]
