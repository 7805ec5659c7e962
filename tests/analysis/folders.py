"""Run folders with made-up metrics, for the tests of this room."""

import json

import yaml


def config(algorithm="dfedsam", topology="ring", peers=16, seed=0, **arguments):
    """A configuration in the form of config.yaml; further arguments are the algorithm's."""
    return {
        "topology": {"class_path": topology, "init_args": {"seed": seed}},
        "peers": peers,
        "objective": {"class_path": "quadratic", "init_args": {"dim": 50}},
        "algorithm": {"class_path": algorithm, "init_args": {"rho": 0.05, **arguments}},
        "rounds": 100,
        "seed": seed,
    }


def row(number, **values):
    """One row of metrics.jsonl."""
    usual = {"round": number, "queries": 80 * number, "bytes": 2e5 * number, "loss": 2 / (1 + number), "seconds": 0.1}
    return {**usual, "consensus_distance": 0.1 * number, "consensus_distance_before_gossip": 0.2 * number, **values}


def write(folder, rows, settings=None, references=None, topology=None):
    """Write a run folder and return its path."""
    folder.mkdir(parents=True)
    text = yaml.safe_dump({"format": 1, **(settings or config())})
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    if references is not None:
        (folder / "references.json").write_text(json.dumps(references), encoding="utf-8")
    if topology is not None:
        (folder / "topology.json").write_text(json.dumps(topology, default=float), encoding="utf-8")
    return folder


def spectrum(gap, **values):
    """The spectrum in topology.json that a report reads."""
    usual = {"degree_mean": 2.0, "degree_max": 2, "degree_round_mean": 2.0, "degree_round_max": 2, "diameter": 8}
    usual |= {"mu_2": 0.15, "lambda": 1 - gap, "lambda_min": -0.3, "gap": gap, "effective_neighbours": 6.6}
    return {**usual, "vectors_per_round": 32, "biased": False, "period": 1, **values}


def many_seeds(folder, losses, **settings):
    """Runs of one seed each with these losses, shape (seeds, rounds); returns their paths."""
    return [
        write(
            folder / str(seed), [row(5 * i, loss=loss) for i, loss in enumerate(values)], config(seed=seed, **settings)
        )
        for seed, values in enumerate(losses)
    ]
