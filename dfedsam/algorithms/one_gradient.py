"""One gradient estimate per round: the shared part of methods that correct D-PSGD's bias or its momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import GradientMethod, State
from dfedsam.context import RoundContext
from dfedsam.gossip import Gossip, Plain
from dfedsam.objectives.base import Problem
from dfedsam.state import rows_of, set_rows


@dataclass(kw_only=True)
class GradientState(State):
    """The states of the estimator and of the gossip of x."""

    estimator: Any
    gossip: Any


@dataclass(frozen=True, kw_only=True)
class OneGradient(GradientMethod):
    """Shared by algorithms in which every peer estimates one gradient in a round; twice the queries with ρ > 0."""

    def gradient(
        self, context: RoundContext, x: NDArray, state: Any, direction: NDArray | None = None
    ) -> tuple[NDArray, Any]:
        """Estimate every peer's gradient on its own minibatch, at x or at SAM's perturbed point.

        Args:
            context: the round's context.
            x: the block's models, shape (peers, dim).
            state: the estimator's state.
            direction: direction of SAM's perturbation, shape (peers, dim); None: a separate estimate.

        Returns:
            Estimates, shape (peers, dim), 0 for absent peers, and the estimator's state.
        """
        g = np.zeros_like(x)
        for rows, chunk in context.chunks(self.estimator.queries(x.shape[1]), x[0].nbytes):
            oracle, local = chunk.oracle(0), rows_of(state, rows)
            along = direction[rows].copy() if self.rho and direction is not None else None
            at, local = self.perturbed(oracle, x[rows], local, along)
            g[rows], local = self.estimator(oracle, at, local, "descent")
            set_rows(state, rows, local)
        return g, state


@dataclass(frozen=True, kw_only=True)
class GossipOneGradient(OneGradient):
    """Shared by those of these algorithms that gossip.

    Args:
        gossip: the gossip phase.
    """

    gossip: Gossip = Plain()

    def initial_fields(self, x: NDArray, problem: Problem) -> dict[str, Any]:
        """The fields of GradientState before round 0, for x (peers, dim)."""
        return {"x": x, "estimator": self.estimator.init(x, problem), "gossip": self.gossip.init(x)}
