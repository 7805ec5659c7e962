"""Topologies whose W_t changes from round to round: periodic or random."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from dfedsam.topologies.randomness import generator
from dfedsam.topologies.topology import Sums, Topology


class Periodic(Topology):
    """Some matrices in turn, and again from the first.

    Args:
        matrices: W_0, W_1, …, each (n, n), float64.
        directed: Whether they may be other than symmetric.
        sums: Which of their lines sum to one.
    """

    def __init__(self, matrices: Sequence[sp.csr_array], *, directed: bool = False, sums: Sums = "both") -> None:
        self._matrices = list(matrices)
        self.n, self.period = len(self._matrices[0].indptr) - 1, len(self._matrices)
        self.directed, self.sums = directed, sums

    def weights(self, t: int) -> sp.csr_array:
        """W_t, the same object in every period."""
        return self._matrices[t % len(self._matrices)]

    def support(self) -> sp.csr_array:
        """The union of the matrices' entries off the diagonal."""
        return union(self._matrices)


class Drawn(Topology):
    """A random W_t in every round, a function of the seed and the round only.

    A subclass implements `draw`; its name separates its random numbers from those of others.

    Args:
        n: Number of peers.
        seed: Seed, at least 0.
        support: Where any W_t may differ from zero off the diagonal, shape (n, n); None: any pair of peers may meet.
    """

    period = None

    def __init__(self, n: int, seed: int, support: sp.csr_array | None = None) -> None:
        self.n, self.seed = n, seed
        self._support = support
        self._last: tuple[int, sp.csr_array] | None = None

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        """W_t of shape (n, n), float64, from the random numbers of its round."""

    def weights(self, t: int) -> sp.csr_array:
        """W_t; asking again for the last one gives the same object."""
        last = self._last
        if last is None or last[0] != t:
            self._last = last = t, self.draw(generator(self.seed, type(self).__name__, t))
        return last[1]

    def support(self) -> sp.csr_array | None:
        """See Topology."""
        return self._support


def union(matrices: Sequence[sp.csr_array]) -> sp.csr_array:
    """Where any of these matrices (n, n) differs from zero off the diagonal: bool, shape (n, n), sorted indices."""
    n = len(matrices[0].indptr) - 1
    entries = [matrix.tocoo() for matrix in matrices]
    row, column, data = (np.concatenate([getattr(e, part) for e in entries]) for part in ("row", "col", "data"))
    there = (row != column) & (data != 0)
    found = sp.csr_array((np.ones(int(there.sum()), np.int32), (row[there], column[there])), shape=(n, n))
    found.sum_duplicates()
    return sp.csr_array(found, dtype=bool)
