"""Shared by SSDA and ADMM: peers that minimise their own objective exactly, instead of taking steps."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.context import RoundContext
from dfedsam.gossip import Gossip, Plain
from dfedsam.objectives.base import Problem
from dfedsam.registry import public_name


@dataclass(frozen=True, kw_only=True)
class LocalMinimisation(Algorithm):
    """A method whose peers minimise f_i plus linear and quadratic terms, and gossip once a round. Costs no query.

    Args:
        gossip: the gossip phase.
    """

    needs_symmetric = True
    refused_gossip = frozenset({"compressed", "biased"})
    adds_gradient_steps = False
    mixes = "x"

    gossip: Gossip = Plain()

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        problem.require_conjugates(public_name(self))

    def minimise(self, state: State, context: RoundContext, y: NDArray, stiffness: NDArray | None = None) -> None:
        """x ← argmin_x f_i(x) + ½ c_i ‖x‖² − y_iᵀx, counted as one gradient of each peer.

        Args:
            state: its x, shape (peers, dim), is where an iterative method starts, and is overwritten.
            context: the round.
            y: shape (peers, dim).
            stiffness: c, at least 0, shape (peers, 1); None: 0.
        """
        x = state.x
        for rows, chunk in context.chunks(1, x[0].nbytes):
            held = 0.0 if stiffness is None else stiffness[rows]
            x[rows] = chunk.problem.conjugate_gradients(y[rows].astype(x.dtype), rows, x[rows], held)
            context.counter.gradients[rows] += 1
