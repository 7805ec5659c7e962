"""Whether runs will record the metric that a search compares, checked before any of them starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dfedsam.errors import OptionError
from dfedsam.names import nearest

if TYPE_CHECKING:
    from dfedsam.experiment import Experiment

_ALWAYS = ("consensus_distance", "consensus_distance_before_gossip", "queries", "bytes", "seconds")
_PERHAPS = (  # counts and states of some algorithms, gossip and black boxes
    *("gradients", "examples", "tokens", "unmatched_answers", "sigma", "gamma"),
    *("editor_requests", "editor_tokens", "editor_unused"),
)
_TIME = ("time", "time_mean", "idle", "present")


def check_metric(option: str, metric: str, experiment: Experiment) -> None:
    """Raise OptionError unless runs of an experiment record a metric, or a plug-in of the user's may."""
    known = _recorded(experiment)
    if metric in (*known, *_PERHAPS) or not _is_known(experiment):
        return
    if "recall" in experiment.metrics and metric.startswith("recall_"):
        return
    guess = nearest(metric, known)
    hint = "" if guess is None else f"did you mean {guess}?"
    raise OptionError(option, metric, f"must be a metric of the runs: {', '.join(known)}", hint)


def _recorded(experiment: Experiment) -> list[str]:
    """The metrics that the runs have for certain, by the experiment's options."""
    objective, own = experiment.objective, list(experiment.objective.records)
    if objective.holds_out and getattr(objective, "validation", 0):
        own += [f"validation_{name}" for name in objective.records]
    shares = [name for name in own if name.endswith("accuracy")]
    local = [f"{name}_local" for name in own if name.endswith(("loss", "accuracy"))]
    more = [f"{name}_worst" for name in shares] + local if experiment.evaluate_local else []
    asked = [name for name in experiment.metrics if name != "recall"] + ["cosine"] * experiment.cosine
    private = ["epsilon"] if experiment.privacy is not None else []
    return [*own, *more, *_ALWAYS, *asked, *private, *(_TIME if experiment.clock is not None else ())]


def _is_known(experiment: Experiment) -> bool:
    """Whether all plug-ins that may add metrics are ours."""
    algorithm, objective = experiment.algorithm, experiment.objective
    adding = [algorithm, algorithm.gossip_of_x(), objective, getattr(objective, "blackbox", None)]
    return all(one is None or type(one).__module__.partition(".")[0] == "dfedsam" for one in adding)
