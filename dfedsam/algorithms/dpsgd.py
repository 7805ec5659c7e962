"""D-PSGD: one stochastic step, then gossip; and SGP, the same on directed links."""

from __future__ import annotations

from dataclasses import dataclass

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.gossip import Gossip, PushSum


@dataclass(frozen=True, kw_only=True)
class DPSGD(GossipLocalSteps):
    """D-PSGD in its adapt-then-combine form: x ← W (x − η g). K = 1 by default.

    Source: Lian et al. (2017), "Can decentralized algorithms outperform centralized algorithms?"; the paper combines
    first (W x − η g), adapting first has the same rate and a smaller steady error (Sayed, 2014). A round costs K times
    the estimator's queries and one vector per edge and direction.
    """

    replayable = True
    covered_gossip = frozenset({"compressed", "push_sum"})

    local_steps: int = 1

    def round(self, state: LocalState, context: RoundContext) -> LocalState:
        update = self.local_update(state, context)
        self.local_phase(state, context, update=update)
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x, update))
        return state


@dataclass(frozen=True, kw_only=True)
class SGP(DPSGD):
    """Stochastic gradient push: X ← W (X − η g(X/w)), w ← W w with columns of W that sum to one.

    Source: Assran et al. (2019), "Stochastic gradient push for distributed deep learning", algorithm 1. A round costs K
    times the estimator's queries and one vector and one number per edge.
    """

    gossip: Gossip = PushSum()
