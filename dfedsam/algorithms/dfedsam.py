"""DFedSAM and DFedSAM-MG: local steps of sharpness-aware minimisation, then one or several exchanges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.gossiping import GossipingLocalSteps
from dfedsam.checks import at_least, one_of
from dfedsam.gossip import Gossip, Plain
from dfedsam.play import Minibatch
from dfedsam.zeroth_order import ascend

Ascent = Literal["own", "same", "random"]
ASCENTS = ("own", "same", "random")


@dataclass(frozen=True, kw_only=True)
class DFedSAM(GossipingLocalSteps):
    """DFedSAM: K times x ← x − η ĝ(x + ρ ĝ(x)/‖ĝ(x)‖) on one minibatch a step, then x ← W x.

    Source: Shi et al. (2023), "Improving the model consistency of decentralized federated learning", algorithm 1; here
    ĝ comes from queries. A local step costs twice the estimator's queries (once with a random ascent, or with ρ = 0,
    which is DFedAvg); a round sends one vector an edge and direction.

    Args:
        rho: ρ ≥ 0, the length of the ascent, in units of x; 0 turns it off.
        ascent: what is climbed along: "own" (an estimate with directions of its own), "same" (an estimate along the
            directions that the descent then uses), or "random" (a random unit vector, a control that costs no query).
    """

    rho: float = 0.05
    ascent: Ascent = "own"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("rho", self.rho, 0)
        one_of("ascent", self.ascent, ASCENTS)

    def direction(self, minibatch: Minibatch, x: NDArray) -> NDArray:
        """The estimate at the perturbed point, on the same minibatch, shape (peers, dim)."""
        if self.rho > 0:
            x = ascend(x, self._climb(minibatch, x), self.rho)
        return self.estimator(minibatch, x, "descent")

    def _climb(self, minibatch: Minibatch, x: NDArray) -> NDArray:
        if self.ascent == "random":
            return np.ascontiguousarray(minibatch.draws("ascent").normal(x.shape[1:], x.dtype))
        return self.estimator(minibatch, x, "descent" if self.ascent == "same" else "ascent")


@dataclass(frozen=True, kw_only=True)
class DFedSAMMG(DFedSAM):
    """DFedSAM-MG ("MGS" in the paper): DFedSAM with Q > 1 gossip steps a round, so that peers agree more.

    Source: Shi et al. (2023), algorithm 2: Q steps equal one with W^Q. Queries as DFedSAM; a round sends Q vectors an
    edge and direction.
    """

    gossip: Gossip = Plain(steps=4)
