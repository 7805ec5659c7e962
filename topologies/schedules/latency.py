"""Links of several speeds, around any other topology."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec
from dfedsam.topologies.randomness import of_pairs
from dfedsam.topologies.schedules.links import Links
from dfedsam.topologies.schedules.lossy import Unreliable, sound
from dfedsam.topologies.schedules.nested import common_period
from dfedsam.topologies.topology import Topology
from dfedsam.validation import as_probabilities, whole_number


def latency(
    n: int,
    topology: Spec = "ring",
    periods: Sequence[int] = (1, 2, 4),
    shares: Sequence[float] | None = None,
    seed: int = 0,
) -> Topology:
    """Links of several speeds: one with period c carries messages in every c-th round only.

    It stands for peers that gossip in step and do not wait: a link whose messages take up to c rounds' time is used
    once in that time. What it then carries is fresh; values that arrive late are not part of this. The class of a link
    and its first round are drawn once, for the two peers it joins (in a directed topology for each direction), so that
    slow links do not all wake in the same round. Directed topologies are as in `link_failures`.

    Args:
        n: Number of peers.
        topology: What the links are of: a graph, a schedule, or another unreliable network.
        periods: Rounds between two uses of a link, for each class, at least 1.
        shares: Share of the links in each class, in [0, 1], together 1; None makes all classes alike.
        seed: Seed, at least 0; also the inner topology's.

    Raises:
        ValueError: if an option is out of range, or the inner topology cannot be made or is biased.
    """
    if not isinstance(periods, Sequence) or isinstance(periods, str) or not periods:
        raise OptionError("periods", periods, "must name at least one class", "the usual is [1, 2, 4]")
    every = [whole_number("periods", c, 1, "the usual is [1, 2, 4]") for c in periods]
    parts = as_probabilities("shares", shares, len(every), "class")
    seed = whole_number("seed", seed, 0, "give 0 or more")
    return Latency(sound(topology, n, seed), every, parts, seed)


class Latency(Unreliable):
    """See `latency`.

    Args:
        inner: The topology it is around.
        every: Rounds between two uses of a link, for each class.
        shares: Share of the links in each class, together 1.
        seed: Seed.
    """

    def __init__(self, inner: Topology, every: Sequence[int], shares: Sequence[float], seed: int) -> None:
        super().__init__(inner, seed)
        self._every = np.array(every)
        self._ends = np.cumsum(shares)[:-1]
        self.period = common_period([inner.period, *every])

    def lost(self, t: int, links: Links) -> NDArray[np.bool_]:
        """See Unreliable."""
        drawn = of_pairs(self._seed, self.purpose, links.i, links.j)
        every = self._every[np.searchsorted(self._ends, drawn, side="right")]
        first = (of_pairs(self._seed, self.purpose + " first", links.i, links.j) * every).astype(np.int64)
        return t % every != first
