"""DFedSAM and DFedSAM-MG: local steps of sharpness-aware minimisation, then one or several gossip steps."""

from __future__ import annotations

from dataclasses import dataclass

from dfedsam.algorithms.local_steps import GossipLocalSteps
from dfedsam.gossip import Gossip, Plain


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
