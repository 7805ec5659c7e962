"""The figures of a run by name: what they are called, which is better, and which one a study is read by."""

import pandas as pd

NAMES = {
    "accuracy": "accuracy (%)",
    "accuracy_local": "accuracy of a peer (%)",
    "accuracy_worst": "accuracy of the worst peer (%)",
    "error_local": "squared distance\nfrom the optimum",
    "error": "squared distance of\nthe mean from the optimum",
    "loss_local": "loss of a peer",
    "loss": "loss",
    "consensus_distance": "consensus distance",
    "consensus_distance_before_gossip": "consensus distance\nbefore gossip",
}
PREFERRED = ("accuracy", "error_local", "loss_local", "loss", "consensus_distance")  # the first that there is
NOT_METRICS = (
    "run", "label", "seed", "state", "topology", "peers", "algorithm", "gossip", "steps", "lr", "local_steps",
    "heterogeneity", "heterogeneity_of", "lambda_q", "gap", "biased", "degree_round_mean", "degree_round_max", "round",
    "queries", "bytes", "seconds", "consensus_theory", "time", "reference.",
)  # fmt: skip


def available(evaluations: pd.DataFrame) -> list[str]:
    """The metrics that at least one run has a number of."""
    found = [name for name in evaluations if not str(name).startswith(NOT_METRICS)]
    return [str(name) for name in found if pd.to_numeric(evaluations[name], errors="coerce").notna().any()]


def choose(evaluations: pd.DataFrame, metric: str | None = None) -> str:
    """The metric that a study is read by: the one asked for, or the first of PREFERRED that there is.

    Raises:
        ValueError: if no run has it; names those there are.
    """
    there = available(evaluations)
    if metric is None:
        return next((name for name in (*PREFERRED, *there) if name in there), "loss")
    if metric not in there:
        raise ValueError(f"metric is {metric}: no run has it; there is {', '.join(there)}")
    return metric


def rises(metric: str) -> bool:
    """Whether more is better."""
    return metric.startswith(("accuracy", "cosine"))


def title(metric: str) -> str:
    """What an axis calls it."""
    return NAMES.get(metric, metric.replace("_", " "))


def shown(metric: str, value: float) -> str:
    """A value of it in words: accuracies as per cent."""
    return f"{100 * value:.3g} %" if metric.startswith("accuracy") else f"{value:.3g}"
