"""CHOCO: peers send compressed changes of what their neighbours know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dfedsam.gossip.accelerated import needs_one_symmetric
from dfedsam.gossip.compressed import Compressed, Memory
from dfedsam.gossip.consensus_size import theory, tuned
from dfedsam.validation import one_of, positive

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.communication.base import Communicator
    from dfedsam.gossip.channel import Channel
    from dfedsam.random import RandomStream
    from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Choco(Compressed):
    """q = C(x − x̂), x̂ ← x̂ + q, s ← s + W q, x ← x + γ (s − x̂), Q times.

    x̂ is what a peer's neighbours know of it and s = Σ_j w_ij x̂_j what it knows of them: x̂ and γ (s − x̂) are kept
    across rounds, so that the error of compression is made good later on, and with C(x) = x and γ = 1 a step is plain
    gossip. Every step sends one message along every edge in both directions; the peers hold two more arrays of the size
    of x, and the process one that all its steps share, unless C leaves few entries. Source: Koloskova, Stich and Jaggi
    (2019), "Decentralized stochastic optimization and gossip algorithms with compressed communication", algorithm 1;
    several steps a round with x̂ kept as in Hashemi et al. (2022), "On the benefits of multiple gossip steps in
    communication-constrained decentralized federated learning" (DeLi-CoCo). Here x̂ starts at the common start, which
    all know, in place of 0.

    Args:
        compressor: C, what is sent in place of a row.
        gamma: γ, the consensus step size: a number above 0; "theory", which is safe and thousands of times too small;
            or "tuned", found before the first exchange by trials on this W with this compressor. One that is too large
            makes the peers move apart.
        steps: Q, gossip steps a round, at least 1.
    """

    gamma: float | Literal["theory", "tuned"] = "tuned"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.gamma, str):
            one_of("gamma", self.gamma, ("theory", "tuned"), "or a number above 0")
        else:
            positive("gamma", self.gamma, "or theory, or tuned")

    def check(self, topology: Topology) -> None:
        """See Gossip: s stands for one symmetric W."""
        needs_one_symmetric("gossip is Choco", topology, "the gossip deep_squeeze, or plain")

    def init(self, x: NDArray) -> Memory:
        """See Gossip; x is the common start: the same row for every peer."""
        known = 0.0 if isinstance(self.gamma, str) else self.gamma
        return {**super().init(x), "known": x.copy(), "pull": np.zeros_like(x), "gamma": np.full(len(x), known)}

    def figures(self, memory: Memory) -> dict[str, float]:
        """γ, once it is found."""
        return {"gamma": float(memory["gamma"][0])} if memory["gamma"][0] else {}

    def __call__(self, x: NDArray, memory: Memory, channel: Channel) -> tuple[NDArray, Memory]:
        """See the class."""
        if not memory["gamma"][0]:
            memory["gamma"][:] = self._find(x, channel.communicator, channel.weights, channel.stream)
        return super().__call__(x, memory, channel)

    def step(self, x: NDArray, memory: Memory, channel: Channel) -> None:
        """See Compressed."""
        known, pull, gamma = memory["known"], memory["pull"], float(memory["gamma"][0])

        def settle(rows: slice) -> None:
            x[rows] += pull[rows]

        self.exchange(lambda rows: x[rows] - known[rows], known, 1, pull, gamma, settle, memory, channel)

    def blame(self, memory: Memory) -> str:
        """See Compressed."""
        found = "" if self.gamma == memory["gamma"][0] else f" ({self.gamma})"
        return f"gamma is {memory['gamma'][0]:.3g}{found}: choose a smaller one, or the gamma tuned"

    def _find(self, x: NDArray, communicator: Communicator, weights: csr_array, key: RandomStream) -> float:
        """γ by theory or trials: the root finds it and the others wait, so that it is the same everywhere."""
        found = None
        if communicator.is_root and self.gamma == "theory":
            found = theory(weights, self.compressor.delta(x.shape[1]))
        elif communicator.is_root:
            found = tuned(self, weights, x.shape[1], x.dtype, key.seed)
        found = communicator.broadcast(found)
        assert found is not None
        return found
