"""Where peers are placed: edges that cross ranks, and a gossip step on two ranks, against contiguous blocks."""

import math
import sys
import time
from functools import partial

import numpy as np

from dfedsam.communication import connect
from dfedsam.topologies import make
from dfedsam.topologies.placement import crossings, place
from tests.benchmarks import Row
from tests.mpi import find_mpirun, mpirun

PEERS, WIDTH = 4096, 512
RADIUS = math.sqrt(2 * math.log(PEERS) / (math.pi * PEERS))  # twice the area at which most are connected: degree 2 ln n


def graph():
    """Peers at random in the unit square, joined within 0.036."""
    return make("random_geometric", PEERS, seed=0, radius=RADIUS)


def across_four_ranks() -> list[Row]:
    """Edges between peers of two ranks."""
    topology = graph()
    support = topology.support()
    contiguous = crossings(support, place(topology, 4, "contiguous")) // 2
    rows = []
    for placement in ("reorder", "metis"):
        began = time.perf_counter()
        owner = place(topology, 4, placement)
        took = time.perf_counter() - began
        crossing = crossings(support, owner) // 2
        rows.append(
            Row(
                what=f"edges across 4 ranks, random geometric graph of {PEERS} peers, {placement}",
                floor="contiguous blocks",
                ratio=crossing / contiguous,
                target=0.4,
                at_most=True,
                figures=f"{crossing} against {contiguous} of {support.nnz // 2}, found in {1e3 * took:.0f} ms",
            )
        )
    return rows


def on_two_ranks() -> list[Row]:
    """The time of a gossip step, each placement twice, alternating."""
    if find_mpirun() is None:
        return []
    took = dict.fromkeys(("contiguous", "reorder", "metis"), math.inf)
    for _ in range(2):
        for placement in took:
            job = mpirun(2, [__file__, placement], timeout=120)
            job.check_returncode()
            took[placement] = min(took[placement], float(job.stdout))
    return [
        Row(
            what=f"gossip step, the same graph × {WIDTH} float32, two ranks, {placement}",
            floor="contiguous blocks",
            ratio=took[placement] / took["contiguous"],
            target=1,
            at_most=True,
            figures=f"{1e3 * took[placement]:.2f} against {1e3 * took['contiguous']:.2f} ms",
        )
        for placement in ("reorder", "metis")
    ]


def run() -> list[Row]:
    """Edges across four ranks, and a gossip step on two."""
    return across_four_ranks() + on_two_ranks()


def measure(placement: str, steps: int = 5, repeats: int = 20) -> None:
    """Print the shortest time of a gossip step, in seconds; run on each rank."""
    topology = graph()
    communicator, W = connect(PEERS, partial(place, topology, placement=placement)), topology.weights(0)
    x = np.random.default_rng(0).normal(size=(len(communicator.block), WIDTH)).astype(np.float32)
    spare, shortest = np.empty_like(x), math.inf
    for _ in range(repeats):
        communicator.agree(False)
        began = time.perf_counter()
        for _ in range(steps):
            x, spare = communicator.mix(W, x, out=spare), x
        communicator.agree(False)
        shortest = min(shortest, (time.perf_counter() - began) / steps)
    if communicator.is_root:
        print(shortest)


if __name__ == "__main__":
    measure(sys.argv[1])
