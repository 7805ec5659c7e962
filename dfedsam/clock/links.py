"""How long a message takes from one peer to another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.clock.compute import read_numbers
from dfedsam.errors import OptionError
from dfedsam.options import Options, at_least, one_of, option, positive
from dfedsam.topologies.underlay import Underlay, read_underlay

Sharing = Literal["none", "degree", "fair"]
Microseconds = NDArray[np.int64]


def microseconds(seconds: NDArray[np.float64]) -> Microseconds:
    """Whole microseconds."""
    return np.rint(1e6 * seconds).astype(np.int64)


@dataclass(frozen=True)
class Edges:
    """The directed edges along which one gossip step sends.

    Args:
        n: peers.
        senders: j of each edge, shape (m,).
        receivers: i of each edge, shape (m,).
        together: whether all of these messages are sent at once; else each has its sender and receiver for itself.
    """

    n: int
    senders: NDArray[np.intp]
    receivers: NDArray[np.intp]
    together: bool = True

    @classmethod
    def of(cls, weights: csr_array) -> Edges:
        """Those of a mixing matrix W with sorted indices: its entries off the diagonal, by receiver and sender."""
        n = len(weights.indptr) - 1
        rows = np.repeat(np.arange(n), np.diff(weights.indptr))
        sent = (weights.indices != rows) & (weights.data != 0)
        return cls(n, weights.indices[sent].astype(np.intp), rows[sent])

    @cached_property
    def out_degrees(self) -> NDArray[np.intp]:
        """Messages that each peer sends at once, shape (n,)."""
        counts = np.bincount(self.senders, minlength=self.n)
        return counts if self.together else np.minimum(counts, 1)

    @cached_property
    def in_degrees(self) -> NDArray[np.intp]:
        """Messages that each peer receives at once, shape (n,)."""
        counts = np.bincount(self.receivers, minlength=self.n)
        return counts if self.together else np.minimum(counts, 1)


@dataclass(frozen=True, kw_only=True)
class Links(Options, ABC):
    """A link profile: seconds from the moment a peer starts to send until its neighbour has the message."""

    def check(self, n: int) -> None:
        """Raise OptionError unless the profile fits a network of n peers."""

    @abstractmethod
    def seconds(self, edges: Edges, size: float) -> NDArray[np.float64]:
        """Seconds of a message of `size` bytes along each edge when all of them are sent at once, shape (m,)."""


@dataclass(frozen=True, kw_only=True)
class UniformLinks(Links):
    """All links alike: α + m/β, the α–β model (Hockney, 1994).

    Args:
        latency: α in seconds, at least 0.
        bandwidth: β in bits per second, above 0.
        sharing: "degree": a message gets the share of its busier end, sender or receiver; "fair": it also gets what
            others leave, as long as all are on their way (`max_min_rates`); "none": it gets the whole bandwidth.
    """

    public_name = "uniform"

    latency: float = option(1e-3, at_least, 0)
    bandwidth: float = option(1e9, positive)
    sharing: Sharing = option("degree", one_of, get_args(Sharing))

    def seconds(self, edges: Edges, size: float) -> NDArray[np.float64]:
        transmission = 8 * size / self.bandwidth
        if self.sharing == "none":
            return np.full(len(edges.senders), self.latency + transmission)
        if self.sharing == "fair" and edges.together:
            routes = np.stack([edges.senders, edges.n + edges.receivers], axis=1)
            return self.latency + transmission / max_min_rates(np.ones(2 * edges.n), routes)
        busiest = np.maximum(edges.out_degrees[edges.senders], edges.in_degrees[edges.receivers])
        return self.latency + busiest * transmission


def max_min_rates(capacities: NDArray[np.float64], routes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Rates of messages that share links in a max–min fair way: none can grow but at the cost of a smaller one.

    Links have capacities (links,) above 0; a message takes those of its row of `routes` (messages, hops), all
    different. Progressive filling: all rates grow alike until a link is full, whose messages then keep theirs. Source:
    Bertsekas and Gallager (1992), "Data networks", section 6.5.2.
    """
    rates, free = np.zeros(len(routes)), np.ones(len(routes), bool)
    left = capacities.astype(np.float64)
    while free.any():
        users = np.bincount(routes[free].ravel(), minlength=len(left))
        growth = np.divide(left, users, out=np.full(len(left), np.inf), where=users > 0)
        step = growth.min()
        rates[free] += step
        left -= step * users
        full = growth <= step * (1 + 1e-12)
        free &= ~full[routes].any(axis=1)
    return rates


