"""The mechanisms: Gaussian and Laplace noise on scalars, Gaussian and correlated noise on messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.communication.kernels import WeightRows, accumulate
from dfedsam.errors import OptionError
from dfedsam.privacy.accounting import epsilon
from dfedsam.privacy.base import MessagePrivacy, ScalarPrivacy
from dfedsam.privacy.network import correlated_leak
from dfedsam.validation import at_least

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.algorithms import Algorithm
    from dfedsam.communication.base import Communicator
    from dfedsam.random import RandomStream
    from dfedsam.topologies import Topology

_EDGES = 256  # pairs whose shared noise is drawn at once


@dataclass(frozen=True, kw_only=True)
class Gaussian(ScalarPrivacy):
    """Gaussian noise on differences of losses: (ε, δ)-differential privacy of examples."""

    def draw(self, stream: RandomStream, count: int) -> NDArray[np.float64]:
        return self.sigma * count**0.5 * stream.normal((count,), np.float64)

    def spent(self, topology: Topology, algorithm: Algorithm, rounds: int) -> float:
        steps, estimates = algorithm.estimates() or (0, 1)
        sigma = self.sigma / estimates**0.5  # estimates on the same minibatch are one release
        return epsilon("gaussian", sigma, rounds * steps, self.delta, rate=self.sampled, accountant=self.accountant)


@dataclass(frozen=True, kw_only=True)
class Laplace(ScalarPrivacy):
    """Laplace noise on differences of losses: with the accountant "rdp" pure ε, whatever δ, by adding up."""

    def draw(self, stream: RandomStream, count: int) -> NDArray[np.float64]:
        centred = stream.uniform((count,)) - 0.5
        return -self.sigma * count * np.sign(centred) * np.log1p(-2 * np.abs(centred))

    def spent(self, topology: Topology, algorithm: Algorithm, rounds: int) -> float:
        steps, estimates = algorithm.estimates() or (0, 1)
        sigma = self.sigma / estimates
        return epsilon("laplace", sigma, rounds * steps, self.delta, rate=self.sampled, accountant=self.accountant)


@dataclass(frozen=True, kw_only=True)
class GaussianMessages(MessagePrivacy):
    """Independent Gaussian noise on each peer's row, of standard deviation σ C in each coordinate: local privacy."""

    pairwise = True

    def draw(self, dim: int, W: csr_array, communicator: Communicator, stream: RandomStream) -> NDArray:
        return self.sigma * stream.normal((dim,))

    def spent(self, topology: Topology, algorithm: Algorithm, rounds: int) -> float:
        return epsilon("gaussian", self.sigma / 2, rounds, self.delta, accountant=self.accountant)

    def spent_at(self, share: float, rounds: int) -> float:
        return epsilon("gaussian", self.sigma / 2, share * rounds, self.delta)

    def describe(self, algorithm: Algorithm) -> str:
        return "rows of x, once a round, with independent noise"


@dataclass(frozen=True, kw_only=True)
class Decor(MessagePrivacy):
    """Gaussian noise that is correlated between neighbours, and cancels in the mean.

    Each peer adds noise of standard deviation σ C of its own, and for each neighbour ± noise of σ_c C that the two
    share by a seed, with opposite signs. An observer of all messages who holds none of these seeds learns as from
    independent noise of 1/√max_i [(σ²I + σ_c²L)⁻¹]_ii, while the mean of all rows only gets the σ part. Source: Allouah
    et al. (2024), "The privacy power of correlated noise in decentralized learning" (DECOR).

    Args:
        ratio: σ_c/σ, at least 0.
    """

    ratio: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("ratio", self.ratio, 0)

    def check(self, topology: Topology, algorithm: Algorithm) -> None:
        super().check(topology, algorithm)
        if topology.period != 1 or topology.directed:
            rule = "must have the same undirected links in all rounds, since neighbours share seeds"
            raise OptionError("privacy", "decor", rule, "choose gaussian_messages, or a static graph")

    def draw(self, dim: int, W: csr_array, communicator: Communicator, stream: RandomStream) -> NDArray:
        own = stream.normal((dim,))
        return self.sigma * own + self.sigma * self.ratio * shared_noise(dim, W, communicator, stream)

    def spent(self, topology: Topology, algorithm: Algorithm, rounds: int) -> float:
        sigma = self.sigma / _unit_leak(topology, self.ratio) ** 0.5
        return epsilon("gaussian", sigma / 2, rounds, self.delta, accountant=self.accountant)

    def describe(self, algorithm: Algorithm) -> str:
        return "rows of x, once a round, with noise that neighbours share and that cancels in the mean"


def shared_noise(dim: int, W: csr_array, communicator: Communicator, stream: RandomStream) -> NDArray[np.float32]:
    """For each of the block's peers Σ_j ± N(0, 1), signs opposite at both ends of each link, shape (peers, dim)."""
    block = np.asarray(communicator.block)
    entries = W.tocoo()
    above = (entries.row < entries.col) & (entries.data != 0)
    low, high = entries.row[above], entries.col[above]  # pairs in the order of their numbers, the same on every rank
    mine = np.flatnonzero(np.isin(low, block) | np.isin(high, block))
    noise = np.zeros((len(block), dim), np.float32)
    keyed = replace(stream, purpose=f"{stream.purpose}: pairs")
    for start in range(0, len(mine), _EDGES):
        pairs = mine[start : start + _EDGES]
        rows = replace(keyed, peers=pairs).normal((dim,))
        ends = np.concatenate([low[pairs], high[pairs]])
        column = np.tile(np.arange(len(pairs)), 2)
        sign = np.repeat(np.array([1, -1], np.float32), len(pairs))
        here = np.isin(ends, block)
        at = np.searchsorted(block, ends[here])
        order = np.lexsort((column[here], at))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=len(block)))])
        accumulate(WeightRows(indptr, column[here][order], sign[here][order]), rows, noise)
    return noise


def _unit_leak(topology: Topology, ratio: float) -> float:
    """max_i [(I + ratio² L)⁻¹]_ii of the topology's links."""
    return correlated_leak(topology.weights(0), 1.0, ratio)
