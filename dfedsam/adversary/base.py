"""The interface of adversaries: which peers attack, and what each sends to each honest neighbour."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import Options, at_least, one_of, option, whole_number
from dfedsam.peers import format_peers
from dfedsam.random import RandomStream, generator
from dfedsam.registry import public_name
from dfedsam.topologies import Topology
from dfedsam.topologies.attackers import honest_fiedler, honest_parts, links, worst_placement

if TYPE_CHECKING:
    from dfedsam.communication.base import Communicator

Placement = Literal["random", "central", "cut"]
Forged = Literal["rows", "scalars"]  # what attackers send in place of the true ones
_PATHS = 256  # peers from which shortest paths are counted for centrality


@dataclass(frozen=True, kw_only=True)
class Adversary(Options, ABC):
    """Attackers that know everything, and may send a different message to each honest neighbour in each gossip step.

    They compute as honest peers do, and their own rows mix by true messages, so that they stay among the honest ones;
    only what they send is forged. Metrics are of honest peers alone.

    Args:
        peers: how many peers attack, 0 for none; or which share of them, if below 1; or their numbers, such as [0, 5].
        where: who attacks, if `peers` is a number: "random" (drawn by the seed), "central" (those on the most shortest
            paths), or "cut" (those whose loss harms the honest graph's connectivity μ₂ most, without cutting it if
            that can be).
        scale: the attack's strength; None: its usual one.
        line_search: choose the scale in each gossip step, of several from a tenth to a hundred times that of `scale`,
            that moves honest peers farthest from the mean of what they had.
        scales: how many a line search tries, in equal ratios, at least 2. With 13, rules break down where they do with
            31; each scale costs one more application of the rule.

    Attributes:
        forges: what it can forge: "rows", "scalars" (the coefficients of a flood), or both.
        flips_labels: whether attackers train on flipped labels.
        usual_scale: of `scale`.
    """

    forges: ClassVar[frozenset[Forged]] = frozenset({"rows", "scalars"})
    flips_labels: ClassVar[bool] = False
    usual_scale: ClassVar[float] = 1.0

    peers: int | float | list[int] = 1
    where: Placement = option("random", one_of, get_args(Placement))
    scale: float | None = option(None, at_least, 0)
    line_search: bool = False
    scales: int = option(13, whole_number, 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.peers, (list, tuple)):
            if not self.peers or len(set(self.peers)) < len(self.peers) or min(self.peers) < 0:
                raise OptionError("peers", self.peers, "must list distinct numbers of peers, from 0")
        elif isinstance(self.peers, float) and not 0 <= self.peers < 1:
            raise OptionError("peers", self.peers, "must be a whole number, a share below 1, or a list of peers")
        elif self.peers < 0:
            raise OptionError("peers", self.peers, "must be at least 0")

    @property
    def strength(self) -> float:
        """The scale of the attack without a line search."""
        return self.usual_scale if self.scale is None else self.scale

    @property
    def trials(self) -> list[float]:
        """The scales that are tried in a gossip step: one without a line search."""
        if not self.line_search:
            return [self.strength]
        return [self.strength * 10 ** (3 * k / (self.scales - 1) - 1) for k in range(self.scales)]

    def attackers(self, topology: Topology, seed: int) -> NDArray[np.bool_]:
        """Mask of the attackers, shape (n,), drawn by the seed if they are a number or a share.

        Raises:
            OptionError: if fewer than two peers stay honest, or the attackers cut the graph of the others.
        """
        n, adjacency = topology.n, links(topology)
        listed = self.peers if isinstance(self.peers, (list, tuple)) else None
        share = 0 if isinstance(self.peers, (list, tuple)) else self.peers
        count = len(listed) if listed else max(1, round(share * n)) if 0 < share < 1 else int(share)
        if count > n - 2:
            raise OptionError("peers", self.peers, f"must leave at least 2 of {n} peers honest")
        mask = np.zeros(n, np.bool_)
        if listed:
            if max(listed) >= n:
                raise OptionError("peers", self.peers, f"must be numbers of peers, at most {n - 1}")
            mask[list(listed)] = True
        elif self.where == "random" or adjacency is None:
            mask[generator(seed, "attackers").permutation(n)[:count]] = True
        elif self.where == "central":
            paths = nx.betweenness_centrality(nx.from_scipy_sparse_array(adjacency), k=min(n, _PATHS), seed=seed)
            mask[sorted(paths, key=lambda peer: (-paths[peer], peer))[:count]] = True
        else:
            mask = worst_placement(adjacency, count, connected=True)
        if adjacency is not None and (parts := honest_parts(adjacency, mask)) > 1:
            rule = f"must not cut the graph of honest peers, but {format_peers(np.flatnonzero(mask))} "
            rule += f"leave{'s' if count == 1 else ''} it in {parts} parts"
            raise OptionError("peers", self.peers, rule, "choose fewer or other attackers, or a graph with more edges")
        return mask

    def note(self, attackers: NDArray[np.bool_]) -> str | None:
        """A note for the user on this attack by these peers, a mask (n,); None: no note."""
        return None

    @abstractmethod
    def forge(self, view: View, scale: float) -> NDArray:
        """What attackers send, shape (edges, d), one row for each of the view's edges, in any float type.

        Called on every rank, also where no edge is attacked, so that it may use the view's means.
        """

    def forge_scalars(self, scalars: NDArray, attackers: NDArray[np.bool_], stream: RandomStream) -> NDArray:
        """The attackers' scalars, (f, c) or what broadcasts to it, from those that all peers found honestly, (n, c).

        The attackers are a mask (n,); `stream` has their random numbers.
        """
        raise NotImplementedError(f"{public_name(self)} does not forge scalars")


@dataclass(frozen=True)
class View:
    """What attackers see in one gossip step: the rows of all honest peers, through their means.

    Args:
        x: true rows of the block, shape (peers, d).
        honest: mask of the block's honest peers, shape (peers,).
        attackers: who attacks, and how.
        communicator: for means over all honest peers.
        receivers: for each attacked edge the row of the block that receives, shape (edges,).
        senders: the attacker that sends, as its number, shape (edges,).
        sent: its true row, shape (edges, d).
        pull: Σ_{honest j} w_ij (x_j − x_i) for the receiver i of each edge, shape (edges, d).
        weight: Σ of the weights of all attackers at i, shape (edges,).
        stream: this step's random numbers; the peers are the block's.
    """

    x: NDArray
    honest: NDArray[np.bool_]
    attackers: Attackers
    communicator: Communicator
    receivers: NDArray[np.intp]
    senders: NDArray[np.intp]
    sent: NDArray
    pull: NDArray
    weight: NDArray[np.float64]
    stream: RandomStream

    @property
    def receiver_rows(self) -> NDArray:
        """The receiver's own row, for each edge, shape (edges, d)."""
        return self.x[self.receivers]

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """The mean over all honest peers, shape (d,)."""
        return self.communicator.total(np.where(self.honest[:, None], self.x, 0)) / self.count

    @cached_property
    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation of each coordinate over all honest peers, shape (d,)."""
        squares = np.where(self.honest[:, None], (self.x - self.mean) ** 2, 0)
        return np.sqrt(self.communicator.total(squares) / self.count)

    @property
    def count(self) -> int:
        """Number of honest peers."""
        return int((~self.attackers.mask).sum())

    def projection(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ_i vector_i x_i over all peers, shape (d,), for a vector of shape (n,)."""
        return self.communicator.total(self.x * vector[np.asarray(self.communicator.block), None])


@dataclass(frozen=True)
class Attackers:
    """The attackers of a run: what they do, who they are (a mask (n,)), and the topology on which they sit."""

    adversary: Adversary
    mask: NDArray[np.bool_]
    topology: Topology

    def __str__(self) -> str:
        """Such as "sign_flip by peers 3, 7"."""
        return f"{public_name(self.adversary)} by {format_peers(np.flatnonzero(self.mask))}"

    @cached_property
    def fiedler(self) -> NDArray[np.float64]:
        """The honest graph's Fiedler vector, shape (n,), 0 at attackers; zero if any two peers may meet."""
        adjacency = links(self.topology)
        return np.zeros(len(self.mask)) if adjacency is None else honest_fiedler(adjacency, self.mask)
