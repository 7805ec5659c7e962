"""One robust gossip step against a plain one, 1,024 peers × 4,096 on a random 4-regular graph, in one process."""

from functools import partial

import networkx as nx
import numpy as np

from dfedsam import GTS, IOS, NNA, Balance, Clipped, CSPlus, GeometricMedian, Krum, Median, TrimmedMean
from dfedsam.communication import SingleProcess
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream
from dfedsam.registry import public_name
from tests.benchmarks import Row, seconds
from tests.dfedsam.communication.cases import averaging

PEERS, WIDTH = 1024, 4096
RULES = {
    public_name(type(rule)): rule
    for rule in (
        Clipped(), CSPlus(), GTS(), NNA(), Balance(), IOS(), Krum(), GeometricMedian(), TrimmedMean(), Median()
    )
}  # fmt: skip


def run() -> list[Row]:
    """The time of each rule's step over the plain step's."""
    communicator, W = SingleProcess(PEERS), averaging(nx.random_regular_graph(4, PEERS, seed=0))
    x = np.random.default_rng(0).normal(size=(PEERS, WIDTH)).astype(np.float32)
    channel = Channel(W, communicator, RandomStream(0, "gossip", 0, 0, range(PEERS)))
    steps = {name: partial(rule, x, None, channel) for name, rule in RULES.items()}  # pyright: ignore[reportArgumentType]
    took = seconds({"plain": partial(communicator.mix, W, x), **steps}, repeats=30)
    return [
        Row(
            what=f"gossip step, {name}, random 4-regular, {PEERS} × {WIDTH} float32",
            floor="the plain step",
            ratio=took[name] / took["plain"],
            target=6,
            at_most=True,
            figures=f"{1e3 * took[name]:.1f} against {1e3 * took['plain']:.1f} ms",
        )
        for name in RULES
    ]
