"""SGP: stochastic gradient push, D-PSGD on directed links."""

from dataclasses import dataclass

from dfedsam.algorithms.dpsgd import DPSGD
from dfedsam.gossip import Gossip, PushSum


@dataclass(frozen=True, kw_only=True)
class SGP(DPSGD):
    """Stochastic gradient push: X ← W (X − η g(X/w)), w ← W w with columns of W that sum to one.

    Source: Assran et al. (2019), "Stochastic gradient push for distributed deep learning", algorithm 1. A round costs K
    times the estimator's queries and one vector and one number an edge. With SAM: DFedSAM with the gossip push_sum.
    """

    gossip: Gossip = PushSum()
