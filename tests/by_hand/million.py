"""By hand: a million peers on four graphs: seconds of CPU to build, check and analyse W, memory, and rounds of D-PSGD.

    python tests/by_hand/million.py [--peers 1000000] [--rounds 100] [ring random_regular ...]

Each graph has a process of its own, one thread. Rounds are compared with a stacked loop, x = W @ (x − lr g) by scipy,
with the same W in the same type. The limit of memory is 3 times W and the state.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
WIDTH, LR = 16, 0.1
GRAPHS = {"ring": {}, "random_regular": {"degree": 4}, "erdos_renyi": {}, "one_peer_exponential": {}}


def megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def play(name: str, peers: int, rounds: int) -> None:
    """Print the figures of one graph."""
    from dfedsam import DPSGD, Exact, Quadratic
    from dfedsam.topologies import make, spectrum, verify
    from tests.benchmarks import rounds as benchmark

    spectrum(make("ring", 100, 0))  # loads the libraries
    options = GRAPHS[name] or ({"p": 20 / (peers - 1)} if name == "erdos_renyi" else {})
    before, clock = megabytes(), [time.process_time()]
    topology = make(name, peers, 0, **options)
    W = topology.weights(0)
    clock.append(time.process_time())
    verify(topology)
    clock.append(time.process_time())
    spectrum(topology)
    clock.append(time.process_time())
    size = (W.data.nbytes + W.indices.nbytes + W.indptr.nbytes) * (topology.period or 1) / 1e6 + peers * WIDTH * 4 / 1e6
    build, check, analyse = np.diff(clock)
    print(f"{name}: build {build:.1f} s, check {check:.1f} s, spectrum {analyse:.1f} s", end="; ")
    print(f"{megabytes() - before:.0f} MB, limit {3 * size:.0f}", end="; ", flush=True)

    benchmark.PEERS = peers
    once, problem = benchmark.ours(Quadratic(dim=WIDTH), DPSGD(local_steps=1, lr=LR, estimator=Exact()), topology)
    optima = vars(problem)["optima"]
    x, matrix = np.tile(problem.start(), (peers, 1)), W.astype(np.float32)

    def stacked() -> None:
        nonlocal x
        g = x - optima
        x = matrix @ (x - np.float32(LR) * g)

    took = {once: [], stacked: []}
    for _ in range(rounds):
        for step, times in took.items():
            began = time.process_time()
            step()
            times.append(time.process_time() - began)
    ours, theirs = (sum(times) for times in took.values())
    print(f"{rounds} rounds {ours:.1f} s, {ours / theirs:.2f} × the stacked loop")


def main() -> None:
    """Each graph in its own process."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("graphs", nargs="*", default=list(GRAPHS), choices=list(GRAPHS))
    asked.add_argument("--peers", type=int, default=1_000_000)
    asked.add_argument("--rounds", type=int, default=100)
    asked.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.here:
        play(options.graphs[0], options.peers, options.rounds)
        return
    one = os.environ | {"OMP_NUM_THREADS": "1"}
    for name in options.graphs:
        command = [sys.executable, __file__, name, "--here", "--peers", str(options.peers)]
        subprocess.run([*command, "--rounds", str(options.rounds)], env=one, check=False)


if __name__ == "__main__":
    main()
