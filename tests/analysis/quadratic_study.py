"""A study on quadratics whose runs do exactly what theory says: every figure has something to show, and R² is 1."""

import json

import numpy as np

from dfedsam import topologies
from dfedsam.analysis.theory import Quadratics
from tests.analysis.folders import write

GRAPHS = ("ring", "star", "complete")
SIZES = (4, 8)
STEPS = (1, 2)
DIM, LR, NOISE = 5, 0.1, 0.3
ROUNDS = np.arange(0, 401, 20)


def settings(graph="ring", peers=8, steps=1, heterogeneity=1.0, seed=0):
    """A run's config.yaml."""
    quadratic = {"dim": DIM, "heterogeneity": heterogeneity, "noise": NOISE, "condition": 1.0}
    gossip = {"class_path": "Plain", "init_args": {"steps": steps}}
    algorithm = {"estimator": {"class_path": "Exact"}, "local_steps": 1, "lr": LR, "gossip": gossip}
    return {
        "topology": {"class_path": f"{graph}", "init_args": {}},
        "peers": peers,
        "objective": {"class_path": "Quadratic", "init_args": quadratic},
        "algorithm": {"class_path": "DPSGD", "init_args": algorithm},
        "rounds": int(ROUNDS[-1]),
        "seed": seed,
    }


def model(graph, peers, steps, heterogeneity):
    """What theory says of that run."""
    W = topologies.make(settings(graph)["topology"], peers, 0).weights(0).toarray()
    modes = np.linalg.eigvalsh(W)[:-1] ** steps
    return Quadratics(modes=modes, lr=LR, heterogeneity=heterogeneity, noise=NOISE, dim=DIM)


def write_study(folder, seeds=2):
    """The study: GRAPHS × SIZES × STEPS × two heterogeneities × seeds, some per cent apart from seed to seed."""
    for graph in GRAPHS:
        for peers in SIZES:
            topology = topologies.make(settings(graph)["topology"], peers, 0)
            known = topologies.spectrum(topology)
            for steps in STEPS:
                for heterogeneity in (0.5, 1.0):
                    own = model(graph, peers, steps, heterogeneity)
                    course, error = own.course(ROUNDS), own.steady()[1]
                    for seed in range(seeds):
                        apart = 1.02 ** (2 * seed - seeds + 1)  # the geometric mean over seeds is theory's
                        rows = [
                            {"round": int(t), "queries": 0.0, "bytes": 80.0 * steps * t, "loss": 1 / (1 + t)}
                            | {"consensus_distance": c * apart, "error": error * apart + 10 * 0.9**t, "seconds": 0.1}
                            for t, c in zip(ROUNDS, course, strict=True)
                        ]
                        name = f"{graph},{peers},{steps},{heterogeneity},{seed}"
                        run = write(folder / "runs" / name, rows, settings(graph, peers, steps, heterogeneity, seed))
                        (run / "topology.json").write_text(json.dumps({"spectrum": known}, default=float))
    return folder
