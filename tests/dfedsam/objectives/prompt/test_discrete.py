"""Discrete prompts on every kind of black box: what is scored and written are the likeliest tokens."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from safetensors.numpy import load_file

from dfedsam import DPSGD, DFedSAM, Plain, simulate, topologies
from dfedsam.blackbox import BlackBoxConfig, CausalLMConfig, DualEncoderConfig, FunctionConfig, MaskedLMConfig
from dfedsam.data.split import IID
from dfedsam.objectives import DiscretePrompt, PromptTuning
from dfedsam.objectives.prompt.problem import PromptProblem
from dfedsam.random import RandomStream
from dfedsam.zeroth_order import PolicyGradient

PEERS = 3
BOXES: list[tuple[str, BlackBoxConfig, dict]] = [
    ("bert", MaskedLMConfig(), {}),
    ("gpt2", CausalLMConfig(), {}),
    ("encoder", DualEncoderConfig(mode="words"), {}),
    ("encoder", DualEncoderConfig(mode="text"), {}),
]


@pytest.fixture
def options(reviews: Path, folders: dict[str, Path], encoder_folder: Path):
    def make(kind: str, model: BlackBoxConfig, parameters: DiscretePrompt, **more) -> PromptTuning:
        folder = encoder_folder if kind == "encoder" else folders[kind]
        usual = {"data": str(reviews), "words": "bad, good", "model": str(folder), "blackbox": model, "split": IID()}
        usual |= {"min_examples": 3, "batch_size": 4, "prompt": "a film", "prompt_tokens": 3, "parameters": parameters}
        return PromptTuning(**{**usual, **more})

    return make


def build(objective: PromptTuning) -> PromptProblem:
    problem = objective.build(PEERS, range(PEERS), 0, np.float32)
    assert isinstance(problem, PromptProblem)
    return problem


@pytest.mark.parametrize(("kind", "model", "more"), BOXES, ids=repr)
def test_a_choice_is_scored_as_the_same_words_in_a_soft_prompt(options, kind, model, more) -> None:
    problem = build(options(kind, model, DiscretePrompt(count=7), **more))
    choices = problem.categorical
    assert choices is not None
    assert problem.dim == 3 * 7
    chosen = choices.draw(choices.probabilities(problem.start()[None]), RandomStream(0, "c", 0, 0, range(1)), 2)
    batch = problem.minibatch(RandomStream(0, "minibatch", 0, 0, range(1)), slice(0, 1))
    losses = problem.losses(chosen, batch, slice(0, 1))
    for one, loss in zip(chosen[0], losses[0], strict=True):
        words = problem.map.text(one).strip()
        again = build(options(kind, model, DiscretePrompt(count=7), **more, prompt=words))
        tokens = problem.map.prompts(one)
        np.testing.assert_array_equal(again.black_box.prompt, problem.black_box.vocabulary().embed(tokens))
        expected = again.black_box.losses(again.black_box.prompt[None, None], batch[:1], problem.labels[batch[:1]])
        np.testing.assert_allclose(loss, expected[0, 0], rtol=1e-5)


def test_words_of_a_text_that_are_candidates(options, tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("good film very")
    choices = build(options("gpt2", CausalLMConfig(), DiscretePrompt(candidates=str(file)))).categorical
    assert choices is not None
    words = choices.wording
    assert words.candidates('A "very good" plot, film.\n\t...') == [2, 0, 1]
    assert words.candidates("") == []
    assert words.text([2, 0]).split() == ["very", "good"]
    assert words.length("very good film") == 3
    assert choices.longest == 3 * len(b" film ")


def test_candidates_are_the_training_texts_commonest_tokens_or_named(options, tmp_path: Path) -> None:
    def ids(candidates: str, count: int = 5) -> list[int]:
        tokens: Any = build(options("bert", MaskedLMConfig(), DiscretePrompt(candidates=candidates, count=count))).map
        return tokens._ids.tolist()

    problem = build(options("bert", MaskedLMConfig(), DiscretePrompt()))
    box: Any = problem.black_box
    tokenizer = box.loaded.tokenizer
    training = [box.task.examples.texts[number] for number in problem.train]
    counts = Counter(token for text in training for token in tokenizer(text, add_special_tokens=False).input_ids)
    del counts[tokenizer.unk_token_id]
    found = ids("frequent")
    assert [counts[token] for token in found] == sorted(counts.values(), reverse=True)[:5]
    drawn = ids("model", 9)
    assert len(set(drawn)) == 9
    assert not set(drawn) & set(tokenizer.all_special_ids)
    words = tmp_path / "words.txt"
    words.write_text("good\nfilm\nvery\n")
    assert tokenizer.convert_ids_to_tokens(ids(str(words))) == ["good", "film", "very"]
    for text, rule in (("good\nzebra\n", "zebra is"), ("good\n", "at least 2 tokens"), (None, "No such file")):
        words.unlink() if text is None else words.write_text(text)
        with pytest.raises(ValueError, match=f"candidates is {words}: .*{rule}"):
            ids(str(words))


@pytest.mark.parametrize("algorithm", [DPSGD, DFedSAM], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("form", ["probabilities", "logits"])
def test_gossip_on_distributions_finds_the_best_prompt(options, tmp_path, algorithm, form) -> None:
    """Two candidates and one place: of "good" and "film", whichever has the lower loss, by name in prompt.txt."""
    words = tmp_path / "words.txt"
    words.write_text("good\nfilm\n")
    parameters = DiscretePrompt(candidates=str(words), form=form)
    objective = options("bert", MaskedLMConfig(), parameters, prompt="a", prompt_tokens=1, batch_size=0)
    estimator = PolicyGradient(samples=4, clip=0)
    simulate(
        objective=objective,
        topology=topologies.make("ring", PEERS),
        algorithm=algorithm(estimator=estimator, lr=3.0, gossip=Plain(steps=2)),
        rounds=12,
        evaluate_every=12,
        out=tmp_path / "run",
    )
    problem = build(objective)
    pooled = [
        problem.black_box.losses(
            problem.map.prompts(one)[None, None], problem.train[None], problem.labels[None, problem.train]
        )
        for one in np.eye(2, dtype=np.float32)
    ]
    best = ["good", "film"][int(np.argmin(pooled))]
    assert (tmp_path / "run" / "prompt.txt").read_text() == f"{best}\n"
    tokenizer = transformers.AutoTokenizer.from_pretrained(objective.model)
    written = load_file(tmp_path / "run" / "prompt.safetensors")
    tokens = np.array(tokenizer(best, add_special_tokens=False).input_ids)
    np.testing.assert_array_equal(written["tokens"], tokens)
    np.testing.assert_array_equal(written["prompt"], problem.black_box.vocabulary().embed(tokens))


def losses(prompts: np.ndarray, examples: list) -> np.ndarray:
    return (prompts**2).sum(axis=(1, 2))


def test_a_black_box_without_tokens_has_no_discrete_prompts(options) -> None:
    with pytest.raises(
        ValueError, match="parameters is discrete_prompt: it must suit the blackbox, but function takes no text"
    ):
        build(options("bert", FunctionConfig(path=f"{__name__}.losses"), DiscretePrompt()))
