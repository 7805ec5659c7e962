"""Schedules in which some links of another topology carry nothing in some rounds.

Where a link carries nothing, what would have gone over it stays with its sender, W_jj += W_ij. So a symmetric W stays
symmetric and doubly stochastic, and one whose columns sum to one stays so: no weight is ever spread over those that
remain.
"""

from abc import abstractmethod
from collections import OrderedDict

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec, make
from dfedsam.topologies.randomness import Events
from dfedsam.topologies.schedules.links import Links
from dfedsam.topologies.schedules.moments import left_over, thinned
from dfedsam.topologies.schedules.nested import called, levels
from dfedsam.topologies.topology import Topology

_KEPT = 32  # matrices of a period that are kept, and of the inner topology's with the patterns of their links
_ENTRIES = 1 << 20  # of the latter together: more are let go of


class Unreliable(Topology):
    """A topology in which some links carry nothing in some rounds.

    A subclass says in `lost` which.

    Args:
        inner: The topology it is around.
        seed: Seed of what is lost.

    Attributes:
        purpose: What its random numbers are for: others than those of its own kind within it.
        events: The random events of every round.
    """

    period = None

    def __init__(self, inner: Topology, seed: int) -> None:
        self._inner, self._seed = inner, seed
        self.n, self.directed = inner.n, inner.directed
        self.sums = "columns" if inner.directed else inner.sums
        self.levels = levels(inner)
        self.purpose = f"{type(self).__name__} {self.levels}"
        self.events = Events(seed, self.purpose)
        self._links: OrderedDict[int, tuple[sp.csr_array, Links]] = OrderedDict()
        self._made: OrderedDict[int, sp.csr_array] = OrderedDict()

    @abstractmethod
    def lost(self, t: int, links: Links) -> NDArray[np.bool_]:
        """Which links carry nothing in round t, shape (m,)."""

    def weights(self, t: int) -> sp.csr_array:
        """W_t; the inner topology's own where nothing is lost."""
        place = t % self.period if self.period else t
        if place not in self._made:
            W = self._inner.weights(t)
            links = self._pattern(W)
            lost = self.lost(t, links)
            self._made[place] = links.without(lost) if lost.any() else W
            while len(self._made) > (_KEPT if self.period else 1):
                self._made.popitem(last=False)
        return self._made[place]

    def support(self) -> sp.csr_array | None:
        """The inner topology's: any of its links may be up."""
        return self._inner.support()

    def active(self, t: int) -> NDArray[np.bool_] | None:
        """Those that are there in the inner topology."""
        return self._inner.active(t)

    def _pattern(self, W: sp.csr_array) -> Links:
        """The links of one of the inner topology's matrices."""
        if id(W) not in self._links:
            self._links[id(W)] = W, Links(W, directed=self.directed)  # W is kept, so that its identity stays its own
            sizes = [kept.nnz for kept, _ in self._links.values()]
            while len(sizes) > 1 and (len(sizes) > _KEPT or sum(sizes) > _ENTRIES):
                self._links.popitem(last=False)
                del sizes[0]
        return self._links[id(W)][1]

    def _expected(self, one: float, two: float) -> float | None:
        """λ_max(E[WᵀW] - J) around a fixed symmetric W; see `moments.thinned`."""
        if self._inner.period != 1 or self.directed or self.sums != "both":
            return None
        return left_over(thinned(self._inner.weights(0), one, two))


def sound(topology: Spec, n: int, seed: int) -> Topology:
    """The topology that fails, unless a lost link would have no meaning in it."""
    inner = make(topology, n, seed)
    if inner.sums == "rows":
        rule = "must not be biased: its columns do not sum to one, so that no sender can keep what was lost"
        raise OptionError("topology", called(topology), rule, "give it other weights, such as metropolis")
    return inner
