"""Local steps, and more at a round's ends: OledFL, DFedCata, DFedADMM, Network-DANE, DiLoCo and NoLoCo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.options import at_least, between, option, positive


@dataclass(kw_only=True)
class OledFLState(LocalState):
    """`last`: where each peer's last local steps ended, shape (peers, dim)."""

    last: NDArray


@dataclass(frozen=True, kw_only=True)
class OledFL(GossipLocalSteps):
    """x ← x + β (x − where this peer's last local steps ended), then K local steps and x ← W x.

    Source: Li et al. (2024), "OledFL: unleashing the potential of decentralized federated learning via opposite
    lookahead enhancement". A round costs K times the estimator's queries, twice that with SAM (ρ > 0), and one vector
    per edge and direction.

    Args:
        beta: β ≥ 0, the extrapolation; 0 is DFedAvg, or DFedSAM if ρ > 0.
    """

    public_name = "oledfl"
    adds_gradient_steps = False

    beta: float = option(0.3, at_least, 0)

    def init(self, x: NDArray, problem: Problem) -> OledFLState:
        return OledFLState(**self.initial_fields(x, problem), last=x.copy())

    def round(self, state: OledFLState, context: RoundContext) -> OledFLState:
        state.x += self.beta * (state.x - state.last)
        self.local_phase(state, context)
        state.last[:] = state.x
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        return state


@dataclass(kw_only=True)
class DFedCataState(LocalState):
    """`mixed`: y, the result of the last gossip, shape (peers, dim)."""

    mixed: NDArray


@dataclass(frozen=True, kw_only=True)
class DFedCata(GossipLocalSteps):
    """K times x ← x − η (ĝ + κ (x − x₀)) from x₀; then y⁺ = W x and x ← y⁺ + β (y⁺ − y).

    The pull κ to x₀, where the round began, makes the local objective a Moreau envelope; β is Nesterov's extrapolation
    of the mixed models. Public code of this name extrapolates from the peer's last local model instead, y⁺ + β (y⁺ −
    x), as OledFL does. Source: Li et al. (2024), "DFedCata", after Lin, Mairal and Harchaoui (2015), "A universal
    catalyst for first-order optimization". A round costs K times the estimator's queries, twice that with SAM (ρ > 0),
    and one vector per edge and direction.

    Args:
        kappa: κ ≥ 0, the strength of the pull. Keep ηκ below 1.
        beta: β of the extrapolation, 0 ≤ β < 1.
    """

    public_name = "dfedcata"
    adds_gradient_steps = False

    kappa: float = option(1.0, at_least, 0)
    beta: float = option(0.5, between, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> DFedCataState:
        return DFedCataState(**self.initial_fields(x, problem), mixed=x.copy())

    def round(self, state: DFedCataState, context: RoundContext) -> DFedCataState:
        start = state.x.copy()
        self.local_phase(state, context, correction=lambda x, rows: self.kappa * (x - start[rows]))
        mixed, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        state.x = mixed + self.beta * (mixed - state.mixed)
        state.mixed = mixed
        return state


@dataclass(kw_only=True)
class DFedADMMState(LocalState):
    """`dual`: c, shape (peers, dim)."""

    dual: NDArray


@dataclass(frozen=True, kw_only=True)
class DFedADMM(GossipLocalSteps):
    """K times x ← x − η (ĝ − c + (x − x₀)/λ) from x₀, then c ← c − (x − x₀)/λ, and W mixes x − λ c.

    x₀ is x at the start of the round; c tends to the peer's own gradient. With ρ > 0 this is DFedADMM-SAM. Source: Li
    et al. (2023), "DFedADMM: dual constraints controlled model inconsistency for decentralized federated learning". A
    round costs K times the estimator's queries, twice that with SAM, and one vector per edge and direction.

    Args:
        penalty: λ > 0, how far a round may go: the pull to x₀ has the weight 1/λ. Keep η/λ below 1.
    """

    public_name = "dfedadmm"
    mixes = "x − λ c after the local steps"

    penalty: float = option(0.1, positive)

    def init(self, x: NDArray, problem: Problem) -> DFedADMMState:
        return DFedADMMState(**self.initial_fields(x, problem), dual=np.zeros_like(x))

    def round(self, state: DFedADMMState, context: RoundContext) -> DFedADMMState:
        start = state.x.copy()
        self.local_phase(state, context, correction=lambda x, rows: (x - start[rows]) / self.penalty - state.dual[rows])
        state.dual -= (state.x - start) / self.penalty
        state.x -= self.penalty * state.dual
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        return state


@dataclass(kw_only=True)
class NetworkDANEState(LocalState):
    """The state of Network-DANE.

    Args:
        s: the tracked gradient, shape (peers, dim).
        g: the last round's estimates at y, shape (peers, dim).
        gossip_s: the state of the gossip of s.
    """

    s: NDArray
    g: NDArray
    gossip_s: Any


@dataclass(frozen=True, kw_only=True)
class NetworkDANE(GossipLocalSteps):
    """y = W x, s ← W s + g(y) − g(y⁻), then K times x ← x − η (ĝ(x) − g(y) + s + μ (x − y)) from x = y.

    The steps minimise f_i(x) − ⟨g(y) − s, x⟩ + (μ/2)‖x − y‖², which the paper does exactly. With exact gradients the
    peers reach the optimum, whatever their data. Source: Li, Cen, Chen and Chi (2020), "Communication-efficient
    distributed optimization in networks with gradient tracking and variance reduction", algorithm 2. A round costs
    K + 1 times the estimator's queries, twice that with SAM, and two vectors per edge and direction.

    Args:
        pull: μ ≥ 0; more of it keeps peers whose Hessians differ from moving too far.
    """

    public_name = "network_dane"
    mixes = "x before the local steps"
    adds_gradient_steps = False

    pull: float = option(1.0, at_least, 0)

    def init(self, x: NDArray, problem: Problem) -> NetworkDANEState:
        zero = np.zeros_like(x)
        gossip = self.gossip.init(zero)
        return NetworkDANEState(**self.initial_fields(x, problem), s=zero, g=zero.copy(), gossip_s=gossip)

    def round(self, state: NetworkDANEState, context: RoundContext) -> NetworkDANEState:
        y, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x))
        g, state.estimator = self.gradient(context, y, state.estimator)
        s, state.gossip_s = self.gossip(state.s, state.gossip_s, context.channel())
        state.s, state.g = s + g - state.g, g
        shift = state.s - g
        state.x = y.copy()
        self.local_phase(state, context, correction=lambda x, rows: shift[rows] + self.pull * (x - y[rows]))
        return state


