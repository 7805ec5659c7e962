"""CHOCO: peers send compressed differences to their neighbours' estimates of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.gossip.compressed import Compressed, CompressedState, CompressedStep, GrowthCheck
from dfedsam.gossip.compressors import Compressor
from dfedsam.gossip.step_size import theoretical_step_size, trial_network, tune_step_size
from dfedsam.options import one_of, positive

if TYPE_CHECKING:
    from dfedsam.gossip.channel import Channel

StepSizeRule = Literal["theory", "tuned"]


@dataclass
class ChocoState(CompressedState):
    """The state of CHOCO.

    Args:
        estimate: x̂, the neighbours' estimate of a peer, shape (peers, dim).
        correction: γ (s − x̂), shape (peers, dim).
        gamma: γ, the same number for each peer, shape (peers,); 0 before it is determined.
    """

    estimate: NDArray
    correction: NDArray
    gamma: NDArray


@dataclass(frozen=True, kw_only=True)
class Choco(Compressed[ChocoState]):
    """q = C(x − x̂), x̂ ← x̂ + q, s ← s + W q, x ← x + γ (s − x̂), Q times.

    x̂ is the neighbours' estimate of a peer and s = Σ_j w_ij x̂_j its weighted estimate of them: x̂ and γ (s − x̂) are kept
    across rounds, so that compression errors are corrected later. With C(x) = x and γ = 1 a step is plain gossip. Every
    step sends one message along every edge in both directions; the peers hold two more arrays of the size of x, and the
    process one that all its steps share, unless C leaves few entries. Source: Koloskova, Stich and Jaggi (2019),
    "Decentralized stochastic optimization and gossip algorithms with compressed communication", algorithm 1; several
    steps a round with x̂ kept as in Hashemi et al. (2022), "On the benefits of multiple gossip steps in
    communication-constrained decentralized federated learning" (DeLi-CoCo). Here x̂ starts at the common initial x
    instead of 0.

    Args:
        compressor: C, the compression of each row.
        gamma: γ, the consensus step size: a number above 0; "theory", which is safe and thousands of times too small;
            or "tuned", by trials on this W with this compressor before the first gossip, which may take a few
            seconds. One that is too large makes the peers diverge, some only after thousands of steps.
        steps: Q, gossip steps per round, at least 1.
    """

    needs = "symmetric"
    instead = "choose the gossip deep_squeeze, or plain"

    gamma: float | StepSizeRule = "tuned"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.gamma, str):
            one_of("gamma", self.gamma, get_args(StepSizeRule), "or a number above 0")
        else:
            positive("gamma", self.gamma, "or theory, or tuned")

    def init(self, x: NDArray) -> ChocoState:
        self.check_dim(x.shape[1])
        gamma = 0.0 if isinstance(self.gamma, str) else self.gamma
        return ChocoState(np.zeros(len(x)), x.copy(), np.zeros_like(x), np.full(len(x), gamma))

    def metrics(self, state: ChocoState) -> dict[str, float]:
        """γ, once it is determined."""
        return {"gamma": float(state.gamma[0])} if state.gamma[0] else {}

    def __call__(self, x: NDArray, state: ChocoState, channel: Channel) -> tuple[NDArray, ChocoState]:
        if not state.gamma[0]:
            state.gamma[:] = self._find_gamma(x, channel)
        return super().__call__(x, state, channel)

    def step(self, x: NDArray, state: ChocoState, growth: GrowthCheck) -> CompressedStep:
        return CompressedStep(
            source=x,
            estimate=state.estimate,
            target=state.correction,
            growth=growth,
            target_scale=float(state.gamma[0]),
            finish=x,
        )

    def hint(self, state: ChocoState) -> str:
        rule = f" ({self.gamma})" if isinstance(self.gamma, str) else ""
        return f"gamma is {state.gamma[0]:.3g}{rule}: choose a smaller one, or the gamma tuned"

    def _find_gamma(self, x: NDArray, channel: Channel) -> float:
        """γ by theory or trials, computed on the root and broadcast, so that it is the same on every rank."""
        gamma, dim, W = None, x.shape[1], channel.weights
        if channel.communicator.is_root and self.gamma == "theory":
            gamma = theoretical_step_size(W, _delta(self.compressor, dim))
        elif channel.communicator.is_root:
            gamma = tuned_gamma(self.compressor, W, dim)
        gamma = channel.communicator.broadcast(gamma)
        assert gamma is not None
        return gamma


def tuned_gamma(compressor: Compressor, W: csr_array, dim: int) -> float:
    """γ tuned for a compressor of rows of length `dim` on a symmetric W (n, n)."""
    compressor, dim = compressor.scaled_down(dim)
    return _tuned_gamma(compressor, dim, trial_network(W, dim).toarray().tobytes())


@lru_cache(maxsize=64)
def _tuned_gamma(compressor: Compressor, dim: int, W: bytes) -> float:
    matrix = np.frombuffer(W)
    n = isqrt(len(matrix))
    return tune_step_size(
        lambda gamma: Choco(compressor=compressor, gamma=gamma),
        _delta(compressor, dim),
        csr_array(matrix.reshape(n, n)),
        dim,
    )


def _delta(compressor: Compressor, dim: int) -> float:
    delta = compressor.delta(dim)
    assert delta is not None  # as `check_dim` has made sure
    return delta
