"""DFedSAM and DFedSAM-MG: local steps of sharpness-aware minimisation, then one or several exchanges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gossiping import GossipingLocalSteps
from dfedsam.context import Oracle, RoundContext
from dfedsam.gossip import Gossip, Plain
from dfedsam.objectives.base import Problem
from dfedsam.validation import at_least, one_of
from dfedsam.zeroth_order import ScoreSketch, ascend

Ascent = Literal["own", "same", "random", "momentum", "control", "travel"]
ASCENTS = ("own", "same", "random", "momentum", "control", "travel")


@dataclass(frozen=True, kw_only=True)
class DFedSAM(GossipingLocalSteps):
    """DFedSAM: K times x ← x − η ĝ(x + ρ ĝ(x)/‖ĝ(x)‖) on one minibatch a step, then x ← W x.

    Source: Shi et al. (2023), "Improving the model consistency of decentralized federated learning", algorithm 1; here
    ĝ comes from queries. A local step costs twice the estimator's queries with the ascents "own" and "same", once with
    the others and with ρ = 0, which is DFedAvg; a round sends one vector an edge and direction.

    Args:
        rho: ρ ≥ 0, the length of the ascent, in units of x; 0 turns it off.
        ascent: what is climbed along: "own" (an estimate with directions of its own) or "same" (an estimate along the
            directions that the descent then uses); or, at no query, "momentum", "control" (the estimator's control
            variate), "travel" (back along the last round's way, which the neighbours had their part in: Fan et al.,
            2024, "Locally estimated global perturbations are better than local perturbations for federated
            sharpness-aware minimization"), or "random" (a random unit vector, to compare with).
    """

    rho: float = 0.05
    ascent: Ascent = "own"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("rho", self.rho, 0)
        one_of("ascent", self.ascent, ASCENTS)
        if self.ascent == "momentum" and not self.momentum:
            raise ValueError("ascent is momentum: there is none to climb along; give momentum, such as 0.9")
        if self.ascent == "control" and not getattr(self.estimator, "control_variate", False):
            raise ValueError("ascent is control: the estimator keeps none; set estimator.control_variate")
        if self.ascent == "same" and isinstance(self.estimator, ScoreSketch):
            raise ValueError(
                "ascent is same: the estimator ScoreSketch takes new directions each time; choose momentum"
            )

    def init(self, x: NDArray, problem: Problem) -> State:
        """The state before round 0; nothing was travelled yet."""
        return {**super().init(x, problem), **({"earlier": x.copy()} if self.ascent == "travel" else {})}

    def local_phase(self, state: State, context: RoundContext) -> State:
        """The K local steps; for "travel", "earlier" is x as it was when the last round began."""
        if self.ascent != "travel":
            return super().local_phase(state, context)
        start = state["x"].copy()
        state["earlier"] -= start
        return super().local_phase(state, context) | {"earlier": start}

    def direction(self, oracle: Oracle, x: NDArray, momentum: NDArray | None, state: State) -> NDArray:
        """The estimate at the perturbed point, on the same oracle, shape (p, dim)."""
        if self.rho > 0:
            x = ascend(x, self._climb(oracle, x, momentum, state), self.rho)
        return self.estimator(oracle, x, "descent")

    def _climb(self, oracle: Oracle, x: NDArray, momentum: NDArray | None, state: State) -> NDArray:
        if self.ascent == "random":
            return np.ascontiguousarray(oracle.draws("ascent").normal(x.shape[1:], x.dtype))
        kept = {"momentum": momentum, "control": oracle.memory.get("control")}.get(self.ascent)
        if self.ascent == "travel":
            kept = state["earlier"][oracle.rows]
        if kept is not None:
            return kept.copy()
        return self.estimator(oracle, x, "descent" if self.ascent == "same" else "ascent")


@dataclass(frozen=True, kw_only=True)
class DFedSAMMG(DFedSAM):
    """DFedSAM-MG ("MGS" in the paper): DFedSAM with Q > 1 gossip steps a round, so that peers agree more.

    Source: Shi et al. (2023), algorithm 2: Q steps equal one with W^Q. Queries as DFedSAM; a round sends Q vectors an
    edge and direction.
    """

    gossip: Gossip = Plain(steps=4)
