"""Prompt tuning with other black boxes than the dual encoder: splits, resumes, pairs of texts, what is written."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from dfedsam import DFedSAMMG, simulate, topologies
from dfedsam.blackbox import BlackBoxConfig, CausalLMConfig, MaskedLMConfig
from dfedsam.checkpoint import load
from dfedsam.communication.single_process import SingleProcess
from dfedsam.data.split import IID
from dfedsam.objectives import PromptTuning, RandomProjection
from dfedsam.objectives.prompt.problem import PromptProblem
from dfedsam.random import RandomStream

PEERS = 4
BOXES: list[tuple[str, BlackBoxConfig]] = [
    ("roberta", MaskedLMConfig()),
    ("gpt2", CausalLMConfig()),
    ("llama", CausalLMConfig(template="{text} {prompt}", cache=1e-5)),  # some texts are kept, others are not
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Sums over several threads may round otherwise."""
    torch.set_num_threads(1)


def tuning(reviews: Path, folder: Path, model: BlackBoxConfig, **more) -> PromptTuning:
    usual = {"data": str(reviews), "words": "bad, good", "model": str(folder), "blackbox": model, "prompt": "a film"}
    usual |= {
        "min_examples": 3,
        "batch_size": 4,
        "prompt_tokens": 3,
        "parameters": RandomProjection(dim=9),
        "split": IID(),
    }
    return PromptTuning(**{**usual, **more})


def build(objective: PromptTuning, block: range = range(PEERS), dtype: type = np.float32) -> PromptProblem:
    problem = objective.build(PEERS, block, 0, dtype)
    assert isinstance(problem, PromptProblem)
    return problem


@pytest.mark.parametrize(("kind", "model"), BOXES, ids=repr)
def test_cut_at_peers_gives_the_same_bits_however_peers_are_dealt(
    folders, reviews, kind: str, model: BlackBoxConfig
) -> None:
    for cut in (True, False):
        objective = tuning(reviews, folders[kind], model, cut_at_peers=cut)
        whole = build(objective)
        x = np.random.default_rng(0).normal(size=(PEERS, 3, 9)).astype(np.float32)
        batch = whole.minibatch(RandomStream(0, "minibatch", 0, 0, range(PEERS)))
        evaluated, losses = whole.evaluate(x[:, 0]), whole.losses(x, batch)
        for block in (range(1), range(1, 4)):
            rows, part = slice(block.start, block.stop), build(objective, block)
            again = [(part.losses(x[rows], batch[rows]), losses[rows])]
            again += [(figure, evaluated[name][rows]) for name, figure in part.evaluate(x[rows, 0]).items()]
            for found, expected in again:
                np.testing.assert_allclose(found, expected, rtol=0 if cut else 1e-5)


@pytest.mark.parametrize(("kind", "model"), BOXES, ids=repr)
def test_a_resumed_run_ends_bit_for_bit_where_the_unbroken_one_does(
    folders, reviews, kind: str, model: Any, tmp_path: Path
) -> None:
    options = {"objective": tuning(reviews, folders[kind], model), "topology": topologies.make("ring", PEERS)}
    options |= {"algorithm": DFedSAMMG(local_steps=1, lr=0.05), "checkpoint_every": 1, "references": kind == "gpt2"}
    whole = simulate(**options, rounds=3, out=tmp_path / "whole").rows
    simulate(**options, rounds=1, out=tmp_path / "cut")
    again = simulate(**options, rounds=3, out=tmp_path / "cut", resume=True).rows
    for one, other in zip(again, whole, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    ends = [load(tmp_path / run / "checkpoint.safetensors", SingleProcess(PEERS))[0]["x"] for run in ("cut", "whole")]
    np.testing.assert_array_equal(*ends)
    assert whole[-1]["queries"] == 3 * 16
    assert whole[-1]["examples"] == 4 * whole[-1]["queries"]
    with safe_open(tmp_path / "cut" / "prompt.safetensors", "np") as file:
        assert file.get_tensor("prompt").shape == (3, 16)
        assert file.metadata()["template"] == model.parsed().text
        assert file.metadata()["blackbox"] == model.public_name


def test_a_task_brings_template_words_and_pairs(folders, tmp_path: Path) -> None:
    table = {"premise": ["a film", "the graph", "it was"] * 8, "hypothesis": ["bad", "good", "very good"] * 8}
    data = tmp_path / "pairs.csv"
    pd.DataFrame({**table, "label": [0, 1] * 12}).to_csv(data, index=False)
    objective = tuning(
        data,
        folders["roberta"],
        MaskedLMConfig(template="{prompt} {text1} ? <mask> {text2}"),
        text_column="premise, hypothesis",
    )
    problem = build(objective)
    tokenizer = problem.black_box.loaded.tokenizer  # type: ignore[attr-defined]
    ids = problem.black_box._contents.ids[0]  # type: ignore[attr-defined]
    examples = problem.black_box.task.examples  # type: ignore[attr-defined]
    assert ids == tokenizer(f" {examples.texts[0]} ? <mask> {examples.seconds[0]}").input_ids
    wrong = tuning(data, folders["roberta"], MaskedLMConfig(template="rte"), words="", text_column="premise,hypothesis")
    with pytest.raises(ValueError, match=r"words is Yes, No: it must be words of one token .* but Yes is \d"):
        build(wrong)
