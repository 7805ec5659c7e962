"""DFedAdam: Adam's rates for each coordinate, taken after mixing, from momentum that is averaged over neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_steps import GradientSteps
from dfedsam.context import Oracle, RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.validation import between, positive


@dataclass(frozen=True, kw_only=True)
class DFedAdam(GradientSteps):
    """m ← W (β₁ m + (1 − β₁) g), v ← β₂ v + (1 − β₂) m̂², then x ← W (x − η m̂/(√v̂ + ε)); hats undo the start at zero.

    An Adam on each peer's own estimate divides by that peer's noise, and the network's average then shrinks the noise
    less than it shrinks the signal. Here noise is averaged first: over neighbours and over steps, while all is linear
    in the estimates, and v sees what is left. Peers' v come to agree as their m do.

    Source: Reddi et al. (2021), "Adaptive federated optimization" (FedAdam), whose server's mean is gossip here; a
    second moment of the momentum, not of the gradient, is that of Wang et al. (2021), "Rethinking Adam: a twofold
    exponential moving average approach". That v's which differ between peers can move the point where they end is
    shown by Chen et al. (2022), "On the convergence of decentralized adaptive gradient methods". A round costs the
    estimator's queries, also with SAM, and two vectors an edge and direction.

    Args:
        lr: η, about how far each coordinate moves in the first round, in units of x, above 0.
        rho: ρ ≥ 0, the length of SAM's ascent, in units of x, along the mixed momentum: an estimate that is averaged
            over steps and neighbours, and costs no query; 0 turns it off.
        beta1: β₁ of the momentum, from 0 to below 1.
        beta2: β₂ of its second moment, from 0 to below 1.
        epsilon: ε, above 0, what keeps a coordinate without slope at rest.
    """

    lr: float = 0.003
    rho: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        between("beta1", self.beta1, 0, 1, open_high=True)
        between("beta2", self.beta2, 0, 1, open_high=True)
        positive("epsilon", self.epsilon)

    def init(self, x: NDArray, problem: Problem) -> State:
        """m = v = 0, and both gossips' memory."""
        memory = {"gossip": self.gossip.init(x), "gossip_momentum": self.gossip.init(np.zeros_like(x))}
        return {**super().init(x, problem), "momentum": np.zeros_like(x), "second": np.zeros_like(x), **memory}

    def climb(self, oracle: Oracle, x: NDArray, state: State) -> NDArray:
        """The mixed momentum as the last round left it."""
        return state["momentum"][oracle.rows].copy()

    def round(self, state: State, context: RoundContext) -> State:
        """One gradient; m is mixed; one step; x is mixed."""
        x, v = state["x"], state["second"]
        m = self.beta1 * state["momentum"] + (1 - self.beta1) * self.gradient(context, x, state)
        m = self.mix(state, context, m, "gossip_momentum")
        first = m / (1 - self.beta1 ** (context.round + 1))
        v *= self.beta2
        v += (1 - self.beta2) * first**2
        step = first / (np.sqrt(v / (1 - self.beta2 ** (context.round + 1))) + self.epsilon)
        return state | {"x": self.mix(state, context, x - self.rate(context.round) * step), "momentum": m, "second": v}
