"""Agreement as constraints, by duals: SSDA and ADMM minimise exactly; DLM, DiNNO and LT-ADMM take steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.algorithms.local_steps import GossipLocalSteps, LocalState
from dfedsam.context import RoundContext
from dfedsam.gossip import Gossip, Plain
from dfedsam.objectives.base import Problem
from dfedsam.options import between, option, positive
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


@dataclass(kw_only=True)
class DualState(State):
    """The state of SSDA; both are dual vectors in float64, whose mean over the peers stays zero.

    Args:
        dual: λ, shape (peers, dim).
        last: u, λ before its last extrapolation, shape (peers, dim).
    """

    dual: NDArray[np.float64]
    last: NDArray[np.float64]
    gossip: Any


@dataclass(frozen=True, kw_only=True)
class SSDA(LocalMinimisation):
    """x = ∇f*(λ), then u⁺ = λ − η (I − W) x and λ = u⁺ + μ (u⁺ − u): Nesterov's method on the dual problem.

    ∇f_i*(λ_i) is the point where peer i's gradient is λ_i, so the objective must know it: quadratics do, and logistic
    regression with l2 by Newton's method. On α-strongly convex, β-smooth objectives with κ = β/α, and λ_min and λ_2
    W's smallest and second largest eigenvalue, take η = α/(1 − λ_min) and μ = (√κ − √γ)/(√κ + √γ) with
    γ = (1 − λ_2)/(1 − λ_min); the error then falls by 1 − √(γ/κ) in a round. With the gossip chebyshev, whose
    polynomial takes W's place, this is MSDA, which is optimal. Source: Scaman et al. (2017), "Optimal algorithms for
    smooth and strongly convex distributed optimization in networks", algorithms 1 and 2. A round costs no query and one
    vector per edge and direction, and gossip step.

    Args:
        dual_lr: η, above 0.
        momentum: μ, 0 ≤ μ < 1.
    """

    public_name = "ssda"

    dual_lr: float = option(0.5, positive)
    momentum: float = option(0.5, between, 0, 1, open_high=True)

    def init(self, x: NDArray, problem: Problem) -> DualState:
        return DualState(x=x, dual=np.zeros(x.shape), last=np.zeros(x.shape), gossip=self.gossip.init(x))

    def round(self, state: DualState, context: RoundContext) -> DualState:
        self.minimise(state, context, state.dual)
        difference, state.gossip = self.gossip.difference(state.x, state.gossip, context.channel(state.x))
        u = state.dual + self.dual_lr * difference
        state.dual = u + self.momentum * (u - state.last)
        state.last = u
        return state


@dataclass(kw_only=True)
class _Multipliers:
    """What these methods keep, both in float64, so that their means over the peers stay zero.

    Args:
        multiplier: p, the sum of the multipliers of a peer's edges, shape (peers, dim).
        disagreement: c (I − W) x, shape (peers, dim).
    """

    multiplier: NDArray[np.float64]
    disagreement: NDArray[np.float64]


@dataclass(kw_only=True)
class ADMMState(_Multipliers, State):
    """The state of ADMM."""

    gossip: Any


@dataclass(frozen=True, kw_only=True)
class ADMM(LocalMinimisation):
    """x ← argmin_θ f_i(θ) + θᵀp + c Σ_j w_ij ‖θ − (x_i + x_j)/2‖²; then p ← p + c (I − W) x of the new x.

    Consensus ADMM, whose peers minimise exactly; so the objective must know how: quadratics do, and logistic regression
    with l2 by Newton's method. The paper's penalty on an edge is 2c w_ij here. Sources: Mateos, Bazerque and Giannakis
    (2010), "Distributed sparse linear regression"; Shi, Ling, Yuan, Wu and Yin (2014), "On the linear convergence of
    the ADMM in decentralized consensus optimization". A round costs no query and one vector per edge and direction.

    Args:
        penalty: c, above 0.
    """

    public_name = "admm"

    penalty: float = option(1.0, positive)

    def init(self, x: NDArray, problem: Problem) -> ADMMState:
        zero = np.zeros(x.shape)
        return ADMMState(x=x, multiplier=zero, disagreement=zero.copy(), gossip=self.gossip.init(x))

    def round(self, state: ADMMState, context: RoundContext) -> ADMMState:
        stiffness = _stiffness(self.penalty, context)
        y = stiffness * state.x - state.multiplier - state.disagreement
        self.minimise(state, context, y, stiffness)
        difference, state.gossip = self.gossip.difference(state.x, state.gossip, context.channel(state.x))
        state.disagreement = -self.penalty * difference
        state.multiplier += state.disagreement
        return state


def _stiffness(penalty: float, context: RoundContext) -> NDArray:
    """2c Σ_{j≠i} w_ij, by which a peer is held to its neighbours, shape (peers, 1)."""
    shares = np.asarray(context.weights.diagonal())[np.asarray(context.stream.peers)]
    return 2 * penalty * (1 - shares)[:, None]


@dataclass(kw_only=True)
class MultiplierState(_Multipliers, LocalState):
    """The state of the methods that take steps."""


@dataclass(frozen=True, kw_only=True)
class DLM(GossipLocalSteps):
    """x ← x − η (g + p + c (I − W) x), then p ← p + c (I − W) x of the new x: decentralised linearised ADMM.

    p tends to the difference between the mean gradient and the peer's own, so that with exact gradients the peers reach
    the optimum. The paper's penalty on an edge is c w_ij here: with the weights max_degree its Laplacian is
    (I − W) times the largest degree plus one. Source: Ling, Shi, Wu and Ribeiro (2015), "DLM: Decentralized linearized
    alternating direction method of multipliers", with one η for all peers. K = 1 by default; more steps keep p and
    c (I − W) x of the round's start. A round costs K times the estimator's queries and one vector per edge and
    direction. η should be below 1/(L + 2c) on L-smooth objectives.

    Args:
        penalty: c, above 0.
    """

    public_name = "dlm"
    needs_symmetric = True
    refused_gossip = frozenset({"compressed", "biased"})
    adds_gradient_steps = False

    local_steps: int = 1
    penalty: float = option(1.0, positive)

    def init(self, x: NDArray, problem: Problem) -> MultiplierState:
        zero = np.zeros(x.shape)
        return MultiplierState(**self.initial_fields(x, problem), multiplier=zero, disagreement=zero.copy())

    def round(self, state: MultiplierState, context: RoundContext) -> MultiplierState:
        scale, pull = self.weights(context)
        force, start = scale * (state.multiplier + state.disagreement), state.x.copy()
        self.local_phase(state, context, correction=lambda x, rows: force[rows] + pull[rows] * (x - start[rows]))
        difference, state.gossip = self.gossip.difference(state.x, state.gossip, context.channel(state.x))
        state.disagreement = -self.penalty * difference
        state.multiplier += state.disagreement
        return state

    def weights(self, context: RoundContext) -> tuple[float, NDArray]:
        """The factor of p + c (I − W) x in a local step's gradient, and of x's way since the start, (peers, 1)."""
        return 1.0, np.zeros((len(context.stream.peers), 1))


@dataclass(frozen=True, kw_only=True)
class DiNNO(DLM):
    """K steps on f_i(θ) + θᵀp + c Σ_j w_ij ‖θ − (x_i + x_j)/2‖² from θ = x; then p ← p + c (I − W) x of the new x.

    Source: Yu, Vincent and Schwager (2022), "DiNNO: distributed neural network optimization for multi-robot
    collaborative learning", algorithm 1 with plain steps, and c w_ij in place of ρ on each edge. With K = 1 it is DLM;
    with ever more steps admm, which minimises exactly. Costs as DLM.
    """

    public_name = "dinno"

    local_steps: int = 5

    def weights(self, context: RoundContext) -> tuple[float, NDArray]:
        return 1.0, _stiffness(self.penalty, context)


@dataclass(frozen=True, kw_only=True)
class LTADMM(DLM):
    """K steps φ ← φ − η g − β (p + c (I − W) x) from φ = x; then p ← p + c (I − W) x of the new x.

    ADMM with local training. The paper keeps z_ij for each edge; their sums over a peer's edges, which are all that
    counts, follow from p and (I − W) x, if all z_ij start at ρ x⁰, its relaxation is ½ and ρ = 2c w_ij. Source: Ren,
    Bastianello, Johansson and Parisini (2025), "Communication-efficient stochastic distributed learning" (LT-ADMM).
    With K = 1 and β = η it is DLM. Costs as DLM.

    Args:
        dual_lr: β, above 0.
    """

    public_name = "lt_admm"

    local_steps: int = 5
    dual_lr: float = option(0.01, positive)

    def weights(self, context: RoundContext) -> tuple[float, NDArray]:
        return self.dual_lr / self.rate(context.round), super().weights(context)[1]
