"""One gradient estimate per round: the shared part of methods that correct D-PSGD's bias or its momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from dfedsam.algorithms.base import GradientMethod, State
from dfedsam.gossip import Gossip, Plain
from dfedsam.objectives.base import Problem


@dataclass(kw_only=True)
class GradientState(State):
    """The states of the estimator and of the gossip of x."""

    estimator: Any
    gossip: Any


@dataclass(frozen=True, kw_only=True)
class GossipOneGradient(GradientMethod):
    """Shared by algorithms in which every peer estimates one gradient in a round; twice the queries with ρ > 0.

    Args:
        gossip: the gossip phase.
    """

    gossip: Gossip = Plain()

    def initial_fields(self, x: NDArray, problem: Problem) -> dict[str, Any]:
        """The fields of GradientState before round 0, for x (peers, dim)."""
        return {"x": x, "estimator": self.estimator.init(x, problem), "gossip": self.gossip.init(x)}