@dataclass(frozen=True, kw_only=True)
class MatrixLinks(Links):
    """Latency and bandwidth of every pair of peers from files; each message has its link for itself.

    Args:
        latency: CSV of n × n seconds; row j, column i: from peer j to peer i.
        bandwidth: CSV of n × n bits per second.
    """

    public_name = "matrix"

    latency: Path | str
    bandwidth: Path | str

    def check(self, n: int) -> None:
        for name, matrix, zero in (("latency", self._latency, True), ("bandwidth", self._bandwidth, False)):
            value, (rows, columns) = getattr(self, name), matrix.shape
            if (rows, columns) != (n, n):
                raise OptionError(name, value, f"must be {n} × {n}, a row per peer, but it is {rows} × {columns}")
            pairs = matrix[~np.eye(n, dtype=bool)]
            if not (pairs >= 0 if zero else pairs > 0).all():
                bound = "at least 0" if zero else "above 0"
                raise OptionError(name, value, f"must hold numbers {bound} for every pair of peers")

    @cached_property
    def _latency(self) -> NDArray[np.float64]:
        return read_numbers("latency", self.latency)

    @cached_property
    def _bandwidth(self) -> NDArray[np.float64]:
        return read_numbers("bandwidth", self.bandwidth)

    def seconds(self, edges: Edges, size: float) -> NDArray[np.float64]:
        pair = edges.senders, edges.receivers
        return self._latency[pair] + 8 * size / self._bandwidth[pair]


@dataclass(frozen=True, kw_only=True)
class UnderlayLinks(Links):
    """Peers at the sites of a real network: latency along its shortest paths, bandwidth of access links and core.

    A message from j to i takes ℓ(j, i) + max(out_j · m/β_access, in_i · m/β_access, m · hops/β_core), where ℓ is
    `latency_base` + `latency_per_km` · length of the path. Source: Marfoq, Xu, Neglia and Vidal (2020),
    "Throughput-optimal topology design for cross-silo federated learning", equation 3.

    Args:
        file: gaia, aws_north_america, geant, exodus, ebone, a network of the extra `topohub` such as
            topohub:topozoo/Abilene, or a GML or JSON file with distances in km or coordinates.
        access: bandwidth of a peer's own link in bits per second, above 0, which its messages of a step share.
        core: bandwidth of the links between sites in bits per second, above 0.
        latency_base: seconds of any message, at least 0.
        latency_per_km: seconds per kilometre, at least 0.
    """

    public_name = "underlay"

    file: str = "gaia"
    access: float = option(1e10, positive)
    core: float = option(1e9, positive)
    latency_base: float = option(4e-3, at_least, 0)
    latency_per_km: float = option(8.5e-6, at_least, 0)

    @cached_property
    def underlay(self) -> Underlay:
        """The network beneath."""
        return read_underlay(self.file, "file")

    def check(self, n: int) -> None:
        self.underlay.require_sites(n, "file", self.file)

    def seconds(self, edges: Edges, size: float) -> NDArray[np.float64]:
        pair, bits = (edges.senders, edges.receivers), 8 * size
        latency = self.latency_base + self.latency_per_km * self.underlay.kilometres[pair]
        busiest = np.maximum(edges.out_degrees[edges.senders], edges.in_degrees[edges.receivers])
        return latency + np.maximum(busiest * bits / self.access, bits * self.underlay.hops[pair] / self.core)
