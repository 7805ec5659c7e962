"""Run folders with made-up metrics, for the tests of this room."""

import json

import yaml


def config(algorithm="DFedSAM", topology="ring", peers=16, seed=0, **arguments):
    """A configuration in the form of config.yaml; further arguments are the algorithm's."""
    return {
        "topology": {"class_path": topology, "init_args": {"seed": seed}},
        "peers": peers,
        "objective": {"class_path": "Quadratic", "init_args": {"dim": 50}},
        "algorithm": {"class_path": algorithm, "init_args": {"rho": 0.05, **arguments}},
        "rounds": 100,
        "seed": seed,
    }


def row(number, **figures):
    """One row of metrics.jsonl."""
    values = {"round": number, "queries": 80 * number, "bytes": 2e5 * number, "loss": 2 / (1 + number), "seconds": 0.1}
    return {**values, "consensus_distance": 0.1 * number, "consensus_distance_before_gossip": 0.2 * number, **figures}


def write(folder, rows, settings=None, references=None):
    """Write a run folder and return its path."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings or config()), encoding="utf-8")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    if references is not None:
        (folder / "references.json").write_text(json.dumps(references), encoding="utf-8")
    return folder


def spectrum(gap, **figures):
    """The figures of topology.json that a report reads."""
    values = {"degree_mean": 2.0, "degree_max": 2, "degree_round_mean": 2.0, "degree_round_max": 2, "diameter": 8}
    values |= {"mu_2": 0.15, "lambda": 1 - gap, "lambda_min": -0.3, "gap": gap, "effective_neighbours": 6.6}
    return {**values, "vectors_per_round": 32, "biased": False, "period": 1, **figures}
