"""K local steps from queries alone: the shared part of DFedAvg, DFedSAM, D-PSGD and the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_method import GradientMethod
from dfedsam.context import Oracle, RoundContext
from dfedsam.errors import OptionError
from dfedsam.gossip import Gossip, Plain
from dfedsam.gossip.channel import LocalUpdate
from dfedsam.objectives.base import Problem, Rows
from dfedsam.options import at_least, between, one_of, option, whole_number
from dfedsam.registry import public_name
from dfedsam.state import rows_of, set_rows
from dfedsam.theory import LocalSGD
from dfedsam.topologies import Topology
from dfedsam.zeroth_order.base import record_cosines

Perturbation = Literal["own", "same", "random", "momentum", "control_variate", "last_round"]


@dataclass(kw_only=True)
class LocalState(State):
    """The state of local steps.

    Args:
        estimator: the estimator's state.
        gossip: the gossip's state, if any.
        momentum: m, shape (peers, dim), if it is kept between rounds.
        last_start: x at the start of the last round, shape (peers, dim), for the perturbation "last_round".
    """

    estimator: Any
    gossip: Any = None
    momentum: NDArray | None = None
    last_start: NDArray | None = None


@dataclass(frozen=True, kw_only=True)
class LocalSteps(GradientMethod):
    """Shared options and the local phase of algorithms with K local steps m ← β m + g, x ← x − η m.

    g is an estimate on the peer's own minibatch, at x + ρ v/‖v‖ with SAM. A local step costs twice the estimator's
    queries with the perturbations "own" and "same", once with the others and with ρ = 0.

    Args:
        local_steps: K, local steps in a round, at least 1.
        momentum: β, 0 ≤ β < 1.
        keep_momentum: keep m between rounds; otherwise it starts at zero in each, as in DFedAvgM.
        weight_decay: λ ≥ 0: λ x is added to each g.
        perturbation: v, the direction of SAM's perturbation: "own" (an estimate along separate directions) or "same"
            (an estimate along the same directions as the descent's); or, at no query, "momentum",
            "control_variate" (the estimator's), "last_round" (against the displacement of the whole last round,
            gossip included: Fan et al., 2024, "Locally estimated global perturbations are better than local
            perturbations for federated sharpness-aware minimization"), or "random" (a random unit vector, for
            comparison).
    """

    local_steps: int = option(5, whole_number, 1)
    momentum: float = option(0.0, between, 0, 1, open_high=True)
    keep_momentum: bool = False
    weight_decay: float = option(0.0, at_least, 0)
    perturbation: Perturbation = option("own", one_of, get_args(Perturbation))

    def __post_init__(self) -> None:
        super().__post_init__()
        estimator = public_name(self.estimator)
        if self.perturbation == "momentum" and not self.momentum:
            raise OptionError("perturbation", "momentum", "needs a momentum", "set momentum, such as 0.9")
        if self.perturbation == "control_variate" and not self.estimator.knows_gradient:
            rule = f"must be kept by the estimator, but {estimator} keeps none"
            raise OptionError("perturbation", "control_variate", rule, "set estimator.control_variate")
        if self.perturbation == "same" and not self.estimator.repeats_directions:
            rule = f"needs the same directions twice, but the estimator {estimator} draws new ones each time"
            raise OptionError("perturbation", "same", rule, "choose momentum")

    @property
    def estimates_per_step(self) -> int:
        """Estimates of a local step: one, or two where SAM's perturbation needs one of its own."""
        return 2 if self.rho and self.perturbation in ("own", "same") else 1

    def init(self, x: NDArray, problem: Problem) -> LocalState:
        return LocalState(**self.initial_fields(x, problem))

    def initial_fields(self, x: NDArray, problem: Problem) -> dict[str, Any]:
        """The fields of LocalState before round 0, for x (peers, dim)."""
        return {
            "x": x,
            "estimator": self.estimator.init(x, problem),
            "momentum": np.zeros_like(x) if self.momentum and self.keep_momentum else None,
            "last_start": x.copy() if self.perturbation == "last_round" else None,
        }

    def local_phase(
        self,
        state: LocalState,
        context: RoundContext,
        correction: Callable[[NDArray, Rows], NDArray] | None = None,
        update: LocalUpdate | None = None,
    ) -> None:
        """Take the K local steps of a round, in place, for as many peers at a time as fit into the cache.

        Args:
            state: state of the block.
            context: the round's context.
            correction: function of the models (p, dim) and their rows; its result is added to each estimate.
            update: receives the coefficients of the steps if gossip sends them.
        """
        start = None
        if state.last_start is not None:
            start = state.x.copy()
            state.last_start -= start  # minus the displacement of the last round
        for rows, chunk in context.chunks(self.estimator.queries(state.x.shape[1]), state.x[0].nbytes):
            if rows.stop - rows.start == len(state.x):
                self._steps(state, chunk, correction, update)
                break
            local = rows_of(state, rows)
            self._steps(local, chunk, correction, update)
            set_rows(state, rows, local)
        state.last_start = start

    def _steps(
        self,
        local: LocalState,
        context: RoundContext,
        correction: Callable[[NDArray, Rows], NDArray] | None,
        update: LocalUpdate | None,
    ) -> None:
        """Take the K steps of some peers, in place."""
        x, m, lr = local.x, local.momentum, self.rate(context.round)
        if self.momentum and m is None:
            m = np.zeros_like(x)
        for k in range(self.local_steps):
            oracle = context.oracle(k)
            direction, purpose = self._perturbation(oracle, local, m)
            at, local.estimator = self.perturbed(oracle, x, local.estimator, direction, purpose)
            if update is None:
                g, local.estimator = self.estimator(oracle, at, local.estimator, "descent")
            else:
                g = self._recorded(oracle, at, update, k, lr)
            if correction is not None:
                g += correction(x, context.rows)
            if self.weight_decay:
                g += self.weight_decay * x
            if m is not None:
                m *= self.momentum
                m += g
                np.multiply(m, lr, out=g)
            else:
                g *= lr
            x -= g
            context.problem.project(x)

    def _perturbation(self, oracle: Oracle, local: LocalState, m: NDArray | None) -> tuple[NDArray | None, str]:
        """SAM's direction (p, dim), or None and the random purpose of the estimate to use."""
        if self.rho == 0 or self.perturbation in ("own", "same"):
            return None, "descent" if self.perturbation == "same" else "ascent"
        if self.perturbation == "random":
            return np.ascontiguousarray(oracle.random("ascent").normal(local.x.shape[1:], local.x.dtype)), ""
        known = {"momentum": m, "last_round": local.last_start}
        direction = known.get(self.perturbation, self.estimator.known_gradient(local.estimator))
        assert direction is not None  # ensured by __post_init__
        return direction.copy(), ""

    def _recorded(self, oracle: Oracle, x: NDArray, update: LocalUpdate, k: int, lr: float) -> NDArray:
        """The estimate at x (p, dim) of local step k; its coefficients are written to `update`."""
        coefficients, u = self.estimator.combination(oracle, x, "descent")
        q = coefficients.shape[1]
        update.coefficients[oracle.rows, k * q : (k + 1) * q] = -lr * coefficients
        g = np.matmul(coefficients[:, None], u)[:, 0]
        record_cosines(oracle, x, g)
        return g


@dataclass(frozen=True, kw_only=True)
class GossipLocalSteps(LocalSteps):
    """Shared by algorithms whose peers take K local steps and then gossip: x ← W (x after the steps).

    Args:
        gossip: the gossip phase.
    """

    gossip: Gossip = Plain()

    def initial_fields(self, x: NDArray, problem: Problem) -> dict[str, Any]:
        return super().initial_fields(x, problem) | {"gossip": self.gossip.init(x)}

    def round(self, state: Any, context: RoundContext) -> Any:
        update = self.local_update(state, context)
        self.local_phase(state, context, update=update)
        state.x, state.gossip = self.gossip(state.x, state.gossip, context.channel(state.x, update))
        return state

    def estimates(self) -> tuple[int, int] | None:
        return (self.local_steps, self.estimates_per_step) if self.replayable else None

    def local_sgd(self) -> LocalSGD | None:
        plain = self.replayable and self.lr_schedule == "constant" and not (self.momentum or self.weight_decay)
        if not plain or (self.rho and self.estimates_per_step == 1):
            return None
        return LocalSGD(lr=self.lr, steps=self.local_steps, estimator=self.estimator, rho=self.rho)

    def check(self, topology: Topology) -> None:
        super().check(topology)
        if not self.gossip.sends_coefficients:
            return
        gossip = public_name(self.gossip)
        if not self.estimator.replayed_directions:
            rule = f"must combine directions derived from the seed, whose coefficients the gossip {gossip} sends"
            hint = "choose two_point or one_sided without control_variate"
            raise OptionError("algorithm.estimator", public_name(self.estimator), rule, hint)
        if self.gossip.needs_shared_directions and not self.estimator.shares_directions:
            rule = "must use the same directions at all peers, or their coefficients cannot be compared"
            raise OptionError("algorithm.estimator.shared", False, rule, "set it, or choose the rule mean")
        for name in ("momentum", "weight_decay"):
            if getattr(self, name):
                rule = f"must be 0 for the gossip {gossip}, which replays plain steps along random directions"
                raise OptionError(f"algorithm.{name}", getattr(self, name), rule)

    def local_update(self, state: LocalState, context: RoundContext) -> LocalUpdate | None:
        """An empty record of a round that begins at x, if the gossip sends coefficients; None otherwise."""
        if not self.gossip.sends_coefficients:
            return None
        x, steps = state.x, range(self.local_steps)

        def directions(round: int, peers: range) -> NDArray:
            streams = (replace(context.stream, purpose="descent", round=round, step=k, peers=peers) for k in steps)
            return np.concatenate([self.estimator.draw(stream, x.shape[1], x.dtype) for stream in streams], axis=1)

        width = self.local_steps * self.estimator.replayed_directions
        return LocalUpdate(x.copy(), np.zeros((len(x), width), x.dtype), directions)
