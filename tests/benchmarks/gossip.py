"""One gossip step through the network layer: against a copy of the state, and on two ranks against one."""

import time
from functools import partial

import networkx as nx
import numpy as np

from dfedsam.communication import Communicator, SingleProcess, connect
from dfedsam.rows import ThreadPool
from tests.benchmarks import Row, on_ranks, seconds
from tests.dfedsam.communication.cases import averaging

PEERS, WIDTH = 4096, 512
TARGETS = {"ring": 0.9, "random 4-regular": 0.8}


def state(communicator: Communicator) -> np.ndarray:
    """The block's rows, float32."""
    x = np.random.default_rng(0).normal(size=(PEERS, WIDTH)).astype(np.float32)
    return x[communicator.block]


def against_a_copy() -> list[Row]:
    """Bandwidth of a step: W's rows in, one row out for each peer; that of a copy: every row in and out."""
    communicator = SingleProcess(PEERS)
    communicator.pool = ThreadPool(1)
    x = state(communicator)
    graphs = {"ring": nx.cycle_graph(PEERS), "random 4-regular": nx.random_regular_graph(4, PEERS, seed=0)}
    matrices = {name: averaging(graph) for name, graph in graphs.items()}
    steps = {name: partial(communicator.mix, W, x) for name, W in matrices.items()}
    took = seconds({"copy": x.copy, **steps}, repeats=100)
    copied = 2 * x.nbytes / took["copy"]
    rows = []
    for name, W in matrices.items():
        mixed = (W.nnz + PEERS) * WIDTH * x.itemsize / took[name]
        rows.append(
            Row(
                what=f"gossip step, {name}, {PEERS} × {WIDTH} float32, one thread",
                floor="bandwidth of a numpy copy",
                ratio=mixed / copied,
                target=TARGETS[name],
                figures=f"{1e3 * took[name]:.2f} ms, {mixed / 1e9:.1f} against {copied / 1e9:.1f} GB/s",
            )
        )
    return rows


def on_two_ranks() -> list[Row]:
    """Steps a second on two ranks over those on one, each in turn and twice."""
    took = on_ranks(__file__, timeout=120)
    if took is None:
        return []
    return [
        Row(
            what=f"gossip step, ring, {PEERS} × {WIDTH} float32, two ranks",
            floor="one rank",
            ratio=took[1] / took[2],
            target=1.5,
            figures=f"{1e3 * took[2]:.2f} against {1e3 * took[1]:.2f} ms",
        )
    ]


def run() -> list[Row]:
    """Both."""
    return against_a_copy() + on_two_ranks()


def play(steps: int = 10, repeats: int = 30) -> None:
    """On each rank: print the shortest time of a step, in seconds."""
    communicator, W = connect(PEERS), averaging(nx.cycle_graph(PEERS))
    x, shortest = state(communicator), float("inf")
    for _ in range(repeats):
        communicator.agree(False)
        began = time.perf_counter()
        for _ in range(steps):
            x = communicator.mix(W, x)
        communicator.agree(False)
        shortest = min(shortest, (time.perf_counter() - began) / steps)
    if communicator.is_root:
        print(shortest)


if __name__ == "__main__":
    play()
