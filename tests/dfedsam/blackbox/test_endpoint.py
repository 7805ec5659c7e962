"""An endpoint answers as its model does, through every misbehaviour; nothing is paid twice; the key stays in memory."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from dfedsam import RunError
from dfedsam.blackbox import CausalLMConfig, EndpointConfig
from dfedsam.blackbox.base import BlackBox
from dfedsam.blackbox.model_parts import load_embeddings
from tests.dfedsam.blackbox.completions_server import KEY
from tests.dfedsam.blackbox.endpoint_cases import EXAMPLES, endpoint, task


@pytest.fixture
def prompts() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 4, 16)).astype(np.float32)


def preflight(box: BlackBox) -> None:
    box.preflight(box.prompt)


def test_scores_are_the_models_and_kept(server, folders, prompts, tmp_path: Path) -> None:
    made = endpoint(server, tmp_path).build(task(folders["gpt2"]))
    preflight(made)
    here = CausalLMConfig().build(task(folders["gpt2"]))
    np.testing.assert_array_equal(made.prompt, here.prompt)
    server.delay = 0.005
    answers = made.scores(prompts, EXAMPLES)
    for one, other in zip(answers, here.scores(prompts, EXAMPLES), strict=True):  # up to a constant of the softmax
        np.testing.assert_allclose(one[..., 1] - one[..., 0], other[..., 1] - other[..., 0], rtol=1e-4, atol=1e-5)
    bare = made.zero_shot(np.arange(2))
    assert bare is not None
    assert server.bodies[-1]["prompt"] in made._protocol._contents.ids[:2]  # type: ignore[attr-defined]
    shown = here.zero_shot(np.arange(2))
    np.testing.assert_allclose(bare[:, 1] - bare[:, 0], shown[:, 1] - shown[:, 0], rtol=1e-4, atol=1e-5)
    assert server.answered == 1 + 3 * 5 + 2
    again = endpoint(server, tmp_path, in_flight=2).build(task(folders["gpt2"]))
    for one, other in zip(again.scores(prompts, EXAMPLES), answers, strict=True):
        np.testing.assert_array_equal(one, other)
    assert server.answered == 1 + 3 * 5 + 2  # nothing was paid again
    lengths = [len(ids) for ids in made._protocol._contents.ids]  # type: ignore[attr-defined]
    read = 3 * sum(lengths[i] + 4 for i in EXAMPLES[EXAMPLES >= 0])
    assert (made.usage.examples, made.usage.tokens) == (15, read)


def test_a_word_that_is_not_among_the_likeliest_gets_the_least(server, folders, prompts, tmp_path: Path) -> None:
    made = endpoint(server, tmp_path, logprobs=1).build(task(folders["gpt2"]))
    for own in made.scores(prompts, EXAMPLES):
        np.testing.assert_array_equal(own[..., 0], own[..., 1])


def test_requests_are_in_flight_together_and_no_more_than_allowed(server, folders, prompts, tmp_path: Path) -> None:
    server.delay = 0.02
    endpoint(server, tmp_path, in_flight=5).build(task(folders["gpt2"])).scores(prompts, EXAMPLES)
    assert 2 <= server.most <= 5


def test_every_misbehaviour_is_outlived(server, folders, prompts, tmp_path: Path) -> None:
    whole = endpoint(server, tmp_path).build(task(folders["gpt2"])).scores(prompts, EXAMPLES)
    box = endpoint(server, tmp_path / "other", timeout=0.5, retries=5).build(task(folders["gpt2"]))
    server.trouble = ["429", "500", "503", "cut off", "malformed", "slow", "", "429", "500"]
    for one, other in zip(box.scores(prompts, EXAMPLES), whole, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not server.trouble


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("429", "the last answer has status 429, after 3 attempts"),
        ("500", "the last answer has status 500, after 3 attempts"),
        ("malformed", "the last answer has status 200 and no logprobs .*, after 3 attempts"),
        ("list", "no logprobs of a next token, after 3 attempts; choose the protocol labels if"),
        ("null", "no logprobs of a next token, after 3 attempts"),
        ("nested", "is not JSON, after 3 attempts"),
        ("digits", "is not JSON, after 3 attempts"),
        ("nan", "the log-probability nan, which none can be, after 3 attempts"),
        ("infinite", "the log-probability -inf, which none can be, after 3 attempts"),
        ("positive", "the log-probability 3.5, which none can be, after 3 attempts"),
        ("huge", "the last answer is longer than 4 MiB, after 3 attempts"),
        ("404", "refuses with status 404"),
    ],
)
def test_an_endpoint_that_stays_away(server, folders, prompts, tmp_path: Path, trouble: str, message: str) -> None:
    made = endpoint(server, tmp_path, retries=2).build(task(folders["gpt2"]))
    server.always = trouble
    with pytest.raises(ValueError, match=f"url is {server.url}: .*{message}") as caught:
        preflight(made)
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match=message):
        made.scores(prompts, EXAMPLES)
    server.always = ""  # nothing of it was kept
    assert np.isfinite(made.scores(prompts, EXAMPLES)).all()


def test_a_wrong_key_and_no_server(server, folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another-key")
    with pytest.raises(ValueError, match=r"refuses with status 401 \(its answer repeats the key\)"):
        preflight(endpoint(server, tmp_path).build(task(folders["gpt2"])))
    nowhere = EndpointConfig(url="http://127.0.0.1:9/v1", retries=1, backoff=0.01)
    with pytest.raises(ValueError, match=r"no answer \(ConnectError"):
        preflight(nowhere.build(task(folders["gpt2"])))


def test_a_key_travels_only_where_nobody_else_reads_it(folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for url in ("http://models.example/v1", "http://localhost.example/v1", "http://127.0.0.1@models.example/v1"):
        with pytest.raises(ValueError, match=r"url is .*: it must begin with https:// where the key"):
            EndpointConfig(url=url).build(task(folders["gpt2"]))
        EndpointConfig(url=url, key_variable="").build(task(folders["gpt2"]))
    for url in ("https://models.example/v1", "http://localhost:8000/v1", "http://[::1]:8000/v1"):
        EndpointConfig(url=url).build(task(folders["gpt2"]))


def test_a_server_that_gives_too_few_log_probabilities(
    server, folders, prompts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.most_logprobs = 1
    made = endpoint(server, tmp_path).build(task(folders["gpt2"]))
    preflight(made)
    assert any("returns 1 log-probabilities instead of 1000" in message for message in caplog.messages)
    assert any("none of the label words" in message for message in caplog.messages)
    notes = len(caplog.messages)
    more = np.concatenate([prompts, prompts + 1, prompts + 2], axis=1)
    with pytest.raises(RunError, match=r"logprobs is 1000: \d+ of \d+ answers have none of the label words"):
        made.scores(more, EXAMPLES)
    assert len(caplog.messages) == notes  # each was said once


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"url": "localhost"}, "url is localhost: it must begin with http"),
        ({"in_flight": 0}, "in_flight is 0"),
        ({"budget_tokens": -1}, "budget_tokens is -1"),
        ({"timeout": 0.0}, "timeout is 0"),
        ({"logprobs": 0}, "logprobs"),
    ],
)
def test_options_out_of_range(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EndpointConfig(**wrong)


def test_only_the_table_of_embeddings_is_read(folders: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("gpt2", "llama"):
        model = CausalLMConfig().build(task(folders[kind]))
        np.testing.assert_array_equal(load_embeddings(str(folders[kind])).weight, model._forward.embeddings.weight)  # type: ignore
    with pytest.raises(ValueError, match="supports, but is roberta"):
        load_embeddings(str(folders["roberta"]))


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl"])
def test_a_multimodal_checkpoint_has_its_language_models_embeddings(kind: str, tmp_path: Path) -> None:
    text = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 64,
        "num_key_value_heads": 1,
    }  # fmt: skip
    if kind == "llava":
        sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        vision = transformers.CLIPVisionConfig(**sizes, image_size=28, patch_size=14)
        config = transformers.LlavaConfig(vision_config=vision, text_config=transformers.LlamaConfig(**text))
        model = transformers.LlavaForConditionalGeneration(config)
    else:
        vision = {"depth": 1, "embed_dim": 16, "hidden_size": 16, "num_heads": 2}
        text["rope_parameters"] = {"rope_type": "default", "mrope_section": [1, 1, 2]}
        config = transformers.Qwen2VLConfig(vision_config=vision, text_config=text)
        model = transformers.Qwen2VLForConditionalGeneration(config)
    model.save_pretrained(tmp_path)
    assert torch.equal(load_embeddings(str(tmp_path)).weight, model.get_input_embeddings().weight)
