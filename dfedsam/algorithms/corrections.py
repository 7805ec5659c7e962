"""Exact at a constant rate: a correction sums all past disagreements, of one gradient a round or of local steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm
from dfedsam.algorithms.gradient_method import GossipOneGradient, GradientState
from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.gossip import Gossip, Plain
from dfedsam.gossip.channel import Channel
from dfedsam.objectives.base import Problem
from dfedsam.options import option, positive, share
from dfedsam.registry import public_name
from dfedsam.topologies import Topology

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_LIMIT = -1 / 3 + 1e-9  # D² diverges for smallest eigenvalues up to this one; with a margin for rounding


@dataclass(kw_only=True)
class CorrectionState(GradientState):
    """`correction`: c, in float64, shape (peers, dim)."""

    correction: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Corrected(GossipOneGradient):
    """Shared by methods with a correction c, which starts at zero and adds up (W − I) of what is sent.

    Its mean over the peers is zero; so that it stays zero in float32 runs too, c is added up in float64. It tends to
    the difference between a peer's gradient and the mean one, times a factor; so with exact gradients the peers reach
    the optimum. A round costs the estimator's queries, and one vector per edge and direction unless the method says
    otherwise.
    """

    needs_symmetric = True
    refused_gossip = frozenset({"compressed", "biased"})
    mixes = "x − η g + c"

    def init(self, x: NDArray, problem: Problem) -> CorrectionState:
        return CorrectionState(**self.initial_fields(x, problem), correction=np.zeros(x.shape))

    def step(self, state: CorrectionState, context: RoundContext) -> NDArray:
        """z = x − η g + c, shape (peers, dim)."""
        g, state.estimator = self.gradient(context, state.x, state.estimator)
        return (state.x + (state.correction - self.rate(context.round) * g)).astype(state.x.dtype)

    def mix(self, state: CorrectionState, z: NDArray, channel: Channel, share: float, gain: float = 1.0) -> None:
        """x ← W̃ z and c ← c + gain · (W̃ z − z), with W̃ = I − share · (I − W)."""
        difference, state.gossip = self.gossip.difference(z, state.gossip, channel)  # W z − z
        difference *= share
        state.x = (z + difference).astype(z.dtype)
        state.correction += gain * difference


@dataclass(frozen=True, kw_only=True)
class ExactDiffusion(Algorithm):
    """Shared by D² and LED, which mix with (I + W)/2 where W may have an eigenvalue of −1/3 or less."""

    gossip: Gossip = Plain()

    def laziness(self, W: csr_array) -> float:
        """The share of W z − z by which z moves: 1, or ½."""
        smallest = self.gossip.smallest_multiplier(W)
        return 0.5 if smallest is None or smallest <= _LIMIT else 1.0

    def note(self, topology: Topology) -> str | None:
        W, note = topology.weights(0), super().note(topology)
        if self.laziness(W) == 1:
            return note
        smallest = self.gossip.smallest_multiplier(W)
        if smallest is None:
            why = f"that of the gossip {public_name(self.gossip)} is unknown"
        else:
            why = f"this one may be {smallest:.3f}".replace("-", "−")
        lazy = f"{type(self).__name__} mixes with (I + W)/2: it needs a smallest eigenvalue above −1/3, and {why}"
        return f"{lazy}; {note}" if note else lazy


@dataclass(frozen=True, kw_only=True)
class D2(ExactDiffusion, Corrected):
    """z = x − η g + c, x ← W z, c ← c + W z − z: D², also known as exact diffusion.

    With ψ = x − η g this is x ← W (ψ + x − ψ of the round before). It needs λ_min > −1/3; a W (or a polynomial of it)
    that may violate this is made lazy, (I + W)/2, with a note. Source: Tang et al. (2018), "D²: decentralized training
    over decentralized data", algorithm 1; Yuan et al. (2019), "Exact diffusion for distributed optimization and
    learning", which takes (I + W)/2 always.
    """

    def round(self, state: CorrectionState, context: RoundContext) -> CorrectionState:
        z = self.step(state, context)
        self.mix(state, z, context.channel(z), self.laziness(context.weights))
        return state


@dataclass(frozen=True, kw_only=True)
class NIDS(Corrected):
    """z = x − η g + c, x ← W̃ z, c ← c + W̃ z − z with W̃ = I − γ (I − W), from x¹ = x⁰ − η g: NIDS.

    This is x⁺ = W̃ (2x − x⁻ − η (g − g⁻)). Whatever W is, it converges for all η < 2/L on L-smooth objectives. Source:
    Li, Shi and Yan (2019), "A decentralized proximal-gradient method with network independent step-sizes and separated
    convergence rates", equation 9, with one η for all peers. The first round sends nothing.

    Args:
        gamma: γ, above 0 and at most 1/2, which the paper takes; of a W with eigenvalues of 0 and more, at most 1.
    """

    public_name = "nids"
    gamma: float = option(0.5, share)

    def round(self, state: CorrectionState, context: RoundContext) -> CorrectionState:
        state.x = z = self.step(state, context)
        channel = context.channel(z)
        if context.round:
            self.mix(state, z, channel, self.gamma)
        return state


@dataclass(frozen=True, kw_only=True)
class ProxSkip(Corrected):
    """z = x − η g + c; with probability p x ← W̃ z and c ← c + p (W̃ z − z), W̃ = I − γ (I − W); otherwise x ← z.

    Peers take about 1/p local steps between two exchanges, without drifting apart; the coin is common to all and comes
    from the seed. A round is one step. Source: Mishchenko et al. (2022), "ProxSkip: yes! Local gradient steps provably
    lead to communication acceleration! Finally!", decentralised as SplitSkip with ψ the indicator of consensus; with
    γ = 1/(2χ) Guo et al. (2023), "Revisiting decentralized ProxSkip: achieving linear speedup". A round costs the
    estimator's queries, and p vectors per edge and direction on average.

    Args:
        probability: p, in (0, 1].
        gamma: γ, above 0 and at most 1/2; of a W with eigenvalues of 0 and more, at most 1.
    """

    irregular = True

    probability: float = option(0.2, share)
    gamma: float = option(0.5, share)

    def round(self, state: CorrectionState, context: RoundContext) -> CorrectionState:
        state.x = z = self.step(state, context)
        coin = replace(context.stream, purpose="coin", peers=range(1)).uniform((1,))[0, 0]
        channel = context.channel(z)
        if coin < self.probability:
            self.mix(state, z, channel, self.gamma, self.probability)
        return state


@dataclass(frozen=True, kw_only=True)
class Extra(Corrected):
    """x ← W x − η g + c, and then c ← c + ½ (W x − x) of the x before.

    This is x⁺ = (I + W) x − ½(I + W) x⁻ − (η g − η⁻ g⁻) with x¹ = W x⁰ − η g⁰, summed up. Source: Shi et al. (2015),
    "EXTRA: an exact first-order algorithm for decentralized consensus optimization", equation 2.13.
    """

    mixes = "x before the round's step"

    def round(self, state: CorrectionState, context: RoundContext) -> CorrectionState:
        x, c = state.x, state.correction
        g, state.estimator = self.gradient(context, x, state.estimator)
        difference, state.gossip = self.gossip.difference(x, state.gossip, context.channel(x))  # W x − x
        state.x = (x + (difference - self.rate(context.round) * g + c)).astype(x.dtype)
        c += 0.5 * difference
        return state


@dataclass(frozen=True, kw_only=True)
class WangElia(Corrected):
    """x⁺ = x − K (x + z) − η g, z ← z + K x with K = ½ (I − W): proportional and integral feedback of disagreement.

    Source: Wang and Elia (2010), "Control approach to distributed optimization", in discrete time. c is z. A round
    costs the estimator's queries and two vectors per edge and direction.
    """

    mixes = "x before the round's step"

    def round(self, state: CorrectionState, context: RoundContext) -> CorrectionState:
        x, z = state.x, state.correction
        g, state.estimator = self.gradient(context, x, state.estimator)
        both = (x + z).astype(x.dtype)
        difference, state.gossip = self.gossip.difference(both, state.gossip, context.channel(x))  # W (x + z) − x − z
        integral, state.gossip = self.gossip.difference(x, state.gossip, context.channel())  # W x − x
        state.x = (x + (0.5 * difference - self.rate(context.round) * g)).astype(x.dtype)
        z -= 0.5 * integral
        return state


@dataclass(kw_only=True)
class CorrectedLocalState(LocalState):
    """The state of local steps with a correction.

    Args:
        correction: c, in float64, so that its mean over the peers stays zero, shape (peers, dim).
        gossip_steps: the state of K-GT's second gossip; None for LED.
    """

    correction: NDArray[np.float64]
    gossip_steps: Any = None


@dataclass(frozen=True, kw_only=True)
class KGT(GossipLocalSteps):
    """K times y ← y − η (g + c) from y = x; z = (x − y)/(K η), c ← c − z + W z, x ← W (x − η_s (x − y)).

    With K = 1 and η_s = 1 this is gradient tracking: c is the difference between the tracked gradient and the peer's
    own. With exact gradients the peers reach the optimum, whatever their data. Source: Liu, Lin, Koloskova and Stich
    (2023), "Decentralized gradient tracking with local steps", algorithm 1, from c = 0. A round costs K times the
    estimator's queries and two vectors per edge and direction.

    Args:
        outer_lr: η_s, the share of the local steps' way that is taken, above 0.
    """

    public_name = "k_gt"
    mixes = "x after the share η_s of the local steps"
    adds_gradient_steps = False

    outer_lr: float = option(1.0, positive)

    def init(self, x: NDArray, problem: Problem) -> CorrectedLocalState:
        steps = self.gossip.init(np.zeros_like(x))
        return CorrectedLocalState(**self.initial_fields(x, problem), correction=np.zeros(x.shape), gossip_steps=steps)

    def round(self, state: CorrectedLocalState, context: RoundContext) -> CorrectedLocalState:
        start, c = state.x.copy(), state.correction
        self.local_phase(state, context, correction=lambda _, rows: c[rows])
        z = (start - state.x) / (self.local_steps * self.rate(context.round))
        moved = start + self.outer_lr * (state.x - start)
        state.x, state.gossip = self.gossip(moved, state.gossip, context.channel(moved))
        difference, state.gossip_steps = self.gossip.difference(z, state.gossip_steps, context.channel())
        c += difference
        return state


@dataclass(frozen=True, kw_only=True)
class LED(ExactDiffusion, GossipLocalSteps):
    """K times φ ← φ − η g − β y from φ = x; then x = W φ and y ← y + φ − W φ: local exact diffusion.

    With K = 1 and β = 1 this is D². With exact gradients the peers reach the optimum, whatever their data. A W that may
    have an eigenvalue of −1/3 or less is made lazy, as in D². Source: Alghunaim (2024), "Local exact-diffusion for
    decentralized optimization and learning", algorithm 1, from y = 0. A round costs K times the estimator's queries
    and one vector per edge and direction.

    Args:
        dual_lr: β, above 0; None: 1/K.
    """

    public_name = "led"
    mixes = "x after the local steps"
    needs_symmetric = True
    instead = "k_gt"
    refused_gossip = frozenset({"compressed", "biased"})
    adds_gradient_steps = False

    dual_lr: float | None = option(None, positive, "omit it for 1/K")

    def init(self, x: NDArray, problem: Problem) -> CorrectedLocalState:
        return CorrectedLocalState(**self.initial_fields(x, problem), correction=np.zeros(x.shape))

    def round(self, state: CorrectedLocalState, context: RoundContext) -> CorrectedLocalState:
        c = state.correction  # −y
        scale = (1 / self.local_steps if self.dual_lr is None else self.dual_lr) / self.rate(context.round)
        self.local_phase(state, context, correction=lambda _, rows: -scale * c[rows])
        difference, state.gossip = self.gossip.difference(state.x, state.gossip, context.channel(state.x))
        difference *= self.laziness(context.weights)
        state.x = (state.x + difference).astype(state.x.dtype)
        c += difference
        return state
