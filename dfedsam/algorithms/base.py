"""What an algorithm is: hyper-parameters, a state of arrays with a row a peer, and one round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from dfedsam.context import RoundContext, Server
from dfedsam.gossip import Gossip
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology
from dfedsam.zeroth_order import Estimator

State = dict[str, Any]
"""Arrays by name, each with the block's peers as first axis, "x" (peers, dim) among them; gossip and
the estimator keep theirs under "gossip" and "estimator", dicts of the same kind."""


@dataclass(frozen=True, kw_only=True)
class Algorithm(ABC):
    """A decentralised algorithm: it reaches other peers only through gossip."""

    def check(self, topology: Topology) -> None:  # noqa: B027  (most algorithms work on all)
        """Raise ValueError, with what to use instead, unless this algorithm works on the topology; called before round
        0."""

    def check_problem(self, problem: Problem) -> None:
        """Raise ValueError unless this algorithm can minimise the problem; called before anything is written."""
        estimator = getattr(self, "estimator", None)
        if isinstance(estimator, Estimator):
            estimator.check(problem)

    def note(self, topology: Topology) -> str | None:
        """What a user should know of this algorithm on the topology, said once at the start of a run; None: nothing."""
        return None

    def exchanges(self) -> Gossip | None:
        """The gossip that averages its peers' x; None where they are not averaged, or not by itself."""
        return None

    def init(self, x: NDArray, problem: Problem) -> State:
        """The state before round 0, for the common start x (peers, dim) of the problem; it owns x from here on."""
        return {"x": x}

    def figures(self, state: State) -> dict[str, float]:
        """What the state holds that belongs among a run's figures; the same on every rank."""
        return {}

    @abstractmethod
    def round(self, state: State, context: RoundContext) -> State:
        """One round. It owns the arrays of `state` and may overwrite them.

        Args:
            state: as it was left by `init` or by the round before.
            play: this round's minibatches, random numbers and edges.

        Returns:
            The state afterwards.
        """


@dataclass(frozen=True, kw_only=True)
class ServerAlgorithm(Algorithm):
    """A baseline with a central server, which has its say at the end of every round."""

    @abstractmethod
    def serve(self, state: State, server: Server) -> State:
        """What the server does with the peers' rows and what they get back; it owns the arrays of `state`."""
