"""The two ends between which every topology lies: no communication at all, and an exact average in every round."""

from __future__ import annotations

from dataclasses import dataclass

from dfedsam.algorithms.base import ServerAlgorithm, State
from dfedsam.algorithms.local_steps import LocalSteps
from dfedsam.context import RoundContext, Server


@dataclass(frozen=True, kw_only=True)
class LocalOnly(LocalSteps):
    """No communication: every peer runs its K local steps alone. Costs K times the estimator's queries a round."""

    def round(self, state: State, context: RoundContext) -> State:
        """K local steps."""
        return self.local_phase(state, context)


@dataclass(frozen=True, kw_only=True)
class Averaged(ServerAlgorithm):
    """The server's part in FedAvg."""

    def serve(self, state: State, server: Server) -> State:
        """x_i ← mean of all x."""
        state["x"][:] = server.mean(state["x"])
        return state


@dataclass(frozen=True, kw_only=True)
class CentralAverage(LocalOnly, Averaged):
    """FedAvg, a baseline with a server: K local steps, then every peer takes the exact mean of all.

    Source: McMahan et al. (2017), "Communication-efficient learning of deep networks from decentralized data", with
    all peers in every round and equal weights, so that its limit is the limit of gossip. With a zeroth-order estimator
    this is FedZO (Fang et al., 2022); with the estimator exact, on a soft prompt, it is FedPrompt (Zhao et al., 2023),
    a first-order reference. A round costs K times the estimator's queries, and one vector up and one down a peer.
    """
