"""Peak memory of a large run against the size of its state; the run is a process of its own."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks import Row
from tests.mpi import environment

PEERS, DIM = 10_000, 10_000


def run() -> list[Row]:
    """DFedSAM on quadratics, 10,000 peers × 10,000 float32, where every peer has an optimum of its own."""
    job = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, check=True, timeout=900, env=environment()
    )
    peak, state = float(job.stdout), PEERS * DIM * 4
    return [
        Row(
            what=f"peak memory, {PEERS:,} peers × {DIM:,} float32",
            floor="the state's own size",
            ratio=peak / state,
            target=4,
            at_most=True,
            figures=f"{peak / 2**20:.0f} against {state / 2**20:.0f} MiB",
        )
    ]


if __name__ == "__main__":
    from dfedsam import DFedSAM, Quadratic, TwoPoint, simulate
    from dfedsam.topologies import make

    simulate(
        objective=Quadratic(dim=DIM),
        topology=make("ring", PEERS),
        algorithm=DFedSAM(local_steps=1, estimator=TwoPoint(directions=1)),
        rounds=2,
    )
    status = Path("/proc/self/status").read_text()
    print(1024 * int(status.split("VmHWM:")[1].split()[0]))
