"""Local steps, then gossip: DFedSAM, DFedSAM-MG, DFedAvg, DFedAvgM, D-PSGD, SGP; no averaging, or an exact one."""

from __future__ import annotations

from dataclasses import dataclass

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState, LocalSteps
from dfedsam.context import RoundContext
from dfedsam.gossip import Gossip, Plain, PushSum


@dataclass(frozen=True, kw_only=True)
class DFedSAM(GossipLocalSteps):
    """DFedSAM: K times x ← x − η ĝ(x + ρ ĝ(x)/‖ĝ(x)‖) on one minibatch each, then x ← W x.

    Source: Shi et al. (2023), "Improving the model consistency of decentralized federated learning", algorithm 1; here
    ĝ comes from queries. A local step costs twice the estimator's queries with the perturbations "own" and "same", once
    with the others and with ρ = 0, which is DFedAvg; a round sends one vector per edge and direction.
    """

    public_name = "dfedsam"
    replayable = True
    covered_gossip = frozenset({"push_sum"})

    rho: float = 0.05

    def convergence_rate(self, contraction: float, rounds: int) -> float:
        """1/√(KT) + 1/T + (λ_Q + 1)/(√K T^{3/2} (1 − λ_Q)²): how the squared gradient falls (theorem 1)."""
        K, T = self.local_steps, rounds
        return 1 / (K * T) ** 0.5 + 1 / T + (contraction + 1) / (K**0.5 * T**1.5 * (1 - contraction) ** 2)


@dataclass(frozen=True, kw_only=True)
class DFedSAMMG(DFedSAM):
    """DFedSAM-MG ("MGS" in the paper): DFedSAM with Q > 1 gossip steps in a round, so that peers agree more.

    Source: Shi et al. (2023), algorithm 2: Q steps equal one with W^Q. Queries as DFedSAM; a round sends Q vectors per
    edge and direction.
    """

    public_name = "dfedsam_mg"

    gossip: Gossip = Plain(steps=4)


@dataclass(frozen=True, kw_only=True)
class DFedAvg(GossipLocalSteps):
    """DFedAvg: K local steps x ← x − η g, then x ← W x.

    Source: Sun, Li and Wang (2022), "Decentralized federated averaging". A round costs K times the estimator's queries
    and one vector per edge and direction.
    """

    public_name = "dfedavg"
    replayable = True
    covered_gossip = frozenset({"compressed", "push_sum"})


@dataclass(frozen=True, kw_only=True)
class DFedAvgM(DFedAvg):
    """DFedAvgM: DFedAvg with momentum β in the local steps, which starts at zero in every round.

    Source: Sun, Li and Wang (2022), "Decentralized federated averaging", algorithm 1. Costs as DFedAvg.
    """

    public_name = "dfedavgm"

    momentum: float = 0.9


@dataclass(frozen=True, kw_only=True)
class DPSGD(DFedAvg):
    """D-PSGD in its adapt-then-combine form: x ← W (x − η g). K = 1 by default.

    Source: Lian et al. (2017), "Can decentralized algorithms outperform centralized algorithms?"; the paper combines
    first (W x − η g), adapting first has the same rate and a smaller steady error (Sayed, 2014). Costs as DFedAvg.
    """

    local_steps: int = 1


@dataclass(frozen=True, kw_only=True)
class SGP(DPSGD):
    """Stochastic gradient push: X ← W (X − η g(X/w)), w ← W w with columns of W that sum to one.

    Source: Assran et al. (2019), "Stochastic gradient push for distributed deep learning", algorithm 1. A round costs K
    times the estimator's queries and one vector and one number per edge.
    """

    gossip: Gossip = PushSum()


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
