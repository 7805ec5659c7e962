"""What ten gossip steps leave of the peers' distance from their mean: Chebyshev gossip against plain."""

import numpy as np

from dfedsam import Chebyshev, Plain, topologies
from dfedsam.communication import SingleProcess
from dfedsam.gossip import Gossip
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream
from tests.benchmarks import Row

PEERS, STEPS = 64, 10


def run() -> list[Row]:
    """On a ring, from the worst start."""
    ring = topologies.make("ring", PEERS)
    W, eye = ring.weights(0), np.eye(PEERS)

    def left(gossip: Gossip) -> float:
        """‖P(W) − J‖₂, where the columns of P(W) are what gossip makes of the unit vectors."""
        channel = Channel(W, SingleProcess(PEERS), RandomStream(0, "gossip 1", 0, 0, range(PEERS)))
        P, _ = gossip(eye.copy(), gossip.init(eye), channel)
        return float(np.linalg.norm(P - 1 / PEERS, 2))

    plain, chebyshev = left(Plain(steps=STEPS)), left(Chebyshev(steps=STEPS))
    low, high = topologies.spectrum_ends(W)
    theory = high**STEPS * np.cosh(STEPS * np.arccosh((2 - low - high) / (high - low)))  # λ^Q over 1/T_Q(y₁)
    return [
        Row(
            what=f"consensus error after {STEPS} steps, ring of {PEERS}: by how much Chebyshev's is smaller",
            floor="theory: λ^Q T_Q(y₁)",
            ratio=plain / chebyshev / theory,
            target=0.999,
            figures=f"{chebyshev:.3f} against {plain:.3f}: {plain / chebyshev:.2f} × smaller, {theory:.2f} × in theory",
        )
    ]
