"""Networks that fail now and then, as schedules around any other topology: links down, peers absent, slow links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import as_probabilities, between, share, whole_number
from dfedsam.topologies.graphs.helpers import checked_seed
from dfedsam.topologies.make import Spec
from dfedsam.topologies.schedule import common_period, of_pairs
from dfedsam.topologies.schedules.unreliable import Links, Unreliable, reliable
from dfedsam.topologies.topology import Topology

_P = "the usual is 0.1"
_PERIODS = "the usual is [1, 2, 4]"


def link_failures(n: int, topology: Spec = "ring", p: float = 0.1, seed: int = 0, memory: float = 0.0) -> Topology:
    """Each link is down with probability p in each round, independently of all others.

    Without memory it is independent of other rounds too; with it failures come in bursts of 1/((1 - memory)(1 - p))
    rounds on average: Gilbert's (1960) channel, with which a bad link loses everything.

    A link carries both directions; in a directed topology each direction is a link of its own, and W_t, whose rows no
    longer sum to one, is for push-sum (also where the whole W is doubly stochastic). Expected contraction over a fixed
    symmetric W = I - Σ w_e L_e, with q = 1 - p: λ_max(I - 2q L + q² L² + 2 q p Σ w_e² L_e - J).

    Args:
        n: number of peers.
        topology: whose links fail: a graph, a schedule, or another unreliable network.
        p: probability that a link is down, in [0, 1].
        seed: at least 0; also the inner topology's.
        memory: probability that a link stays as it is, in [0, 1); otherwise it is drawn anew.
    """
    p, memory = share("p", p, _P, zero=True), between("memory", memory, 0, 1, open_high=True)
    seed = checked_seed(seed)
    inner = reliable(topology, n, seed)
    if memory and inner.period != 1:
        raise OptionError(
            "memory", memory, "must be 0 for links that change from round to round", "take a static graph"
        )
    return LinkFailures(inner, p, seed, memory)


def peer_dropout(
    n: int,
    topology: Spec = "ring",
    p: float | None = None,
    absences: Sequence[Sequence[int]] | None = None,
    seed: int = 0,
    memory: float = 0.0,
) -> Topology:
    """Each peer is absent with probability p in each round, or in stated rounds: it does no work, its links are down.

    `participants(t)` is the mask of participants; a run spends no queries on the others. A peer that a Poisson clock
    wakes r times a round on average is absent with p = exp(-r). Directed topologies are as in
    `link_failures`. Expected contraction over a fixed symmetric W, as there, with q = 1 - p: λ_max(I - 2q² L + q³ L² +
    2 (q² - q³) Σ w_e² L_e - J).

    Args:
        n: number of peers.
        topology: how the peers are joined: a graph, a schedule, or another unreliable network.
        p: probability that a peer is absent, in [0, 1]; None takes 0.1, or 0 where `absences` is given.
        absences: stated absences [peer, first round, last round], both ends included, rounds counted from 0.
        seed: at least 0; also the inner topology's.
        memory: probability that a peer stays absent or present, in [0, 1); otherwise it is drawn anew. Absences last
            1/((1 - memory)(1 - p)) rounds on average.
    """
    p = share("p", (0.1 if absences is None else 0.0) if p is None else p, _P, zero=True)
    memory = between("memory", memory, 0, 1, open_high=True)
    seed = checked_seed(seed)
    inner = reliable(topology, n, seed)
    return PeerDropout(inner, p, None if absences is None else _absences(absences, inner.n), seed, memory)


def latency(
    n: int,
    topology: Spec = "ring",
    periods: Sequence[int] = (1, 2, 4),
    shares: Sequence[float] | None = None,
    seed: int = 0,
) -> Topology:
    """Links of several speeds: a link with period c carries messages in every c-th round only.

    It stands for peers that gossip in step and do not wait: a link whose messages take up to c rounds' time is used
    once in that time. What it then carries is fresh; values that arrive late are not part of this model. The class of a
    link and its first round are drawn once, for the two peers it joins (in a directed topology for each direction), so
    that slow links do not all carry in the same round. Directed topologies are as in `link_failures`.

    Args:
        n: number of peers.
        topology: whose links are slow: a graph, a schedule, or another unreliable network.
        periods: rounds between two uses of a link, for each class, at least 1.
        shares: share of the links in each class, in [0, 1], together 1; None makes all classes equally large.
        seed: at least 0; also the inner topology's.
    """
    every = _classes(periods)
    fractions = as_probabilities("shares", shares, len(every), "class")
    seed = checked_seed(seed)
    return Latency(reliable(topology, n, seed), every, fractions, seed)


class LinkFailures(Unreliable):
    """Links that are down at random; made by `link_failures`."""

    kind = "LinkFailures"

    def __init__(self, inner: Topology, p: float, seed: int, memory: float = 0.0) -> None:
        super().__init__(inner, seed, memory)
        self.p = p

    def dropped(self, t: int, links: Links) -> NDArray[np.bool_]:
        return self.events.happen(t, len(links.i), self.p)

    def contraction(self) -> float | None:
        return self._contraction(1 - self.p, (1 - self.p) ** 2)


class PeerDropout(Unreliable):
    """Peers that are absent at random or in stated rounds; made by `peer_dropout`."""

    kind = "PeersAway"

    def __init__(
        self, inner: Topology, p: float, absences: NDArray[np.int64] | None, seed: int, memory: float = 0.0
    ) -> None:
        super().__init__(inner, seed, memory)
        self.p, self._absences = p, absences

    def absent(self, t: int) -> NDArray[np.bool_]:
        """Mask of absent peers in round t, shape (n,), without those of the inner topology."""
        absent = self.events.happen(t, self.n, self.p)
        if self._absences is not None:
            peer, first, last = self._absences.T
            absent[peer[(first <= t) & (t <= last)]] = True
        return absent

    def dropped(self, t: int, links: Links) -> NDArray[np.bool_]:
        absent = self.absent(t)
        return absent[links.i] | absent[links.j]

    def participants(self, t: int) -> NDArray[np.bool_] | None:
        """Mask of peers that are absent neither here nor in the inner topology; None: all participate."""
        inner, absent = self._inner.participants(t), self.absent(t)
        if not absent.any():
            return inner
        return ~absent if inner is None else inner & ~absent

    def contraction(self) -> float | None:
        q = 1 - self.p
        return self._contraction(q**2, q**3) if self._absences is None else None


class Latency(Unreliable):
    """Links of several speeds; made by `latency`."""

    kind = "Latency"

    def __init__(self, inner: Topology, every: Sequence[int], shares: Sequence[float], seed: int) -> None:
        super().__init__(inner, seed)
        self._every = np.array(every)
        self._ends = np.cumsum(shares)[:-1]
        self.period = common_period([inner.period, *every])

    def dropped(self, t: int, links: Links) -> NDArray[np.bool_]:
        drawn = of_pairs(self._seed, self.purpose, links.i, links.j)
        every = self._every[np.searchsorted(self._ends, drawn, side="right")]
        first = (of_pairs(self._seed, self.purpose + " first", links.i, links.j) * every).astype(np.int64)
        return t % every != first


def _classes(periods: Any) -> list[int]:
    """Check the periods of the classes of links, and give them as a list."""
    if not isinstance(periods, Sequence) or isinstance(periods, str) or not periods:
        raise OptionError("periods", periods, "must name at least one class", _PERIODS)
    return [whole_number("periods", c, 1, _PERIODS) for c in periods]


def _absences(absences: Any, n: int) -> NDArray[np.int64]:
    """Check stated absences, and give them as an array of shape (k, 3)."""
    form = "give a list of [peer, first round, last round]"
    if not isinstance(absences, Sequence) or isinstance(absences, str) or not absences:
        raise OptionError("absences", absences, "must state at least one absence", form)
    stated: list[tuple[int, int, int]] = []
    for entry in absences:
        if not isinstance(entry, Sequence) or isinstance(entry, str) or len(entry) != 3:
            raise OptionError("absences", entry, "must be three whole numbers for each absence", form)
        peer, first, last = (whole_number("absences", number, 0, form) for number in entry)
        if peer >= n:
            raise OptionError("absences", list(entry), f"must be of a peer from 0 to {n - 1}", form)
        if last < first:
            raise OptionError("absences", list(entry), "must not end before it begins", form)
        stated.append((peer, first, last))
    return np.array(stated, dtype=np.int64)
