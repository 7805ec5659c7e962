"""Plays noisy quadratics until the peers' distance is steady; run by a test in one process and as an MPI job.

python -m tests.dfedsam.steady FILE.json GRAPH   writes the mean distance of each gossip on that graph
"""

import json
import sys
from pathlib import Path

import numpy as np

from dfedsam import Chebyshev, DFedAvg, Exact, Plain, Quadratic, simulate, topologies

LR, NOISE = 0.2, 1.0
OBJECTIVE = Quadratic(dim=4000, noise=NOISE, heterogeneity=0.3)
GOSSIPS = {"Q = 1": Plain(), "Q = 4": Plain(steps=4), "Chebyshev-4": Chebyshev(steps=4)}
PEERS = {"ring": 16, "davis": None}
STEADY = 40  # rounds after which what is left of the start is below 1e-4: (1 − lr)⁴⁰


def measured(name: str, gossip: str) -> float:
    """The mean consensus distance of one case over its steady rounds."""
    rows = simulate(
        objective=OBJECTIVE,
        topology=topologies.make(name, PEERS[name]),
        algorithm=DFedAvg(local_steps=1, lr=LR, estimator=Exact(), gossip=GOSSIPS[gossip]),
        rounds=3 * STEADY,
        dtype="float64",
        evaluate_local=False,
        evaluate_every=4,
    ).rows
    return float(np.mean([row["consensus_distance"] for row in rows if row["round"] >= STEADY]))


if __name__ == "__main__":
    found = {gossip: measured(sys.argv[2], gossip) for gossip in GOSSIPS}
    Path(sys.argv[1]).write_text(json.dumps(found))
