"""The experiment llm.yaml, for a round on a tiny model of the same architecture."""

import json
from pathlib import Path

import pytest

pytest.importorskip("dfedsam.blackbox.language_model", reason="it tunes a causal language model")


def test_a_round_costs_nine_queries_and_eight_vectors(dfedsam, tmp_path):
    from tests.dfedsam.blackbox.language_models import build

    said = dfedsam(
        *("run", "--config", "llm.yaml", "--rounds", "1", "--ranks", "1", "--out", "run", "--references", "false"),
        *("--objective.model", str(build("llama", tmp_path)), "--objective.words", "bad, good, very, film"),
        *(
            "--objective.prompt",
            "very",
            "--objective.train_limit",
            "64",
            "--objective.test_limit",
            "8",
            "--figure",
            "false",
        ),
    )
    assert said.status == 0, said.err
    last = json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])
    assert last["queries"] == 9  # eight directions and the base
    assert last["bytes"] == 4 * 2 * 16 * 4  # four gossip steps, two neighbours, and the tiny model's width
    assert last["examples"] == last["tokens"] == 9 * 8  # eight texts a peer, one token of prompt each
