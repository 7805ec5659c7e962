"""Local steps, then one exchange phase with the neighbours: the frame of DFedAvg, DFedSAM and D-PSGD."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.local_steps import LocalSteps
from dfedsam.gossip import Gossip, Plain
from dfedsam.play import Play
from topologies import Topology


@dataclass(frozen=True, kw_only=True)
class GossipingLocalSteps(LocalSteps):
    """K local steps of every peer, then gossip.

    Args:
        gossip: the exchange phase.
    """

    gossip: Gossip = Plain()

    def check(self, topology: Topology) -> None:
        """Whether its gossip works on the topology."""
        self.gossip.check(topology)

    def note(self, topology: Topology) -> str | None:
        """What its gossip has to say."""
        return self.gossip.note(topology)

    def init(self, x: NDArray) -> State:
        """The state before round 0, gossip's memory included."""
        return {**super().init(x), "gossip": self.gossip.init(x)}

    def round(self, state: State, play: Play) -> State:
        """K local steps, then x ← gossip(x)."""
        return self.exchange(self.local_phase(state, play), play)

    def exchange(self, state: State, play: Play) -> State:
        """x ← gossip(x)."""
        state["x"], state["gossip"] = play.gossip(self.gossip, state["x"], state["gossip"])
        return state
