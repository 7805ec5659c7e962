"""A round's W_t and its gossip step, against the gossip step of a static W with as many entries off the diagonal."""

import time
from statistics import median

import networkx as nx
import numpy as np
from scipy.sparse import csr_array

from dfedsam import topologies
from dfedsam.communication import SingleProcess
from tests.benchmarks import Row

PEERS, WIDTH, ROUNDS = 4096, 512, 120


def ring_of(entries: int) -> csr_array:
    """W of a ring with so many entries off the diagonal: 4,096 in the ring where each peer hears one neighbour, 8,192
    where it hears both; in between, in the latter without some of its links, evenly spread."""
    if entries <= PEERS:
        return topologies.make("directed_ring", PEERS).weights(0)
    ring = nx.Graph(topologies.ring(PEERS))
    spare = PEERS - entries // 2
    ring.remove_edges_from([(i * PEERS // spare, i * PEERS // spare + 1) for i in range(spare)])
    return topologies.make(ring).weights(0)


def stored(W: csr_array) -> int:
    """SparseRows off the diagonal."""
    return W.nnz - int(np.count_nonzero(W.diagonal()))


def medians(topology: topologies.Topology, static: csr_array) -> tuple[float, float]:
    """Seconds of a round's W_t and its step, and of a step of the static W: medians over many rounds, in turns."""
    communicator = SingleProcess(PEERS)
    x = np.random.default_rng(0).normal(size=(PEERS, WIDTH)).astype(np.float32)
    out = np.empty_like(x)
    took: tuple[list[float], list[float]] = [], []
    for t in range(ROUNDS):
        began = time.perf_counter()
        communicator.mix(topology.weights(t), x, out)
        between = time.perf_counter()
        communicator.mix(static, x, out)
        took[0].append(between - began)
        took[1].append(time.perf_counter() - between)
    return median(took[0]), median(took[1])


def run() -> list[Row]:
    """A schedule with a period, one of finite time, and one that is drawn afresh in every round."""
    cases = {
        "one-peer exponential": topologies.make("one_peer_exponential", PEERS),
        "Base-2": topologies.make("base", PEERS, degree=1),
        "ring with link failures, p = 0.1": topologies.make("link_failures", PEERS, seed=0),
    }
    rows = []
    for name, topology in cases.items():
        entries = median(stored(topology.weights(t)) for t in range(20))
        static = ring_of(2 * round(entries / 2))
        ours, plain = medians(topology, static)
        rows.append(
            Row(
                what=f"W_t and gossip step, {name}, {PEERS} × {WIDTH} float32",
                floor=f"gossip step, static ring of {stored(static)} entries",
                ratio=ours / plain,
                target=1.5,
                at_most=True,
                figures=f"{1e3 * ours:.2f} against {1e3 * plain:.2f} ms",
            )
        )
    return rows
