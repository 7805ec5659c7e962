"""Schedules in which some links of another topology carry nothing in some rounds.

Where a link carries nothing, what would have gone over it stays with its sender, W_jj += W_ij. So a symmetric W stays
symmetric and doubly stochastic, and a W whose columns sum to one keeps that: no weight is ever spread over the links
that remain.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from copy import copy
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec, called, make
from dfedsam.topologies.matrices import diagonal
from dfedsam.topologies.schedule import Events, levels
from dfedsam.topologies.spectra.contraction import contraction_of
from dfedsam.topologies.topology import Topology, refuse_handover

_ROUNDING = 1e-13  # of what a peer keeps: 1 within this is 1, so that rounding does not add up over 1,000 rounds
_KEPT = 32  # matrices of a period that are kept, and of the inner topology's with the patterns of their links
_ENTRIES = 1 << 20  # stored entries of the latter in total; beyond this the oldest are dropped


class Links:
    """The links of one mixing matrix, stored so that any of them can be taken out quickly.

    Args:
        W: shape (n, n), columns that sum to one.
        directed: whether each direction is a link of its own; else a link carries both.

    Attributes:
        i: sender of each link, shape (m,); the smaller of its two peers where links are undirected.
        j: receiver of each link, or the larger of its two peers.
    """

    def __init__(self, W: sp.csr_array, *, directed: bool) -> None:
        n, entries = len(W.indptr) - 1, W.tocoo()
        off = (entries.row != entries.col) & (entries.data != 0)
        row, column, peers = entries.row[off], entries.col[off], np.arange(n)
        sides = [(row, column, entries.data[off]), (peers, peers, W.diagonal())]
        if not directed:  # both directions are stored, also where one is zero
            sides.append((column, row, np.zeros(len(row))))
        rows, columns, data = (np.concatenate(arrays) for arrays in zip(*sides, strict=True))
        W = sp.csr_array(sp.coo_array((data, (rows, columns)), shape=(n, n)))  # all of the diagonal is stored, too
        W.sum_duplicates()
        self._W = W
        receivers, senders = np.repeat(peers, np.diff(W.indptr)), W.indices.astype(np.int64)
        pairs = senders, receivers
        first, second = pairs if directed else (np.minimum(*pairs), np.maximum(*pairs))
        self._diagonal = np.flatnonzero(first == second)  # indices of entries
        off = np.flatnonzero(first != second)
        key = first[off] * n + second[off]
        order = np.argsort(key, kind="stable").reshape(-1, 1 if directed else 2)
        self._entries = off[order]  # of each link, one or two
        self.i, self.j = np.divmod(key[order[:, 0]], n)

    def without(self, dropped: NDArray[np.bool_]) -> sp.csr_array:
        """Return W without some links: a peer keeps the weight that it would have sent over them.

        Columns sum to what they did; where W is symmetric and links are undirected, rows do too. Peers that keep all
        they have keep exactly that.

        Args:
            dropped: which links to leave out, shape (m,).

        Returns:
            Shape (n, n), float64, sorted indices, without the dropped entries.
        """
        W = self._W
        gone = self._entries.compress(dropped, axis=0).ravel()
        kept = W.data[self._diagonal]
        kept += np.bincount(W.indices[gone], W.data[gone], len(kept))
        kept[np.abs(kept - 1) <= _ROUNDING] = 1
        data = W.data.copy()
        data[self._diagonal], data[gone] = kept, 0
        thin = copy(W)  # its arrays are replaced; the flag that it is sorted is kept
        thin.data, thin.indices, thin.indptr = data, W.indices.copy(), W.indptr.copy()
        thin.eliminate_zeros()
        return thin


class Unreliable(Topology):
    """A topology in which some links of another carry nothing in some rounds; a subclass chooses them in `dropped`.

    Args:
        inner: the topology whose links may fail.
        seed: seed of the dropped links.
        memory: as of `Events`.

    Attributes:
        purpose: what its random numbers are for; it differs from that of its own kind within it.
        events: the random events of every round.
    """

    period = None
    kind: ClassVar[str]  # part of the purpose, so that a new class name leaves all numbers as they are

    def __init__(self, inner: Topology, seed: int, memory: float = 0.0) -> None:
        self._inner, self._seed = inner, seed
        self.n, self.directed = inner.n, inner.directed
        self.sums = "columns" if inner.directed else inner.sums
        self.levels = levels(inner)
        self.purpose = f"{self.kind} {self.levels}"
        self.events = Events(seed, self.purpose, memory)
        self._links: OrderedDict[int, tuple[sp.csr_array, Links]] = OrderedDict()
        self._cache: OrderedDict[int, sp.csr_array] = OrderedDict()

    @abstractmethod
    def dropped(self, t: int, links: Links) -> NDArray[np.bool_]:
        """Which links carry nothing in round t, shape (m,)."""

    def weights(self, t: int) -> sp.csr_array:
        """W_t; the inner topology's own where nothing is dropped."""
        key = t % self.period if self.period else t
        if key not in self._cache:
            W = self._inner.weights(t)
            links = self._links_of(W)
            dropped = self.dropped(t, links)
            self._cache[key] = links.without(dropped) if dropped.any() else W
            while len(self._cache) > (_KEPT if self.period else 1):
                self._cache.popitem(last=False)
        return self._cache[key]

    def support(self) -> sp.csr_array | None:
        return self._inner.support()

    def participants(self, t: int) -> NDArray[np.bool_] | None:
        return self._inner.participants(t)

    def _links_of(self, W: sp.csr_array) -> Links:
        if id(W) not in self._links:
            self._links[id(W)] = W, Links(W, directed=self.directed)  # keeping W keeps its identity unique
            sizes = [kept.nnz for kept, _ in self._links.values()]
            while len(sizes) > 1 and (len(sizes) > _KEPT or sum(sizes) > _ENTRIES):
                self._links.popitem(last=False)
                del sizes[0]
        return self._links[id(W)][1]

    def _contraction(self, up: float, both_up: float) -> float | None:
        """λ_max(E[WᵀW] - J) around a fixed symmetric W, else None; arguments as in `thinned_second_moment`."""
        if self.events.memory or self._inner.period != 1 or self.directed or self.sums != "both":
            return None
        return contraction_of(thinned_second_moment(self._inner.weights(0), up, both_up))


