"""The options of simulated time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.clock.availability import Availability
from dfedsam.clock.compute import Compute, Constant
from dfedsam.clock.links import Links, UniformLinks
from dfedsam.errors import OptionError, options_within
from dfedsam.options import Options, one_of, option, whole_number
from dfedsam.registry import public_name

if TYPE_CHECKING:
    from dfedsam.topologies import Topology

Way = Literal["up", "down"]
Exchange = tuple[csr_array | Way, int]
"""One gossip step: its W, and the bytes of a message; or the way to a server, or from it."""
Joins = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Peers that join, rising, and the neighbour from whose row each of them starts."""
Mask = NDArray[np.bool_]
"""Of peers, shape (n,)."""
Wait = Literal["neighbourhood", "barrier", "fastest_m", "none"]


@dataclass(frozen=True, kw_only=True)
class TimeModel(Options, ABC):
    """What simulated time is made of; `Clock` is the one there is."""

    @abstractmethod
    def check(self, topology: Topology, *, asynchronous: bool) -> None:
        """Raise OptionError unless it fits the network; called before round 0."""


class RunTime(ABC):
    """The simulated time of one run.

    Attributes:
        clock: its options.
        late: messages of the last round that came too late to be used, under the rule "fastest_m".
        present: mask of the peers that are present in the next round, shape (n,); None: all, or an asynchronous run.
    """

    clock: Clock
    late: int = 0
    present: Mask | None = None

    @property
    @abstractmethod
    def members(self) -> Mask | None:
        """Mask of the peers whose metrics are recorded, those present in the last round, shape (n,); None: all."""

    def joins(self, round: int, weights: csr_array, size: float) -> Joins | None:
        """The peers that join for a round, to which it takes a message from a neighbour; None: none does.

        Asked for once a round, with its W and the bytes of a message.
        """
        return None

    def weights(self, round: int, weights: csr_array, size: float, present: Mask | None = None) -> csr_array:
        """The W that a round mixes with: W_t, or what absent peers and "fastest_m" leave of it.

        Args:
            round: 0-based.
            weights: W_t, symmetric under "fastest_m" and with churn.
            size: bytes of one message.
            present: mask of the participants, shape (n,); None: all.
        """
        return weights

    @abstractmethod
    def advance(self, round: int, exchanges: Iterable[Exchange], queries: NDArray, present: Mask | None = None) -> None:
        """Let one round pass.

        Args:
            round: 0-based.
            exchanges: the gossip steps, in their order.
            queries: how many each peer asks in the round, shape (n,).
            present: mask of the participants, shape (n,); None: all.
        """

    @property
    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """Seconds since the start, and the share of them spent waiting.

        `time` is that of the slowest peer and `time_mean` the mean over peers; `idle` is the mean share of waiting.
        """

    def arrays(self) -> dict[str, NDArray]:
        """What a checkpoint holds, a row for each peer."""
        return {}

    @abstractmethod
    def restore(self, round: int, arrays: Mapping[str, NDArray]) -> None:
        """Go on after `round` rounds, from the arrays of a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Clock(TimeModel):
    """Simulated time: how long peers compute, how long messages travel, and whom a peer waits for.

    Args:
        compute: how long a peer computes in a round, or between two wakings of an asynchronous run.
        links: how long messages travel.
        wait: whom a peer waits for in a gossip step: "neighbourhood", for its neighbours, as MPI's neighbour exchange
            does; "barrier", for all peers; "fastest_m", for its m first neighbours: both ends of a link keep the weight
            of what comes later in either direction, so W stays doubly stochastic, which takes an acknowledgement that
            costs no time here. "none": for nobody, which is how asynchronous algorithms run. None: "none" for these,
            else "neighbourhood".
        m: neighbours that "fastest_m" waits for, at least 1.
        availability: when peers are present: they leave after a round or waking, do nothing while they are absent, and
            start from the x of a neighbour that is drawn at random where they join; both ends of a link to an absent
            peer keep its weight. None: all are present at all times.
    """

    public_name = "simulated"

    compute: Compute = Constant()
    links: Links = UniformLinks()
    wait: Wait | None = option(None, one_of, get_args(Wait))
    m: int | None = option(None, whole_number, 1)
    availability: Availability | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.m is None) == (self.wait == "fastest_m"):
            raise OptionError("m", self.m, "must be set for wait fastest_m, and for no other", "set both, or neither")
        if self.m is not None and self.compute.needs_queries:
            rule = "must wait for all neighbours, because times depend on the queries of the same round"
            raise OptionError("wait", self.wait, rule, "choose another compute profile, or neighbourhood")

    def check(self, topology: Topology, *, asynchronous: bool) -> None:
        with options_within("clock"):
            self._check_rule(topology, asynchronous)
            with options_within("compute"):
                self.compute.check(topology.n)
            with options_within("links"):
                self.links.check(topology.n)
            if self.availability is not None:
                with options_within("availability"):
                    self.availability.check(topology.n)
                _require_symmetric("availability", public_name(self.availability), topology)

    def _check_rule(self, topology: Topology, asynchronous: bool) -> None:
        if asynchronous and self.wait not in (None, "none"):
            rule = "must be none for an asynchronous algorithm, whose peers never wait"
            raise OptionError(
                "wait", self.wait, rule, "leave it out, or choose a synchronous algorithm such as dfedsam"
            )
        if not asynchronous and self.wait == "none":
            raise OptionError("wait", self.wait, "belongs to asynchronous algorithms", "choose adsgd or ad_psgd")
        if self.m is None:
            return
        _require_symmetric("wait", self.wait, topology)
        smallest = min(
            (int(np.diff(topology.weights(t).indptr).min()) - 1 for t in range(topology.period or 0)), default=self.m
        )
        if self.m > smallest:
            rule = f"must be at most {smallest}, the smallest number of neighbours"
            raise OptionError("m", self.m, rule, "choose a smaller one, or a denser graph")


def _require_symmetric(option: str, value: object, topology: Topology) -> None:
    if topology.directed or topology.sums != "both":
        rule = "must have undirected links and weights whose rows and columns sum to one: both ends keep theirs"
        raise OptionError(option, value, rule, "choose another topology")
