"""The presets of papers' set-ups, each for a round on a small model of the same architecture and made-up data."""

import json
from pathlib import Path

import pytest

pytest.importorskip("dfedsam.blackbox.language_model", reason="the presets tune masked language models")

EXPERIMENTS = Path(__file__).parents[2] / "launch" / "experiments"
LABELS = {"sst2": 2, "yelp": 2, "ag_news": 4}


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RoBERTa of two layers of width 16."""
    from tests.dfedsam.blackbox.language_models import build

    return build("roberta", tmp_path_factory.mktemp("roberta"))


@pytest.mark.parametrize("split", ["iid", "dirichlet"])
@pytest.mark.parametrize("task", LABELS)
def test_a_preset_plays_a_round_of_the_papers_cost(dfedsam, roberta, task, split):
    classes = LABELS[task]
    rows = [f"the film was {i % 9} and {'very ' * (i % 5)}good,{i % classes}" for i in range(60 * classes)]
    Path("texts.csv").write_text("text,label\n" + "\n".join(rows))
    said = dfedsam(
        *("run", "--config", str(EXPERIMENTS / f"fedbpt_{task}.yaml"), "--rounds", "1", "--out", "run"),
        *("--objective.data", "texts.csv", "--objective.test", "texts.csv", "--objective.test_limit", "8"),
        *("--objective.model", str(roberta), "--objective.prompt_tokens", "4", "--objective.split", split),
        *("--objective.blackbox.template", "{prompt} {text} <mask>", "--references", "false", "--figure", "false"),
        *(("--objective.words", "bad, good, very, film") if classes == 4 else ("--objective.words", "bad, good")),
    )
    assert said.status == 0, said.err
    last = json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])
    assert last["queries"] == 82
    assert last["examples"] == 82 * 40 * classes / 10
    assert last["bytes"] == 4 * (500 + 1 + 8 + 500 + 1 + 500 * 501 // 2)
