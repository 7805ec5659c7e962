"""LEAD's procedure COMM: each peer's difference from its neighbours, by compressed messages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError, options_within
from dfedsam.gossip.channel import Channel
from dfedsam.gossip.compressed import CompressedState, CompressedStep, GrowthCheck, settling_steps
from dfedsam.gossip.compressors import BlockQuantizer, Compressor
from dfedsam.registry import make_named, public_name
from dfedsam.validation import share

_BOUND = 1e3  # as of compressed gossips


@dataclass
class DisagreementState(CompressedState):
    """The state of COMM.

    Args:
        h: the neighbours' estimate of a peer, shape (peers, dim).
        difference: (I − W) h, in float64, so that its mean over the peers stays zero, shape (peers, dim).
    """

    h: NDArray
    difference: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """y ↦ (I − W) ŷ with ŷ = h + C(y − h): the increment of LEAD's dual variable; h moves a share α of the way to ŷ.

    Every call sends one message along every edge in both directions. Source: Liu et al. (2021), "Linear convergent
    decentralized optimization with compression", the procedure COMM.

    Args:
        compressor: C, the compression of each row; it must be unbiased.
        alpha: α, above 0 and at most 1; None: 1/(1 + ω), ω of the compressor.
    """

    compressor: Compressor = BlockQuantizer()
    alpha: float | None = None

    def __post_init__(self) -> None:
        make_named(self)
        if self.alpha is not None:
            share("alpha", self.alpha, "omit it for one that suits the compressor")

    def check(self, dim: int) -> None:
        """Check that rows of length `dim` can be compressed without bias; called before anything is written.

        Raises:
            OptionError: if the compressor is biased, or cannot take rows of this length.
        """
        with options_within("compressor"):
            self.compressor.check(dim)
        if self.compressor.variance(dim) is None:
            rule = "must be unbiased, so that the difference to send goes to zero"
            hint = "choose block_quantizer, qsgd with unbiased true, or none"
            raise OptionError("compressor", public_name(type(self.compressor)), rule, hint)

    def init(self, x: NDArray) -> DisagreementState:
        """The state before round 0: h is the common start x (peers, dim), which all know."""
        self.check(x.shape[1])
        return DisagreementState(np.zeros(len(x)), x.copy(), np.zeros(x.shape))

    def __call__(
        self, y: NDArray, state: DisagreementState, channel: Channel
    ) -> tuple[NDArray[np.float64], DisagreementState]:
        """(I − W) ŷ for the block's y (peers, dim), in float64, and the state afterwards."""
        h, difference, alpha = state.h, state.difference, self._alpha(y.shape[1])
        change, total = np.zeros(y.shape), np.empty(y.shape)  # change: (I − W) C(y − h)

        def source(rows: slice) -> NDArray:
            return y[rows] - h[rows]

        def finish(rows: slice) -> None:
            np.add(difference[rows], change[rows], out=total[rows])
            difference[rows] += alpha * change[rows]

        hint = "a lower lr, gamma or alpha, or a finer compressor, usually helps"
        settling = settling_steps(self.compressor, y.shape[1])
        growth = GrowthCheck(state.largest, settling, _BOUND, "algorithm lead", hint)
        step = CompressedStep(source, h, change, growth, alpha, target_scale=-1.0, finish=finish)
        step.run(self.compressor, channel.step(0))
        return total, state

    def _alpha(self, dim: int) -> float:
        if self.alpha is not None:
            return self.alpha
        variance = self.compressor.variance(dim)
        assert variance is not None  # as `check` has made sure
        return 1 / (1 + variance)
