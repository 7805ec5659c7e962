"""EquiTopo: random offsets around the ring of peers; the mixing rate does not depend on the number of peers.

P^u sends peer i's row to peer i + u, modulo n, and A^(u) = I/n + ((n-1)/n) P^u. Source of all: Song et al. (2022),
"Communication-efficient topologies for decentralized learning with O(1) consensus rate", arXiv 2210.07881.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.options import share, whole_number
from dfedsam.topologies.graphs.helpers import W_BYTES, below, checked_peers, checked_seed, require_memory
from dfedsam.topologies.matrices import circulant, from_pairs
from dfedsam.topologies.schedule import Drawn, Periodic, generator
from dfedsam.topologies.topology import Topology

_ETA = "the usual is 0.5"


def d_equistatic(n: int, offsets: int | None = None, seed: int = 0) -> Topology:
    """D-EquiStatic: the mean of A^(u) over M random offsets u; directed, doubly stochastic, the same in all rounds.

    Every peer sends to M others. Departs from the paper (Alg. 1) in that the offsets all differ, so that M = n - 1
    gives the exact mean, and are drawn again while they leave the peers in several parts.

    Args:
        n: number of peers, at least 2.
        offsets: M, from 1 to n - 1; None takes ⌈log₂ n⌉, the degree of the exponential graph.
        seed: seed, at least 0.
    """
    drawn = _offsets(n, offsets, seed)
    return Periodic([circulant(n, drawn, (n - 1) / n / len(drawn))], directed=True)


def u_equistatic(n: int, offsets: int | None = None, seed: int = 0) -> Topology:
    """U-EquiStatic: ½(W + Wᵀ), W that of `d_equistatic` with the same options; symmetric, the same in all rounds.

    Every peer has at most 2M neighbours.

    Args:
        n: number of peers, at least 2.
        offsets: M, from 1 to n - 1; None takes ⌈log₂ n⌉.
        seed: seed, at least 0.
    """
    drawn = _offsets(n, offsets, seed)
    both, times = np.unique(np.concatenate([drawn, n - drawn]), return_counts=True)
    return Periodic([circulant(n, both, times * ((n - 1) / n / (2 * len(drawn))))])


def od_equidyn(n: int, eta: float = 0.5, seed: int = 0) -> Topology:
    """OD-EquiDyn: W_t = (1-η)I + ηA^(u) for an offset u redrawn in each round; directed, doubly stochastic.

    Every peer receives from one other: n vectors per round.

    Args:
        n: number of peers, at least 2.
        eta: η, in (0, 1]; n/(2(n-1)), nearly ½, contracts most.
        seed: seed, at least 0.
    """
    return ODEquiDyn(*_checked(n, eta, seed))


def ou_equidyn(n: int, eta: float = 0.5, seed: int = 0) -> Topology:
    """OU-EquiDyn: as `od_equidyn`, but in pairs, each pair of them at the offset drawn; symmetric.

    From a peer drawn at random on, every peer that is still free takes the one u places on, if that is free too; pairs
    mix by (1-η)I + η(I/n + ((n-1)/n) · swap). At most n vectors a round.

    Args:
        n: number of peers, at least 2.
        eta: η, in (0, 1]; n/(2(n-1)), nearly ½, contracts most.
        seed: seed, at least 0.
    """
    return OUEquiDyn(*_checked(n, eta, seed))


class EquiDyn(Drawn):
    """Shared by both: a peer takes the share η(n - 1)/n from another."""

    def __init__(self, n: int, eta: float, seed: int) -> None:
        super().__init__(n, seed)
        self._received = eta * (n - 1) / n


class ODEquiDyn(EquiDyn):
    """One offset in every round; made by `od_equidyn`."""

    directed = True

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        return circulant(self.n, [int(rng.integers(1, self.n))], self._received)

    def contraction(self) -> float:
        """a² + b² - 2ab/(n-1), where b = η(n-1)/n is what a peer takes from another and a = 1 - b what it keeps."""
        a, b = 1 - self._received, self._received
        return a**2 + b**2 - 2 * a * b / (self.n - 1)


class OUEquiDyn(EquiDyn):
    """Pairs at one offset in every round; made by `ou_equidyn`."""

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        offset, start = int(rng.integers(1, self.n)), int(rng.integers(self.n))
        first = (start + firsts(self.n, offset)) % self.n
        return from_pairs(self.n, first, (first + offset) % self.n, self._received)

    def contraction(self) -> float:
        """1 - 2b(1-b)μ₂, b = η(n-1)/n, for the expected Laplacian of a round's pairs.

        W² = I - 2b(1-b)L, since L² = 2L for pairs; E[L] is circulant, so that its eigenvalues are a Fourier transform.
        """
        n, b = self.n, self._received
        offsets = np.arange(1, n)
        nearest = np.minimum(offsets, n - offsets)  # offsets u and n - u make equally many pairs
        meet = np.concatenate([[0], 2 * _even_blocks(n - nearest, nearest) / (n * (n - 1))])
        eigenvalues = meet.sum() - np.fft.fft(meet).real
        return float(1 - 2 * b * (1 - b) * eigenvalues[1:].min())


def firsts(n: int, offset: int) -> NDArray[np.int64]:
    """The first peer of each pair, shape (pairs,), when from peer 0 on each free one takes the one at the offset.

    For u ≤ n/2 the peers go in blocks of u: every other block takes the next. For a larger u the first n - u peers
    take the last ones, and those between go in blocks of n - u, backwards.
    """
    back = n - offset
    if offset <= back:
        peers = np.arange(back)
        return peers[peers // offset % 2 == 0]
    peers = np.arange(offset)
    return peers[(peers < back) | ((peers >= 2 * back) & (peers // back % 2 == 0))]


def _even_blocks(peers: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of so many peers stand in blocks number 0, 2, 4, … of this size."""
    return peers // (2 * size) * size + np.minimum(peers % (2 * size), size)


def _checked(n: int, eta: float, seed: int) -> tuple[int, float, int]:
    return checked_peers(n), share("eta", eta, _ETA), checked_seed(seed)


def _offsets(n: int, count: int | None, seed: int) -> NDArray[np.int64]:
    """Different offsets that join all peers, rising, shape (count,)."""
    n, seed = checked_peers(n), checked_seed(seed)
    if count is None:
        count = (n - 1).bit_length()
    count = whole_number("offsets", count, 1, "the usual is log₂ of the peers")
    below("offsets", count, n)
    require_memory(n, n * count, W_BYTES)
    rng = generator(seed, "equistatic")
    while True:
        drawn = np.sort(rng.choice(np.arange(1, n), size=count, replace=False))
        if math.gcd(n, *drawn.tolist()) == 1:
            return drawn