@dataclass(kw_only=True)
class DiLoCoState(LocalState):
    """`velocity`: v, shape (peers, dim), and the state of the gossip of Δ."""

    velocity: NDArray
    gossip_delta: Any


@dataclass(frozen=True, kw_only=True)
class DiLoCo(GossipLocalSteps):
    """Δ = x − (x after K local steps), Δ ← W Δ, v ← μ v + Δ, then x ← W x − η_o (Δ + μ v).

    On a complete graph of equal weights this is DiLoCo; with η_o = 1 and μ = 0 it is DFedAvg. Source: Douillard et al.
    (2023), "DiLoCo: distributed low-communication training of language models", algorithm 1, with gossip for both
    means. A round costs K times the estimator's queries and two vectors per edge and direction.

    Args:
        outer_lr: η_o, above 0.
        outer_momentum: μ, 0 ≤ μ < 1.
    """

    public_name = "diloco"
    mixes = "x before the local steps"
    adds_gradient_steps = False

    outer_lr: float = option(0.7, positive)
    outer_momentum: float = option(0.9, between, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> DiLoCoState:
        zero = np.zeros_like(x)
        gossip = self.gossip.init(zero)
        return DiLoCoState(**self.initial_fields(x, problem), velocity=zero, gossip_delta=gossip)

    def round(self, state: DiLoCoState, context: RoundContext) -> DiLoCoState:
        start, v = state.x.copy(), state.velocity
        delta = self.mixed_change(state, context)
        state.x, state.gossip = self.gossip(start, state.gossip, context.channel(start))
        v *= self.outer_momentum
        v += delta
        state.x -= self.outer_lr * (delta + self.outer_momentum * v)
        return state

    def mixed_change(self, state: DiLoCoState, context: RoundContext) -> NDArray:
        """W Δ of the local steps, shape (peers, dim), which leave x where they end."""
        start = state.x.copy()
        self.local_phase(state, context)
        delta, state.gossip_delta = self.gossip(start - state.x, state.gossip_delta, context.channel())
        return delta


@dataclass(frozen=True, kw_only=True)
class NoLoCo(DiLoCo):
    """Δ as in DiLoCo, then v ← μ v − η_o W Δ + γ (W x − x) and x ← x + v: no exact mean is ever taken.

    Meant for the topology random_matching, whose peers meet in random pairs; γ = 1 without the rest is plain pair
    averaging. Source: Kolehmainen et al. (2025), "NoLoCo: no-all-reduce low communication training method for large
    models", with γ = η_o as in the authors' code. Costs as DiLoCo.

    Args:
        pull: γ, of the mixed x, above 0.
    """

    public_name = "noloco"

    pull: float = option(0.7, positive)

    def round(self, state: DiLoCoState, context: RoundContext) -> DiLoCoState:
        start, v = state.x.copy(), state.velocity
        delta = self.mixed_change(state, context)
        mixed, state.gossip = self.gossip(start, state.gossip, context.channel(start))
        v *= self.outer_momentum
        v += self.pull * (mixed - start) - self.outer_lr * delta
        state.x = start + v
        return state
