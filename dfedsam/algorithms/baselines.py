"""The two extremes of communication: none at all, and an exact average in every round."""

from __future__ import annotations

from dataclasses import dataclass

from dfedsam.algorithms.local_steps import LocalState, LocalSteps
from dfedsam.context import RoundContext


@dataclass(frozen=True, kw_only=True)
class LocalOnly(LocalSteps):
    """No communication: every peer takes its K local steps alone. Costs K times the estimator's queries in a round."""

    def round(self, state: LocalState, context: RoundContext) -> LocalState:
        self.local_phase(state, context)
        return state


@dataclass(frozen=True, kw_only=True)
class CentralAverage(LocalSteps):
    """FedAvg, a baseline with a server: K local steps, then every peer takes the exact mean of all.

    Source: McMahan et al. (2017), "Communication-efficient learning of deep networks from decentralized data", with
    equal weights, so that its limit is the limit of gossip. With a zeroth-order estimator this is FedZO (Fang et al.,
    2022); with the estimator exact, on a soft prompt, it is FedPrompt (Zhao et al., 2023), a first-order reference;
    with ρ > 0 it is FedSAM (Qu et al., 2022). A round costs K times the estimator's queries, twice that with SAM, and
    one vector up and one down for each peer.
    """

    uses_server = True

    def round(self, state: LocalState, context: RoundContext) -> LocalState:
        assert context.server is not None
        self.local_phase(state, context)
        state.x[:] = context.server.mean(state.x)
        return state
