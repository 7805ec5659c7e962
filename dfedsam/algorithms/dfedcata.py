"""DFedCata: local steps held near their start, and extrapolated mixing."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.dfedsam import DFedSAM
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import at_least, between


@dataclass(frozen=True, kw_only=True)
class DFedCata(DFedSAM):
    """K times x ← x − η (ĝ + κ (x − x₀)) from x₀; then y⁺ = W x and x ← y⁺ + β (y⁺ − y).

    The pull κ to where the round began makes the local objective a Moreau envelope; β is Nesterov's extrapolation of
    what was mixed. Source: Li et al. (2024), "DFedCata", after Lin, Mairal and Harchaoui (2015), "A universal catalyst
    for first-order optimization". Costs what DFedSAM costs, half the queries with ρ = 0, which is the default here.

    Args:
        kappa: κ ≥ 0, the strength of the pull. Keep ηκ below 1.
        beta: β of the extrapolation, 0 ≤ β < 1.
    """

    rho: float = 0.0
    kappa: float = 1.0
    beta: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("kappa", self.kappa, 0)
        between("beta", self.beta, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> State:
        """y = x."""
        return {**super().init(x, problem), "anchor": x.copy(), "mixed": x.copy()}

    def pull(self, x: NDArray, state: State, rows: slice) -> NDArray:
        """What is added to the estimates of these rows, shape (p, dim)."""
        return self.kappa * (x - state["anchor"][rows])

    def round(self, state: State, context: RoundContext) -> State:
        """K local steps, gossip, extrapolation."""
        state["anchor"][:] = state["x"]
        state = self.exchange(self.local_phase(state, context), context)
        mixed = state["x"].copy()
        state["x"] += self.beta * (mixed - state["mixed"])
        return state | {"mixed": mixed}
