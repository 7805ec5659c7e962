"""A search compares a metric that its runs have: another one is refused before any of them starts."""

from pathlib import Path

import pytest

from dfedsam import DPSGD, Clock, Quadratic, make, simulate
from dfedsam.errors import OptionError
from dfedsam.gossip import Choco
from dfedsam.launch.sweeps.metric import check_metric
from dfedsam.objectives import LogisticRegression
from dfedsam.objectives.hidden_prompt import HiddenPrompt
from dfedsam.privacy import Gaussian
from tests.launch.sweeps.files import write

EXPERIMENTS = {
    "a quadratic": {"objective": Quadratic(dim=3)},
    "without local metrics": {"objective": Quadratic(dim=3), "evaluate_local": False},
    "simulated time": {"objective": Quadratic(dim=3), "clock": Clock()},
    "metrics on request": {
        "objective": Quadratic(dim=3), "cosine": True, "metrics": ("gradient_norm", "distance", "regret", "trace")
    },
    "a privacy budget": {"objective": LogisticRegression(features=3), "privacy": Gaussian(epsilon=30)},
    "compressed gossip": {"objective": Quadratic(dim=3), "algorithm": DPSGD(gossip=Choco())},
    "exact gradients": {"objective": Quadratic(dim=3), "algorithm": DPSGD(estimator="exact")},
    "classes": {"objective": LogisticRegression(features=3, validation=0.2), "metrics": ("recall",)},
    "a hidden prompt": {
        "objective": HiddenPrompt(tokens=2, candidates=3), "algorithm": DPSGD(estimator="policy_gradient")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_metric_of_a_run_may_be_compared(name):
    options = {"topology": make("ring", 4), "algorithm": DPSGD(), "rounds": 2} | EXPERIMENTS[name]
    result = simulate(**options)
    recorded = set(result.rows[-1]) - {"round"}
    for metric in recorded:
        check_metric("search.metric", metric, result.experiment)
    with pytest.raises(OptionError) as refused:
        check_metric("search.metric", "los", result.experiment)
    assert refused.value.hint == "did you mean loss?"
    promised = refused.value.rule.rpartition(": ")[2].split(", ")
    assert set(promised) - recorded <= {"present"}  # of a clock whose peers come and go


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("acuracy", "error, consensus_distance"),
        ("accuracy", "loss, error, loss_local, consensus_distance"),
        ("consensus", "did you mean consensus_distance?"),
        ("cosine", "must be a metric of the runs"),
    ],
)
def test_a_metric_that_no_run_has_is_refused_before_any_starts(dfedsam, metric, message):
    search = {"option": "algorithm.lr", "values": [0.1, 0.2], "metric": metric}
    said = dfedsam("sweep", write(search=search))
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"search.metric is {metric}: it must be a metric of the runs: loss, error" in said.err
    assert not Path("studies").exists()
    said = dfedsam("tune", "--config", write("own"), "--metric", metric)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert not Path("studies").exists()
