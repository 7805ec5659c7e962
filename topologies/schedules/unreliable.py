"""Networks that fail now and then, as schedules around any other topology: links that are down, peers that are away."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec
from dfedsam.topologies.schedules.links import Links
from dfedsam.topologies.schedules.lossy import Unreliable, sound
from dfedsam.topologies.topology import Topology
from dfedsam.validation import share, whole_number

_SEED = "give 0 or more"


def link_failures(n: int, topology: Spec = "ring", p: float = 0.1, seed: int = 0) -> Topology:
    """Each link is down with probability p in each round, independently of all others and of other rounds.

    A link carries both directions; in a directed topology each direction is a link of its own, and W_t, whose rows no
    longer sum to one, is for push-sum (also where the whole W is doubly stochastic). Expected contraction over a fixed
    symmetric W = I - Σ w_e L_e, with q = 1 - p: λ_max(I - 2q L + q² L² + 2 q p Σ w_e² L_e - J).

    Args:
        n: Number of peers.
        topology: What the links are of: a graph, a schedule, or another unreliable network.
        p: Probability that a link is down, in [0, 1].
        seed: Seed, at least 0; also the inner topology's.

    Raises:
        ValueError: if p is not in [0, 1], or the inner topology cannot be made or is biased.
    """
    p = share("p", p, "the usual is 0.1", zero=True)
    seed = whole_number("seed", seed, 0, _SEED)
    return LinkFailures(sound(topology, n, seed), p, seed)


def peers_away(
    n: int,
    topology: Spec = "ring",
    p: float | None = None,
    away: Sequence[Sequence[int]] | None = None,
    seed: int = 0,
) -> Topology:
    """Each peer is away with probability p in each round, or in stated rounds: its links are down and it does nothing.

    `active(t)` says who is there; a run spends no queries on the others. Directed topologies are as in `link_failures`.
    Expected contraction over a fixed symmetric W, as there, with q = 1 - p: λ_max(I - 2q² L + q³ L² + 2 (q² - q³)
    Σ w_e² L_e - J).

    Args:
        n: Number of peers.
        topology: What the peers are joined by: a graph, a schedule, or another unreliable network.
        p: Probability that a peer is away, in [0, 1]; None takes 0.1, or 0 where `away` is given.
        away: Stated absences [peer, first round, last round], both ends included, rounds counted from 0.
        seed: Seed, at least 0; also the inner topology's.

    Raises:
        ValueError: if p is not in [0, 1], an absence is not of a peer of this network or ends before it begins, or the
            inner topology cannot be made or is biased.
    """
    p = share("p", (0.1 if away is None else 0.0) if p is None else p, "the usual is 0.1", zero=True)
    seed = whole_number("seed", seed, 0, _SEED)
    inner = sound(topology, n, seed)
    return PeersAway(inner, p, None if away is None else _absences(away, inner.n), seed)


class LinkFailures(Unreliable):
    """See `link_failures`."""

    def __init__(self, inner: Topology, p: float, seed: int) -> None:
        super().__init__(inner, seed)
        self.p = p

    def lost(self, t: int, links: Links) -> NDArray[np.bool_]:
        """See Unreliable."""
        return self.events.happen(t, len(links.i), self.p)

    def contraction(self) -> float | None:
        """See `link_failures`."""
        return self._expected(1 - self.p, (1 - self.p) ** 2)


class PeersAway(Unreliable):
    """See `peers_away`.

    Args:
        inner: The topology it is around.
        p: Probability that a peer is away.
        away: Stated absences, shape (k, 3); None: no peer has any.
        seed: Seed.
    """

    def __init__(self, inner: Topology, p: float, away: NDArray[np.int64] | None, seed: int) -> None:
        super().__init__(inner, seed)
        self.p, self._away = p, away

    def away(self, t: int) -> NDArray[np.bool_]:
        """Which peers are away in round t, shape (n,), those of the inner topology not counted."""
        gone = self.events.happen(t, self.n, self.p)
        if self._away is not None:
            peer, first, last = self._away.T
            gone[peer[(first <= t) & (t <= last)]] = True
        return gone

    def lost(self, t: int, links: Links) -> NDArray[np.bool_]:
        """See Unreliable."""
        gone = self.away(t)
        return gone[links.i] | gone[links.j]

    def active(self, t: int) -> NDArray[np.bool_] | None:
        """Those that are there, here and in the inner topology; None where all are."""
        within, gone = self._inner.active(t), self.away(t)
        if not gone.any():
            return within
        return ~gone if within is None else within & ~gone

    def contraction(self) -> float | None:
        """See `peers_away`; None with stated absences."""
        stays = 1 - self.p
        return self._expected(stays**2, stays**3) if self._away is None else None


def _absences(away: Any, n: int) -> NDArray[np.int64]:
    """Stated absences as an array of shape (k, 3)."""
    form = "give a list of [peer, first round, last round]"
    if not isinstance(away, Sequence) or isinstance(away, str) or not away:
        raise OptionError("away", away, "must state at least one absence", form)
    stated: list[tuple[int, int, int]] = []
    for entry in away:
        if not isinstance(entry, Sequence) or isinstance(entry, str) or len(entry) != 3:
            raise OptionError("away", entry, "must be three whole numbers for each absence", form)
        peer, first, last = (whole_number("away", number, 0, form) for number in entry)
        if peer >= n:
            raise OptionError("away", list(entry), f"must be of a peer from 0 to {n - 1}", form)
        if last < first:
            raise OptionError("away", list(entry), "must not end before it begins", form)
        stated.append((peer, first, last))
    return np.array(stated, dtype=np.int64)