def thinned_second_moment(W: sp.csr_array, up: float, both_up: float) -> sp.csr_array:
    """E[W_tᵀW_t], where W_t is W without the links that are down in round t.

    With W = I - L, L = Σ_e w_e L_e over the links e, and B_e = 1 where link e is up, W_t = I - Σ B_e w_e L_e. Links
    without a common peer have L_e L_f = 0, and L_e² = 2 L_e, so that only two probabilities matter:
    E[W_t²] = I - 2 a L + b L² + 2 (a - b) Σ w_e² L_e.

    Args:
        W: symmetric, shape (n, n), rows that sum to one.
        up: a, the probability that a link is up.
        both_up: b, the probability that two links at the same peer are both up.
    """
    identity = diagonal(np.ones(len(W.indptr) - 1))
    L = sp.csr_array(identity - W)
    squares = W.power(2)
    squares = squares - diagonal(squares.diagonal())
    weighted = diagonal(np.asarray(squares.sum(axis=1))) - squares  # Σ w_e² L_e
    return sp.csr_array(identity - 2 * up * L + both_up * (L @ L) + 2 * (up - both_up) * weighted)


def reliable(topology: Spec, n: int, seed: int) -> Topology:
    """Build the inner topology."""
    inner = make(topology, n, seed)
    refuse_handover("topology", inner)
    if inner.sums == "rows":
        rule = "must not be biased: its columns do not sum to one, so that no sender can keep what was dropped"
        raise OptionError("topology", called(topology), rule, "give it other weights, such as metropolis")
    return inner
