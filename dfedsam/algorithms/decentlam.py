"""DecentLaM: momentum that does not enlarge the bias of heterogeneous data."""

from __future__ import annotations

from dataclasses import dataclass

from dfedsam.algorithms.base import State
from dfedsam.algorithms.qg_dsgdm import QGDSGDm
from dfedsam.context import RoundContext


@dataclass(frozen=True, kw_only=True)
class DecentLaM(QGDSGDm):
    """g̃ = (x − W (x − η g))/η, m ← β m + g̃, x ← x − η m: momentum on D-PSGD's whole step, mixing included.

    Its steady bias is that of D-PSGD at the rate η, where momentum before the mixing has that of η/(1 − β). Source:
    Yuan et al. (2021), "DecentLaM: decentralized momentum SGD for large-batch deep training", algorithm 2. A round
    costs the estimator's queries and one vector an edge and direction.

    Args:
        momentum: β, 0 ≤ β < 1.
    """

    def round(self, state: State, context: RoundContext) -> State:
        """One gradient, then one exchange."""
        x, m, rate = state["x"], state["momentum"], self.rate(context.round)
        mixed = self.mix(state, context, x - rate * self.gradient(context, x, state))
        m *= self.momentum
        m += (x - mixed) / rate
        return state | {"x": x - rate * m}
