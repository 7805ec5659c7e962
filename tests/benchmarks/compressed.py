"""A compressed gossip step against a plain one: encoding, exchange, decoding and what CHOCO keeps, all included."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from dfedsam import QSGD, Choco, Float16, NoCompression, Plain, RandomK, ScaledSign, TopK, topologies
from dfedsam.communication import Communicator, SingleProcess, connect
from dfedsam.gossip import Gossip
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream
from dfedsam.rows import ThreadPool
from tests.benchmarks import Row, seconds
from tests.mpi import find_mpirun, mpirun

PEERS, WIDTH = 1024, 4096
GOSSIPS: dict[str, Gossip] = {
    "plain": Plain(),
    "none": Choco(compressor=NoCompression(), gamma=0.1),
    "top-1 %": Choco(compressor=TopK(fraction=0.01), gamma=0.02),
    "random 1 %": Choco(compressor=RandomK(fraction=0.01), gamma=0.01),
    "scaled sign": Choco(compressor=ScaledSign(), gamma=0.1),
    "4-bit QSGD": Choco(compressor=QSGD(levels=7), gamma=0.05),
    "float16": Choco(compressor=Float16(), gamma=0.1),
}


def step(gossip: Gossip, communicator: Communicator) -> Callable[[], None]:
    """One gossip step after another from random rows, float32, on a ring."""
    W, block = topologies.make("ring", PEERS).weights(0), communicator.block
    x = RandomStream(0, "start", 0, 0, block).normal((WIDTH,), np.float32)
    memory, done = gossip.init(np.zeros_like(x)), 0

    def once() -> None:
        nonlocal x, memory, done
        x, memory = gossip(x, memory, Channel(W, communicator, RandomStream(0, "gossip 1", done, 0, block)))
        done += 1

    return once


def rows(took: dict[str, float], where: str) -> list[Row]:
    """A row for each compressor, from the shortest seconds of a step."""
    return [
        Row(
            what=f"compressed gossip step, {name}, ring, {PEERS:,} × {WIDTH:,} float32, {where}",
            floor="plain gossip step",
            ratio=took[name] / took["plain"],
            target=3,
            at_most=True,
            figures=f"{1e3 * took[name]:.1f} against {1e3 * took['plain']:.1f} ms",
        )
        for name in GOSSIPS
        if name != "plain"
    ]


def run() -> list[Row]:
    """On one thread, by its CPU time, and on two ranks."""
    communicator = SingleProcess(PEERS)
    communicator.pool = ThreadPool(1)
    steps = {name: step(gossip, communicator) for name, gossip in GOSSIPS.items()}
    found = rows(seconds(steps, clock=time.thread_time), "one thread")
    if find_mpirun() is None:
        return found
    job = mpirun(2, [__file__], timeout=300)
    job.check_returncode()
    took = dict(zip(GOSSIPS, map(float, job.stdout.split()), strict=True))
    return found + rows(took, "two ranks")


def play() -> None:
    """On each rank: print the shortest time of each step, in seconds."""
    communicator = connect(PEERS)

    def together(once: Callable[[], None]) -> None:
        communicator.agree(False)
        once()
        communicator.agree(False)

    took = seconds({name: partial(together, step(gossip, communicator)) for name, gossip in GOSSIPS.items()})
    if communicator.is_root:
        print(*(took[name] for name in GOSSIPS))


if __name__ == "__main__":
    play()
