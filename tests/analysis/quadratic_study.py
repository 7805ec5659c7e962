"""A study on quadratics whose runs do exactly what theory says: every figure has something to show, and R² is 1."""

import numpy as np

from dfedsam import topologies
from dfedsam.theory import NoisyGossip, Quadratics
from tests.analysis.folders import write

GRAPHS = ("ring", "star", "complete")
SIZES = (4, 8, 12)
STEPS = (1, 2)
DIM, LR, NOISE = 5, 0.1, 0.3
ROUNDS = np.arange(0, 401, 20)


def settings(graph="ring", peers=8, steps=1, heterogeneity=1.0, seed=0):
    """A run's config.yaml."""
    quadratic = {"dim": DIM, "heterogeneity": heterogeneity, "noise": NOISE, "condition": 1.0}
    gossip = {"class_path": "plain", "init_args": {"steps": steps}}
    algorithm = {"estimator": {"class_path": "exact"}, "local_steps": 1, "lr": LR, "gossip": gossip}
    return {
        "topology": {"class_path": graph, "init_args": {}},
        "peers": peers,
        "objective": {"class_path": "quadratic", "init_args": quadratic},
        "algorithm": {"class_path": "dpsgd", "init_args": algorithm},
        "rounds": int(ROUNDS[-1]),
        "seed": seed,
    }


def model(graph, peers, steps, heterogeneity):
    """What theory says of that run."""
    W = topologies.make(graph, peers, 0).weights(0).toarray()
    modes = np.linalg.eigvalsh(W)[:-1] ** steps
    quadratics = Quadratics(dim=DIM, heterogeneity=heterogeneity, noise=NOISE)
    return NoisyGossip(modes=modes, lr=LR, quadratics=quadratics)


def topology_file(graph, peers, steps, own):
    """The run's topology.json."""
    topology = topologies.make(graph, peers, 0)
    spectrum = topologies.spectrum(topology, steps)
    values = topologies.eigenvalues(topology.weights(0))[1:]
    consensus, error = own.steady_state()
    course = {"round": ROUNDS.tolist(), "consensus_distance": own.course(ROUNDS).tolist()}
    theory = {"lambda_q": np.abs(own.modes).max(), "neighbours_q": spectrum["effective_neighbours"] + steps - 1}
    theory |= {"eigenvalues": values.tolist(), "multipliers": (values**steps).tolist(), "rate": None}
    theory |= {"consensus_distance": consensus, "error": error, "course": course}
    gossip = {"name": "plain", "steps": steps}
    return topologies.to_dict(topology, spectrum=spectrum, theory=theory, gossip=gossip)


def write_study(folder, seeds=2):
    """The study: GRAPHS × SIZES × STEPS × two heterogeneities × seeds, some per cent apart from seed to seed."""
    for graph in GRAPHS:
        for peers in SIZES:
            for steps in STEPS:
                for heterogeneity in (0.5, 1.0):
                    own = model(graph, peers, steps, heterogeneity)
                    course, error = own.course(ROUNDS), own.steady_state()[1]
                    known = topology_file(graph, peers, steps, own)
                    for seed in range(seeds):
                        factor = 1.02 ** (2 * seed - seeds + 1)  # the geometric mean over seeds is theory's
                        rows = [
                            {"round": int(t), "queries": 0.0, "bytes": 80.0 * steps * t, "loss": 1 / (1 + t)}
                            | {"consensus_distance": c * factor, "error": error * factor + 10 * 0.9**t, "seconds": 0.1}
                            for t, c in zip(ROUNDS, course, strict=True)
                        ]
                        name = f"{graph},{peers},{steps},{heterogeneity},{seed}"
                        config = settings(graph, peers, steps, heterogeneity, seed)
                        write(folder / "runs" / name, rows, config, topology=known)
    return folder
