"""Teleportation: few peers take part in a round, and hand their rows over to those of the next one."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import whole_number
from dfedsam.topologies.graphs.helpers import checked_peers, checked_seed
from dfedsam.topologies.make import Spec, make
from dfedsam.topologies.schedule import generator
from dfedsam.topologies.schedules.combined import keeps_mean
from dfedsam.topologies.spectra.contraction import expected_contraction
from dfedsam.topologies.topology import Topology


def teleportation(n: int, participants: int | None = None, topology: Spec = "ring", seed: int = 0) -> Topology:
    """Teleportation: k random peers take part in a round and gossip on a small graph; then others go on with their x.

    Each participant has one of k places. It takes its steps, gossips with those at the neighbouring places, and hands
    its x over to the peer at the same place in the next round. So k vectors wander over the data of all n peers, and
    mix as on a graph of k, however many peers there are. Metrics are those of the peers that hold them. All else that
    an algorithm remembers, such as momentum, stays where it is. A round sends the vectors of the small graph, and up
    to k for the handover. Source: Takezawa and Stich (2025), "Scalable decentralized learning with Teleportation",
    arXiv 2501.15259, algorithm 1; there a peer fetches x when its round begins.

    Args:
        n: number of peers, at least 2.
        participants: k, from 2 to n; None: ⌈√n⌉. The paper tries 1, 2, 4, … for some rounds each.
        topology: of the k places: a graph or a schedule that keeps the mean.
        seed: at least 0; also that of the small topology, where it is random.

    Examples:
        >>> from dfedsam.topologies import teleportation
        >>> W = teleportation(100, participants=4, topology="complete")
        >>> int(W.participants(0).sum()), W.weights(0).nnz - 100
        (4, 12)
    """
    n, seed = checked_peers(n), checked_seed(seed)
    usual = math.isqrt(n - 1) + 1
    k = whole_number("participants", usual if participants is None else participants, 2, f"the usual is {usual}")
    if k > n:
        raise OptionError("participants", k, f"must be at most the number of peers ({n})", f"the usual is {usual}")
    return Teleportation(n, keeps_mean("topology", topology, make(topology, k, seed)), seed)


class Teleportation(Topology):
    """Few participants a round, drawn anew, whose places have the topology `inner`; made by `teleportation`."""

    period = None
    hands_over = True

    def __init__(self, n: int, inner: Topology, seed: int) -> None:
        self.n, self.directed = n, inner.directed
        self._inner, self._seed = inner, seed
        self._last: tuple[int, sp.csr_array] | None = None

    def holders(self, t: int) -> NDArray[np.int64]:
        """Who is at each place in round t, shape (k,)."""
        return generator(self._seed, "Teleportation", t).permutation(self.n)[: self._inner.n]

    def weights(self, t: int) -> sp.csr_array:
        """The small topology's W_t among the participants, and 1 for everybody else."""
        if self._last is None or self._last[0] != t:
            small, holders = self._inner.weights(t).tocoo(), self.holders(t)
            absent = np.delete(np.arange(self.n), holders)
            entries = [(small.data, holders[small.row], holders[small.col]), (np.ones(len(absent)), absent, absent)]
            data, row, column = (np.concatenate(part) for part in zip(*entries, strict=True))
            W = sp.csr_array((data, (row, column)), shape=(self.n, self.n))
            W.sort_indices()
            self._last = t, W
        return self._last[1]

    def support(self) -> None:
        """Any two peers may meet."""

    def participants(self, t: int) -> NDArray[np.bool_]:
        holders, inner = self.holders(t), self._inner.participants(t)
        mask = np.zeros(self.n, bool)
        mask[holders if inner is None else holders[inner]] = True
        return mask

    def handover(self, t: int) -> sp.csr_array:
        source = np.arange(self.n)
        source[self.holders(t + 1)] = self.holders(t)
        return sp.csr_array((np.ones(self.n), source, np.arange(self.n + 1)), shape=(self.n, self.n))

    def contraction(self) -> float | None:
        """Of the small topology, whose k vectors are all that count; None where that is not exact."""
        inner = expected_contraction(self._inner)
        return inner.value if inner.exact else None
