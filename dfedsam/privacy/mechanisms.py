"""The mechanisms: Gaussian and Laplace noise on scalars; on messages independent, shared, and zero-sum noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.communication.kernels import WeightRows, accumulate
from dfedsam.errors import OptionError
from dfedsam.options import at_least, option
from dfedsam.privacy.accounting import correlated_leak, epsilon, zero_sum_leak
from dfedsam.privacy.base import MessagePrivacy, ScalarPrivacy
from dfedsam.registry import public_name

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.algorithms import Algorithm
    from dfedsam.communication.base import Communicator
    from dfedsam.gossip.channel import MessageNoise
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

    def add_noise(self, x: NDArray, W: csr_array, communicator: Communicator, stream: RandomStream) -> None:
        x += self.clip * (self.sigma * stream.normal(x.shape[1:])).astype(x.dtype)

    def leaks(self, topology: Topology) -> NDArray[np.float64]:
        return np.ones(topology.n)

    def spent_at(self, releases: float) -> float:
        return epsilon("gaussian", self.sigma / 2, releases, self.delta)

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

    ratio: float = option(5.0, at_least, 0)

    def check(self, topology: Topology, algorithm: Algorithm) -> None:
        super().check(topology, algorithm)
        _require_static("decor", topology)

    def add_noise(self, x: NDArray, W: csr_array, communicator: Communicator, stream: RandomStream) -> None:
        shared = shared_noise(x.shape[1], W, communicator, stream)
        noise = self.sigma * stream.normal(x.shape[1:]) + self.sigma * self.ratio * shared
        x += self.clip * noise.astype(x.dtype)

    def leaks(self, topology: Topology) -> NDArray[np.float64]:
        return correlated_leak(topology.weights(0), 1.0, self.ratio)

    def describe(self, algorithm: Algorithm) -> str:
        return "rows of x, once a round, with noise that neighbours share and that cancels in the mean"


@dataclass(frozen=True, kw_only=True)
class ZipDL(MessagePrivacy):
    """Gaussian noise that differs for each neighbour, and cancels in what each peer adds to the network.

    Peer a sends x_a + Z_av to v with Z_av = σ C (Y_av − Σ_j W_aj Y_aj / (d_a W_av)), Y ~ N(0, I), where j runs over a's
    neighbours and a itself, d_a in number. So Σ_v W_av Z_av = 0: each round keeps the peers' mean. Source: Biswas et
    al. (2025), "Low-cost privacy-preserving decentralized learning" (Zip-DL), algorithm 1.

    The ledger's ε is ours, against an observer of all messages. A peer's own share of its noise takes back what it
    sent, so that x_a itself stays exact: in round t it may differ by 2Ct, and ε grows as T^(3/2) rather than √T. The
    paper bounds what one peer learns, under the assumption that gradients keep noise Gaussian (5.6); that is not
    claimed here.
    """

    public_name = "zip_dl"

    def check(self, topology: Topology, algorithm: Algorithm) -> None:
        super().check(topology, algorithm)
        _require_static("zip_dl", topology)
        W, gossip = topology.weights(0), algorithm.gossip_of_x()
        assert gossip is not None  # checked above
        if gossip.num_steps(topology) != 1 or gossip.multipliers(np.array([0.5]), W) != 0.5:
            rule = "must be one step x ← W x, over which noise cancels, for the privacy mechanism zip_dl"
            raise OptionError("algorithm.gossip", public_name(gossip), rule, "choose plain")
        if topology.sums != "both" or abs(W - W.T).max() > 1e-12 or W.diagonal().min() <= 0:
            rule = "must have symmetric weights with one above 0 for each peer itself, over which noise cancels"
            raise OptionError("privacy", "zip_dl", rule, "choose the weights metropolis")

    def add_noise(self, x: NDArray, W: csr_array, communicator: Communicator, stream: RandomStream) -> MessageNoise:
        keyed = replace(stream, purpose=f"{stream.purpose}: messages")
        dim, dtype, scale = x.shape[1], x.dtype, self.clip * self.sigma

        def noise(receivers: NDArray[np.intp], senders: NDArray[np.intp]) -> NDArray:
            return scale * zero_sum_noise(dim, W, receivers, senders, keyed, dtype)

        return noise

    def leaks(self, topology: Topology) -> NDArray[np.float64]:
        return zero_sum_leak(topology.weights(0))

    def count_releases(self, rounds: int) -> int:
        return rounds * (rounds + 1) * (2 * rounds + 1) // 6

    def describe(self, algorithm: Algorithm) -> str:
        return "rows of x, once a round, with noise that cancels over a peer's neighbours and itself; its x has none"


def _require_static(name: str, topology: Topology) -> None:
    if topology.period != 1 or topology.directed:
        rule = "must have the same undirected links in all rounds, over which noise cancels"
        raise OptionError("privacy", name, rule, "choose gaussian_messages, or a static graph")


def zero_sum_noise(
    dim: int,
    W: csr_array,
    receivers: NDArray[np.intp],
    senders: NDArray[np.intp],
    stream: RandomStream,
    dtype: DTypeLike,
) -> NDArray:
    """Y_av − Σ_j W_aj Y_aj / (d_a W_av) for messages from a to v, which may be a, with Y ~ N(0, 1), shape (edges, dim).

    The same on every rank, whichever of a's messages it asks for.
    """
    peers, n = np.unique(senders), len(W.indptr) - 1
    rows = W[peers].tocoo()
    kept = rows.data != 0
    row, weights = rows.row[kept], rows.data[kept]
    pairs = peers[row] * n + rows.col[kept]  # sender and receiver
    noise, totals = replace(stream, peers=pairs).normal((dim,), dtype), np.zeros((len(peers), dim), dtype)
    counts = np.bincount(row, minlength=len(peers))
    ends = np.concatenate([[0], np.cumsum(counts)])
    accumulate(WeightRows(ends, np.arange(len(pairs)), weights.astype(dtype)), noise, totals)
    noise -= totals[row] / (counts[row] * weights)[:, None].astype(dtype)
    return noise[np.searchsorted(pairs, senders * n + receivers)]


def shared_noise(dim: int, W: csr_array, communicator: Communicator, stream: RandomStream) -> NDArray[np.float32]:
    """For each of the block's peers Σ_j ± N(0, 1), signs opposite at both ends of each link, shape (peers, dim)."""
    block = np.asarray(communicator.block)
    entries = W.tocoo()
    above = (entries.row < entries.col) & (entries.data != 0)
    low, high = entries.row[above], entries.col[above]  # pairs in the order of their numbers, the same on every rank
    local = np.flatnonzero(np.isin(low, block) | np.isin(high, block))
    noise = np.zeros((len(block), dim), np.float32)
    keyed = replace(stream, purpose=f"{stream.purpose}: pairs")
    for start in range(0, len(local), _EDGES):
        pairs = local[start : start + _EDGES]
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
