"""DeepSqueeze: compressed rows with error feedback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.compressed import Compressed, CompressedState, CompressedStep, GrowthCheck
from dfedsam.options import option, positive


@dataclass
class DeepSqueezeState(CompressedState):
    """The state of DeepSqueeze.

    Args:
        error: e, the accumulated compression error, shape (peers, dim).
    """

    error: NDArray


@dataclass(frozen=True, kw_only=True)
class DeepSqueeze(Compressed[DeepSqueezeState]):
    """v = x + e, c = C(v), e ← v − c, x ← x + γ (W − I) c, Q times.

    It keeps no estimates of other peers, so W may change from round to round. But it compresses x itself and not its
    changes: the final distance between peers shrinks with γ, while that of CHOCO goes to zero. Every step sends one
    message along every edge in both directions; the peers hold one more array of the size of x. Source: Tang et al.
    (2019), "DeepSqueeze: decentralization meets error-compensated compression", algorithm 1.

    Args:
        compressor: C, the compression of each row.
        gamma: γ, the consensus step size, above 0; None: half the compressor's δ, with which peers come
            together on any W; far above δ they diverge.
        steps: Q, gossip steps per round, at least 1.
    """

    instead = "choose the gossip push_sum, or undirected links"
    bound: ClassVar[float] = 1e10  # e may contain all of x, which may be far larger than the first steps

    gamma: float | None = option(None, positive, "omit it for one that suits the compressor")

    def init(self, x: NDArray) -> DeepSqueezeState:
        self.check_dim(x.shape[1])
        return DeepSqueezeState(np.zeros(len(x)), np.zeros_like(x))

    def step(self, x: NDArray, state: DeepSqueezeState, growth: GrowthCheck) -> CompressedStep:
        error, gamma = state.error, self._gamma(x.shape[1])

        def source(rows: slice, _out: NDArray) -> NDArray:
            error[rows] += x[rows]
            return error[rows]

        return CompressedStep(source, error, x, growth, estimate_scale=-1, target_scale=gamma)

    def hint(self, state: DeepSqueezeState) -> str:
        return f"gamma is {self._gamma(state.error.shape[1]):.3g}: choose a smaller one, or the gossip choco"

    def _gamma(self, dim: int) -> float:
        delta = self.compressor.delta(dim)
        assert delta is not None  # as `check_dim` has made sure
        return delta / 2 if self.gamma is None else self.gamma
