"""DFedAvg and DFedAvgM: K local steps, without and with momentum, then one exchange."""

from dataclasses import dataclass

from dfedsam.algorithms.gossiping import GossipingLocalSteps


@dataclass(frozen=True, kw_only=True)
class DFedAvg(GossipingLocalSteps):
    """DFedAvg: K local steps x ← x − η g, then x ← W x.

    Source: Sun, Li and Wang (2022), "Decentralized federated averaging". A round costs K times the estimator's queries
    and one vector an edge and direction.
    """


@dataclass(frozen=True, kw_only=True)
class DFedAvgM(DFedAvg):
    """DFedAvgM: DFedAvg with momentum β in the local steps, which starts at zero in every round.

    Source: Sun, Li and Wang (2022), "Decentralized federated averaging", algorithm 1. Costs as DFedAvg.
    """

    momentum: float = 0.9
