"""Chat, labels and text prompts at a server that can be told to misbehave: scores, votes, refusals, rates."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from dfedsam import DPSGD, PolicyGradient, RunError, simulate, topologies
from dfedsam.blackbox import CausalLMConfig, EndpointConfig
from dfedsam.blackbox.adapter import export
from dfedsam.blackbox.base import TaskSpec
from dfedsam.data.split import IID, Examples
from dfedsam.objectives import DiscretePrompt, PromptTuning
from tests.dfedsam.blackbox.completions_server import Server
from tests.dfedsam.blackbox.language_models import TEXTS, plain_model

EXAMPLES, LABELS = np.array([[0, 3, 2], [5, 1, -1]]), np.array([[0, 1, 1], [1, 0, -1]])
WORDS = ("bad", "great")
CHAT = {"protocol": "chat", "template": "{text} {prompt}", "logprobs": 400}


def task(folder: Path, **more) -> TaskSpec:
    examples = Examples(texts=TEXTS, labels=np.zeros(len(TEXTS), np.int64), classes=(0, 1))
    usual = {"model": str(folder), "words": WORDS, "examples": examples, "prompt": "a film"}
    return TaskSpec(**{**usual, **more})


def endpoint(server: Server, tmp_path: Path, **options) -> EndpointConfig:
    usual = {"url": server.url, "served": "m", "backoff": 0.01, "cache_path": str(tmp_path / "answers.sqlite")}
    return EndpointConfig(**{"logprobs": 1000, "retries": 2, **usual, **options})


@pytest.fixture
def tokens(folders: dict[str, Path]) -> np.ndarray:
    """Text prompts (peers, q, tokens) of real words."""
    tokenizer = plain_model(folders["gpt2"])[0]
    (good,), (film,), (line,) = (tokenizer(f"x {word}").input_ids[-1:] for word in ("good", "film", "line"))
    return np.array([[[good, film], [line, line]], [[film, good], [good, line]]])


@pytest.mark.parametrize("form", [{}, {"as_text": True}, {"whole_words": True}, {"newer": True}], ids=repr)
def test_text_prompts_score_as_tokens_do_here(server, folders, tokens, tmp_path: Path, form: dict) -> None:
    server.newer = form.pop("newer", False)
    there = endpoint(server, tmp_path, **form).build(task(folders["gpt2"]))
    here = CausalLMConfig().build(task(folders["gpt2"]))
    for one, other in zip(there.scores(tokens, EXAMPLES), here.scores(tokens, EXAMPLES), strict=True):
        np.testing.assert_allclose(one[..., 1] - one[..., 0], other[..., 1] - other[..., 0], rtol=1e-4, atol=1e-5)
    assert {type(body["prompt"]) for body in server.bodies} == {str if form.get("as_text") else list}
    assert server.requests == 10


def test_whole_words_are_the_product_of_their_tokens(server, folders, tokens, tmp_path: Path) -> None:
    words = ("good film", "good line", "bad")
    with pytest.raises(ValueError, match=r"words is good film, .*first token, but good film and good line both .* Ġ"):
        endpoint(server, tmp_path).build(task(folders["gpt2"], words=words))
    made = endpoint(server, tmp_path, whole_words=True).build(task(folders["gpt2"], words=words))
    scores = made.scores(tokens[:1, :1], EXAMPLES[:1, :1])[0, 0, 0]
    tokenizer, model = plain_model(folders["gpt2"])
    start = made._protocol._contents.ids[0]  # type: ignore[attr-defined]
    at = int(made._protocol._contents.offsets[0])  # type: ignore[attr-defined]
    text = [*start[:at], *tokens[0, 0].tolist(), *start[at:]]
    for word, score in zip(words, scores, strict=True):
        ids = tokenizer(f"x {word}", add_special_tokens=False).input_ids[1:]
        with torch.inference_mode():
            logits = model(torch.tensor([[*text, *ids]])).logits[0].log_softmax(-1)
        expected = sum(float(logits[len(text) - 1 + i, token]) for i, token in enumerate(ids))
        np.testing.assert_allclose(score, expected, rtol=1e-4)


def test_a_chat_sums_the_tokens_that_begin_one_word_alone(server, folders, tokens, tmp_path: Path) -> None:
    made = endpoint(server, tmp_path, **CHAT, system="One of {words}.").build(task(folders["gpt2"]))
    assert not made.takes_soft_prompts
    made.preflight(tokens[0, 0])
    scores = made.scores(tokens, EXAMPLES)
    tokenizer, model = plain_model(folders["gpt2"])
    names = [tokenizer.decode([token]) for token in range(len(tokenizer))]
    for query, prompt in enumerate(("good film", "line line")):
        with torch.inference_mode():
            ids = tokenizer(f"One of bad, great.\n{TEXTS[3]} {prompt}").input_ids
            chances = model(torch.tensor([ids])).logits[0, -1].softmax(0)
        for label, word in enumerate(WORDS):
            begins = [word.startswith(name.strip().lower()) and len(name.strip()) > 1 for name in names]
            expected = float(chances[torch.tensor(begins)].sum().log())
            np.testing.assert_allclose(scores[0, query, 1, label], expected, rtol=1e-4)
    assert server.bodies[-1]["messages"][0] == {"role": "system", "content": "One of bad, great."}
    with pytest.raises(ValueError, match="words is so bad, so good: it must differ in their first word"):
        endpoint(server, tmp_path, **CHAT).build(task(folders["gpt2"], words=("so bad", "so good")))


@pytest.mark.parametrize(("said", "label"), [("  Great!\n", 1), ("**bad** film", 0), ("greatly", None), ("", None)])
def test_labels_are_read_from_the_first_word(server, folders, tokens, tmp_path: Path, said: str, label) -> None:
    server.said = said
    made = endpoint(server, tmp_path, protocol="labels", samples=3).build(task(folders["gpt2"]))
    losses = made.losses(tokens, EXAMPLES, LABELS, per_example=True)
    right = (label == LABELS) if label is not None else np.zeros(LABELS.shape, bool)
    np.testing.assert_array_equal(losses, ((EXAMPLES >= 0) & ~right)[:, None].repeat(2, axis=1))
    assert made.usage.unmatched == (0 if label is not None else 3 * 10)
    metrics = made.metrics(tokens[0], EXAMPLES[0], LABELS[0])
    np.testing.assert_allclose(metrics["accuracy"], right[0].mean())
    np.testing.assert_allclose(metrics["loss"], 1 - right[0].mean())
    with pytest.raises(RunError, match="protocol is labels: it gives losses only"):
        made.scores(tokens, EXAMPLES)


def test_fewer_log_probabilities_are_asked_for_when_more_are_refused(
    server, folders, tokens, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.allowed_logprobs, server.unknown = 5, {"return_tokens_as_token_ids"}
    for options in (CHAT, {}):
        made = endpoint(server, tmp_path, in_flight=1, **options).build(task(folders["gpt2"]))
        made.preflight(tokens[0, 0])
        made.scores(tokens[:1, :1], EXAMPLES[:1])
    assert {body.get("top_logprobs", body["logprobs"]) for body in server.bodies} == {5}
    assert sum("refuses 400 log-probabilities" in message for message in caplog.messages) == 1
    paid = server.requests
    again = endpoint(server, tmp_path, in_flight=1).build(task(folders["gpt2"]))
    again.scores(tokens[:1, :1], EXAMPLES[:1])
    assert server.requests == paid
    server.allowed_logprobs = 0
    refusing = endpoint(server, tmp_path / "other", **CHAT).build(task(folders["gpt2"]))
    with pytest.raises(ValueError, match=r"top_logprobs must be at most 0.*choose the protocol labels"):
        refusing.preflight(tokens[0, 0])


def test_fields_are_renamed_where_the_server_says_so(server, folders, tokens, tmp_path: Path) -> None:
    server.unknown, server.advice = {"max_tokens"}, "Use 'max_completion_tokens' instead."
    made = endpoint(server, tmp_path, **CHAT).build(task(folders["gpt2"]))
    made.preflight(tokens[0, 0])
    made.scores(tokens[:1, :1], EXAMPLES[:1])
    assert {body.get("max_completion_tokens") for body in server.bodies} == {1}
    assert server.requests == 1 + len(server.bodies)  # one was refused
    server.unknown = {"max_tokens", "max_completion_tokens"}
    with pytest.raises(ValueError, match=r"status 400 .*Unsupported parameter: max_completion_tokens"):
        endpoint(server, tmp_path / "new", **CHAT | {"logprobs": 9}).build(task(folders["gpt2"])).preflight(
            tokens[0, 0]
        )


@pytest.mark.parametrize("protocol", ["chat", "labels"])
def test_every_misbehaviour_of_a_chat_is_outlived_or_said(
    server, folders, tokens, tmp_path: Path, protocol: str
) -> None:
    options = {"protocol": protocol, "timeout": 0.5, "retries": 5}
    whole = endpoint(server, tmp_path, **options).build(task(folders["gpt2"]))
    losses = whole.losses(tokens, EXAMPLES, LABELS)
    made = endpoint(server, tmp_path / "other", **options).build(task(folders["gpt2"]))
    server.trouble = ["429", "500", "cut off", "malformed", "slow", "", "nested", "digits", "no content", "list"]
    np.testing.assert_array_equal(made.losses(tokens, EXAMPLES, LABELS), losses)
    assert not server.trouble
    made = endpoint(server, tmp_path / "third", **options | {"retries": 1}).build(task(folders["gpt2"]))
    for trouble, message in (("list", "status 200 and no (logprobs|message)"), ("huge", "longer than 4 MiB")):
        server.always = trouble
        with pytest.raises(ValueError, match=f"url is {server.url}: .*{message}.*, after 2 attempts") as caught:
            made.preflight(tokens[0, 0])
        assert "\n" not in str(caught.value)


def test_a_rate_is_shared_by_all_who_share_the_file(server, folders, tokens, tmp_path: Path) -> None:
    boxes = [endpoint(server, tmp_path, requests_per_minute=60 / 0.05).build(task(folders["gpt2"])) for _ in range(2)]
    began = time.monotonic()
    for box, own in zip(boxes, tokens, strict=True):
        box.scores(own[None], EXAMPLES[:1])
    assert server.requests == 12
    assert time.monotonic() - began >= 11 * 0.05
    slow = endpoint(server, tmp_path, tokens_per_minute=60 / 0.01).build(task(folders["gpt2"]))
    before, began = slow.spent()["tokens"], time.monotonic()  # type: ignore[attr-defined]
    slow.scores(tokens[:1] + 1, EXAMPLES[:1, :2])
    assert time.monotonic() - began >= 0.01 * (slow.spent()["tokens"] - before) * 0.7  # type: ignore[attr-defined]


def test_a_run_of_discrete_prompts_by_chat(server, folders, reviews: Path, tmp_path: Path) -> None:
    for protocol in ("chat", "labels"):
        objective = PromptTuning(
            data=str(reviews),
            words="bad, good",
            model=str(folders["gpt2"]),
            blackbox=endpoint(server, tmp_path, **{**CHAT, "protocol": protocol}),
            parameters=DiscretePrompt(count=5),
            prompt_tokens=2,
            split=IID(),
            batch_size=2,
            train_limit=12,
            test_limit=4,
            min_examples=2,
        )
        ring = topologies.make("ring", 3)
        algorithm = DPSGD(estimator=PolicyGradient(samples=2), lr=0.1)
        out = tmp_path / protocol
        done = simulate(objective=objective, topology=ring, algorithm=algorithm, rounds=2, out=out)
        assert done.rows[-1]["queries"] == 4
        assert ("unmatched_answers" in done.rows[-1]) == (protocol == "labels")
        with safe_open(out / "prompt.safetensors", framework="numpy") as file:
            notes = file.metadata()
        assert notes["text"] + "\n" == (out / "prompt.txt").read_text()
        assert (notes["protocol"], notes["served"]) == (protocol, "m")
        ending = {"chat": "whose first token is the likeliest next.", "labels": "with which the answer begins."}
        assert notes["how_to_use"].startswith("Insert `text`")
        assert notes["how_to_use"].endswith(ending[protocol])
        with pytest.raises(ValueError, match=r"its prompt is text, which prompt\.txt there has"):
            export(out, tmp_path / "adapter")
    with pytest.raises(ValueError, match=r"parameters is full_prompt: .*endpoint takes no soft prompts here.*discrete"):
        PromptTuning(
            data=str(reviews),
            model=str(folders["gpt2"]),
            words="bad, good",
            blackbox=endpoint(server, tmp_path, **CHAT),
        ).build(3, range(3), 0, np.float32)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"requests_per_minute": 0.0}, "requests_per_minute is 0"),
        ({"tokens_per_minute": -1.0}, "tokens_per_minute is -1"),
        ({"samples": 0}, "samples is 0"),
        ({"protocol": "talk"}, "protocol is talk: it must be one of completions, chat, labels"),
        ({"protocol": "chat", "system": "{text}"}, "system is {text}: it must have no other fields"),
        ({"protocol": "chat", "system": "{prompt}"}, "must not have {prompt}, which is in the option system"),
    ],
)
def test_options_out_of_range(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EndpointConfig(**wrong)
