"""LEAD: exact at a constant rate although every message is compressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.gradient_method import GradientMethod
from dfedsam.context import RoundContext
from dfedsam.errors import OptionError, options_within
from dfedsam.gossip.channel import Channel
from dfedsam.gossip.compressed import CompressedStep, GrowthCheck, settling_steps
from dfedsam.gossip.compressors import BlockQuantizer, Compressor
from dfedsam.objectives.base import Problem
from dfedsam.options import option, positive, share
from dfedsam.registry import public_name

_BOUND = 1e3  # as of compressed gossips
_HINT = "a lower lr, gamma or alpha, or a finer compressor, usually helps"


@dataclass(kw_only=True)
class LeadState(State):
    """The state of LEAD.

    Args:
        estimator: the estimator's state.
        dual: D, in float64, shape (peers, dim).
        h: the neighbours' estimate of what a peer sends, shape (peers, dim).
        difference: (I − W) h, in float64, so that its mean over the peers stays zero, shape (peers, dim).
        largest: see `GrowthCheck`, shape (peers,).
    """

    estimator: Any
    dual: NDArray[np.float64]
    h: NDArray
    difference: NDArray[np.float64]
    largest: NDArray


@dataclass(frozen=True, kw_only=True)
class Lead(GradientMethod):
    """ŷ = h + C(x − η (g + D) − h), D ← D + γ/(2η) (I − W) ŷ, x ← x − η (g + D), where h moves a share α towards ŷ.

    D converges to the difference between a peer's gradient and the mean one, and the compressed vector goes to zero:
    with exact gradients LEAD reaches the optimum. Biased compressors are rejected: D would accumulate their errors.
    The mean of D over the peers is zero; so that it stays zero in float32 runs too, D is added up in float64. Source:
    Liu, Li, Wang, Tang and Yan (2021), "Linear convergent decentralized optimization with compression", algorithm 1. A
    round costs the estimator's queries and one message per edge and direction; the peers hold three more arrays of the
    size of x.

    Args:
        compressor: C, the compression of each row; it must be unbiased. The default is the paper's.
        gamma: γ, the consensus step size, above 0; the paper takes 1. Theory covers γ < 2/((3ω + 1)β), ω
            the compressor's variance and β = ‖I − W‖₂; far above it coarse messages make the peers diverge.
        alpha: α, above 0 and at most 1; None: 1/(1 + ω).
    """

    mixes = "x − η (g + D)"
    needs_symmetric = True
    instead = "dpsgd with the gossip deep_squeeze"

    compressor: Compressor = BlockQuantizer()
    gamma: float = option(0.5, positive, "0.5 is usual")
    alpha: float | None = option(None, share, "omit it for one that suits the compressor")

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        with options_within("algorithm.compressor"):
            self.compressor.check(problem.dim)
        if self.compressor.variance(problem.dim) is None:
            rule = "must be unbiased, so that the difference to send goes to zero"
            hint = "choose block_quantizer, qsgd with unbiased true, or none"
            raise OptionError("algorithm.compressor", public_name(self.compressor), rule, hint)

    def init(self, x: NDArray, problem: Problem) -> LeadState:
        return LeadState(
            x=x,
            estimator=self.estimator.init(x, problem),
            dual=np.zeros(x.shape),
            h=x.copy(),  # the common start, which all know
            difference=np.zeros(x.shape),
            largest=np.zeros(len(x)),
        )

    def round(self, state: LeadState, context: RoundContext) -> LeadState:
        x, dual, rate = state.x, state.dual, self.rate(context.round)
        g, state.estimator = self.gradient(context, x, state.estimator)
        y = (x - rate * (g + dual)).astype(x.dtype)
        disagreement = self._exchange(y, state, context.channel(y))
        disagreement *= self.gamma / (2 * rate)
        dual += disagreement
        state.x = (x - rate * (g + dual)).astype(x.dtype)
        return state

    def _exchange(self, y: NDArray, state: LeadState, channel: Channel) -> NDArray[np.float64]:
        """(I − W) ŷ for the block's y (peers, dim); the paper's procedure COMM."""
        h, difference, dim = state.h, state.difference, y.shape[1]
        variance = self.compressor.variance(dim)
        assert variance is not None  # as `check_problem` has made sure
        alpha = 1 / (1 + variance) if self.alpha is None else self.alpha
        change, total = np.zeros(y.shape), np.empty(y.shape)  # change: (I − W) C(y − h)

        def source(rows: slice, out: NDArray) -> NDArray:
            return np.subtract(y[rows], h[rows], out=out)

        def finish(rows: slice) -> None:
            np.add(difference[rows], change[rows], out=total[rows])
            difference[rows] += alpha * change[rows]

        growth = GrowthCheck(state.largest, settling_steps(self.compressor, dim), _BOUND, "algorithm lead", _HINT)
        step = CompressedStep(source, h, change, growth, alpha, target_scale=-1.0, finish=finish)
        step.run(self.compressor, channel.step(0))
        return total
