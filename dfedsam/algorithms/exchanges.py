"""Gossip of whole vectors: what the methods share that exchange more than the sum of their local steps."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.context import RoundContext
from dfedsam.gossip import Gossip, Plain
from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Exchanges(Algorithm):
    """Exchanges of vectors, any number a round.

    Args:
        gossip: the exchange phase.
    """

    gossip: Gossip = Plain()

    def check(self, topology: Topology) -> None:
        """Whether its gossip works on the topology, and carries vectors."""
        self.gossip.check(topology)
        if self.gossip.sends_coefficients:
            raise ValueError(
                f"algorithm is {type(self).__name__}: the gossip {type(self.gossip).__name__} replays plain local "
                "steps; choose DPSGD, DFedAvg or DFedSAM"
            )

    def note(self, topology: Topology) -> str | None:
        """What its gossip has to say."""
        return self.gossip.note(topology)

    def exchanges(self) -> Gossip:
        """Its gossip."""
        return self.gossip

    def figures(self, state: State) -> dict[str, float]:
        """Those of its gossip."""
        return self.gossip.figures(state["gossip"])

    def mix(self, state: State, context: RoundContext, x: NDArray, memory: str = "gossip") -> NDArray:
        """x (peers, dim) after gossip, which may overwrite it; its memory is kept in the state under `memory`."""
        x, state[memory] = self.gossip(x, state[memory], context.channel(x))
        return x
