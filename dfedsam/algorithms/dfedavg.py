"""DFedAvg and DFedAvgM: K local steps, without and with momentum, then gossip."""

from __future__ import annotations

from dataclasses import dataclass

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext


@dataclass(frozen=True, kw_only=True)
class DFedAvg(GossipLocalSteps):
    """DFedAvg: K local steps x ← x − η g, then x ← W x.

    Source: Sun, Li and Wang (2022), "Decentralized federated averaging". A round costs K times the estimator's queries
    and one vector per edge and direction.
    """

    public_name = "dfedavg"
    replayable = True
    covered_gossip = frozenset({"compressed", "push_sum"})

    def round(self, state: LocalState, context: RoundContext) -> LocalState:
        update = self.local_update(state, context)
        self.local_phase(state, context, update=update)
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x, update))
        return state


@dataclass(frozen=True, kw_only=True)
class DFedAvgM(DFedAvg):
    """DFedAvgM: DFedAvg with momentum β in the local steps, which starts at zero in every round.

    Source: Sun, Li and Wang (2022), "Decentralized federated averaging", algorithm 1. Costs as DFedAvg.
    """

    public_name = "dfedavgm"

    momentum: float = 0.9
