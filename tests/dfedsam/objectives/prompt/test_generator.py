"""Prompt generators: each example scored with the prompt that its own features make."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from dfedsam import DFedAvg, Exact, FedBBPT, simulate, topologies
from dfedsam.blackbox import BlackBoxConfig, CausalLMConfig, DualEncoderConfig, MaskedLMConfig
from dfedsam.data.split import IID
from dfedsam.objectives import FullPrompt, PromptGenerator, PromptTuning
from dfedsam.objectives.prompt.generator import MLP
from dfedsam.objectives.prompt.problem import PromptProblem
from dfedsam.random import RandomStream
from dfedsam.zeroth_order import SPSA

PEERS = 3
BOXES: list[tuple[str, BlackBoxConfig, dict]] = [
    ("bert", MaskedLMConfig(), {}),
    ("gpt2", CausalLMConfig(), {}),
    ("encoder", DualEncoderConfig(mode="words"), {}),
    ("encoder", DualEncoderConfig(mode="text"), {}),
]


@pytest.fixture
def tuning(reviews: Path, folders: dict[str, Path], encoder_folder: Path):
    torch.set_num_threads(1)

    def make(kind: str, model: BlackBoxConfig, **more) -> PromptTuning:
        folder = encoder_folder if kind == "encoder" else folders[kind]
        usual = {"data": str(reviews), "words": "bad, good", "model": str(folder), "blackbox": model, "split": IID()}
        usual |= {"min_examples": 3, "batch_size": 4, "prompt": "a film", "cut_at_peers": True}
        usual |= {"parameters": PromptGenerator(hidden=4, dim=5, encoder=str(encoder_folder))}
        return PromptTuning(**{**usual, **more})

    return make


def build(objective: PromptTuning, block: range = range(PEERS), dtype: type = np.float64) -> PromptProblem:
    problem = objective.build(PEERS, block, 0, dtype)
    assert isinstance(problem, PromptProblem)
    return problem


def inputs(problem: PromptProblem) -> np.ndarray:
    """The features of each example."""
    generated: Any = problem.map
    return generated.mlp.inputs


def around(problem: PromptProblem, *shape: int) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(*shape, problem.dim))
    return (problem.start() + noise).astype(problem.dtype)


def test_the_network_is_a_plain_one_of_torch() -> None:
    random = np.random.default_rng(0)
    mlp = MLP(inputs=random.normal(size=(6, 4)), hidden=3, outputs=2)
    x = random.normal(size=(5, mlp.dim))
    first, second = torch.nn.Linear(4, 3, dtype=torch.float64), torch.nn.Linear(3, 2, dtype=torch.float64)
    plain = torch.nn.Sequential(first, torch.nn.Tanh(), second)
    for own, found in zip(x, mlp(x, np.tile([4, 0, 5], (5, 1))), strict=True):
        torch.nn.utils.vector_to_parameters(torch.from_numpy(own), plain.parameters())
        expected = plain(torch.from_numpy(mlp.inputs[[4, 0, 5]])).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("kind", "model", "more"), BOXES, ids=repr)
def test_losses_and_figures_are_those_of_each_example_alone(tuning, kind, model, more, tmp_path: Path) -> None:
    """Prompts by the formula that is written down, from what `save` writes, one example at a time."""
    problem = build(tuning(kind, model, **more))
    x, batch = around(problem, PEERS, 2), problem.minibatch(RandomStream(0, "minibatch", 0, 0, range(PEERS)))
    batch[1, -1] = -1
    losses, figures = problem.losses(x, batch), problem.evaluate(x[:, 0])
    assert losses.shape == (PEERS, 2)
    features = inputs(problem)

    def plain(one: np.ndarray, number: int) -> tuple[float, bool]:
        problem.save(one, tmp_path / "prompt.safetensors")
        with safe_open(tmp_path / "prompt.safetensors", "np") as file:
            part = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
        hidden = np.tanh(part["first.weight"] @ features[number] + part["first.bias"])
        z = part["second.weight"] @ hidden + part["second.bias"]
        prompt = part["prompt"] + (z @ part["projection"]).reshape(part["prompt"].shape)
        (scores,) = problem.black_box.scores(prompt[None, None], np.array([[number]]), count=False)
        label = problem.labels[number]
        chances = torch.log_softmax(torch.from_numpy(scores[0, 0]), dim=-1)
        return -float(chances[label]), bool(scores[0, 0].argmax() == label)

    for peer in range(PEERS):
        expected = np.mean([plain(x[peer, 1], number)[0] for number in batch[peer] if number >= 0])
        np.testing.assert_allclose(losses[peer, 1], expected, rtol=1e-9)
    held_out = [plain(x[2, 0], number) for number in problem.test]
    assert figures["loss"][2] == pytest.approx(np.mean([loss for loss, _ in held_out]), rel=1e-9)
    assert figures["accuracy"][2] == np.mean([right for _, right in held_out])
    start = build(tuning(kind, model, **more)).evaluate(problem.start()[None])
    usual = replace(tuning(kind, model, **more), parameters=FullPrompt()).build(PEERS, range(PEERS), 0, np.float64)
    np.testing.assert_allclose(start["loss"], usual.evaluate(usual.start()[None])["loss"], rtol=1e-9)


def test_features_are_unit_vectors_of_the_encoder_and_pairs_are_read_together(
    tuning, folders, reviews, tmp_path: Path
) -> None:
    features = inputs(build(tuning("bert", MaskedLMConfig())))
    np.testing.assert_allclose((features**2).sum(axis=1), 16, rtol=1e-9)
    table = pd.read_csv(reviews)
    pairs = tmp_path / "pairs.csv"
    halves = table["text"].str.split(" ", n=1, expand=True)
    pd.DataFrame({"a": halves[0], "b": halves[1], "label": table["label"]}).to_csv(pairs, index=False)
    paired = tuning(
        "bert", MaskedLMConfig(template="{prompt} {text1} {text2} <mask>"), data=str(pairs), text_column="a,b"
    )
    np.testing.assert_allclose(inputs(build(paired)), features, rtol=1e-9)


def test_the_same_bits_however_peers_are_dealt(tuning) -> None:
    objective = tuning("encoder", DualEncoderConfig(mode="text"))
    whole = build(objective, dtype=np.float32)
    x, batch = around(whole, PEERS, 3), whole.minibatch(RandomStream(0, "minibatch", 0, 0, range(PEERS)))
    losses, loss = whole.losses(x, batch), whole.evaluate(x[:, 0])["loss"]
    for block in (range(1), range(1, 3)):
        rows, part = slice(block.start, block.stop), build(objective, block, np.float32)
        np.testing.assert_array_equal(part.losses(x[rows], batch[rows]), losses[rows])
        np.testing.assert_array_equal(part.evaluate(x[rows, 0])["loss"], loss[rows])


@pytest.mark.parametrize(
    "algorithm", [FedBBPT(a=0.05, local_steps=2), DFedAvg(estimator=SPSA(), lr=0.1, local_steps=2)]
)
def test_a_server_or_gossip_tunes_it_and_a_resumed_run_is_the_same(tuning, algorithm, tmp_path: Path) -> None:
    objective = tuning("encoder", DualEncoderConfig(mode="text"))
    options = {"objective": objective, "algorithm": algorithm, "topology": topologies.make("ring", PEERS)}
    options |= {"evaluate_every": 4, "evaluate_local": False}
    whole = simulate(**options, rounds=8, out=tmp_path / "whole").rows
    simulate(**options, rounds=4, out=tmp_path / "cut")
    again = simulate(**options, rounds=8, out=tmp_path / "cut", resume=True).rows
    assert [row | {"seconds": 0} for row in again] == [row | {"seconds": 0} for row in whole]
    assert whole[-1]["loss"] < whole[0]["loss"]
    assert whole[-1]["queries"] == 8 * 2 * 10
    assert whole[-1]["examples"] == 8 * 2 * 10 * 4
    dim = build(objective).dim
    assert dim == 4 * 16 + 4 + 5 * 4 + 5
    sent = 2 * dim + 1 if isinstance(algorithm, FedBBPT) else 2 * dim
    assert whole[-1]["bytes"] == 8 * sent * 4
    with safe_open(tmp_path / "cut" / "prompt.safetensors", "np") as file:
        assert file.metadata()["parameters"] == "prompt_generator"


def test_what_it_cannot_do_is_said_before_the_run(tuning, tmp_path: Path) -> None:
    options = {"topology": topologies.make("ring", PEERS), "out": tmp_path / "run"}
    objective = tuning("encoder", DualEncoderConfig())
    with pytest.raises(ValueError, match="this objective is a black box without gradients"):
        simulate(**options, objective=objective, algorithm=DFedAvg(estimator=Exact()))
    nowhere = replace(objective, parameters=PromptGenerator(encoder="no/such-encoder"))
    with pytest.raises(ValueError, match="encoder is no/such-encoder: "):
        simulate(**options, objective=nowhere, algorithm=FedBBPT())
    assert not (tmp_path / "run").exists()
    for bad in ({"hidden": 0}, {"dim": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} is 0"):
            PromptGenerator(**bad)
