"""D-PSGD: one stochastic step, then one exchange."""

from dataclasses import dataclass

from dfedsam.algorithms.gossiping import GossipingLocalSteps


@dataclass(frozen=True, kw_only=True)
class DPSGD(GossipingLocalSteps):
    """D-PSGD in its adapt-then-combine form: x ← W (x − η g). K = 1 by default.

    Source: Lian et al. (2017), "Can decentralized algorithms outperform centralized algorithms?"; the paper combines
    first (W x − η g), adapting first has the same rate and a smaller steady error (Sayed, 2014). A round costs K times
    the estimator's queries and one vector an edge and direction.
    """

    local_steps: int = 1
