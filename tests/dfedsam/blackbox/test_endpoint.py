"""An endpoint answers as its model does, through every misbehaviour; nothing is paid twice; the key stays in memory."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from dfedsam import DFedAvg, Experiment, RunError, TwoPoint, forecast, run, simulate, topologies
from dfedsam.blackbox import CausalLMConfig, EndpointConfig
from dfedsam.blackbox.base import BlackBox
from dfedsam.blackbox.inputs import TaskSpec
from dfedsam.blackbox.model_parts import load_embeddings
from dfedsam.communication import SingleProcess
from dfedsam.data.examples import Examples
from dfedsam.data.split import IID
from dfedsam.errors import BudgetExceeded
from dfedsam.launch.cli import main
from dfedsam.objectives import PromptTuning
from dfedsam.objectives.prompt.problem import PromptProblem
from dfedsam.random import RandomStream
from tests.dfedsam.blackbox.completions_server import KEY, Server, serve
from tests.dfedsam.blackbox.language_models import TEXTS

EXAMPLES = np.array([[0, 3, 2], [5, 1, -1]])


@pytest.fixture
def server(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve(folders["gpt2"]) as running:
        yield running


def task(folder: Path) -> TaskSpec:
    examples = Examples(texts=TEXTS, labels=np.zeros(len(TEXTS), np.int64), classes=(0, 1))
    return TaskSpec(model=str(folder), words=("bad", "great"), examples=examples, prompt="a film")


def endpoint(server: Server, tmp_path: Path, **options) -> EndpointConfig:
    usual = {"url": server.url, "served": "m", "backoff": 0.01, "cache_path": str(tmp_path / "answers.sqlite")}
    return EndpointConfig(**{"logprobs": 1000, **usual, **options})


def until(holds: Callable[[], bool]) -> None:
    """Wait for requests that were under way when the budget was spent."""
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError


def preflight(box: BlackBox) -> None:
    box.preflight(box.prompt)


@pytest.fixture
def prompts() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 4, 16)).astype(np.float32)


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


def on_two_ranks(cache: Path, url: str, folder: Path, budget: int) -> list[str]:
    """What two ranks hear that ask at once, half of what they ask the same."""
    module = [sys.executable, "-m", "tests.dfedsam.blackbox.ask_endpoint"]
    ranks = [
        subprocess.Popen(
            [*module, str(cache), url, str(folder), str(budget), "0", seed],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for seed in ("1", "2")
    ]
    return [rank.communicate(timeout=300)[0] for rank in ranks]


def test_a_budget_is_exact_over_ranks_and_nothing_is_paid_twice(server, folders, tmp_path: Path) -> None:
    server.delay = 0.02
    cache = tmp_path / "answers.sqlite"
    heard = on_two_ranks(cache, server.url, folders["gpt2"], 17)
    assert server.requests == server.answered == 17  # to the last
    assert any(f"budget_requests is 17: 17 are paid for already, according to {cache}" in one for one in heard)
    assert on_two_ranks(cache, server.url, folders["gpt2"], 0) == ["['', '']\n"] * 2
    assert server.requests == 45  # of three seeds, each answer once
    bodies = [json.dumps(body, sort_keys=True) for body in server.bodies]
    assert len(set(bodies)) == len(bodies) == 45


def test_retries_count_in_the_budget_as_what_they_are(server, folders, prompts, tmp_path: Path) -> None:
    made = endpoint(server, tmp_path, budget_requests=20, in_flight=1).build(task(folders["gpt2"]))
    server.trouble = ["500"] * 4 + ["malformed"]
    made.scores(prompts, EXAMPLES)
    assert made.spent()["requests"] == server.requests == 20  # type: ignore[attr-defined]
    with pytest.raises(BudgetExceeded, match="budget_requests is 20"):
        made.zero_shot(np.arange(2))
    assert server.requests == 20


def stream() -> RandomStream:
    return RandomStream(0, "minibatch", 0, 0, range(3))


def tuning(server: Server, folder: Path, reviews: Path, tmp_path: Path, **more) -> PromptTuning:
    return PromptTuning(
        data=str(reviews),
        words="bad, good",
        model=str(folder),
        blackbox=endpoint(server, tmp_path, **more),
        split=IID(),
        batch_size=2,
        train_limit=12,
        test_limit=6,
        min_examples=2,
    )


def test_a_problem_whose_budget_is_spent_asks_no_more_and_says_so(server, folders, reviews, tmp_path: Path) -> None:
    def build(**limits) -> PromptProblem:
        problem = tuning(server, folders["gpt2"], reviews, tmp_path, **limits).build(3, range(3), 0, np.float32)
        problem.preflight()
        return problem

    first = build(budget_requests=10)
    first.preflight()
    x, batch = np.stack([first.start()] * 3)[:, None] + np.float32([[[0]], [[1]], [[2]]]), first.minibatch(stream())
    first.losses(x, batch)
    assert not first.budget_exhausted
    assert server.requests == 7  # one before the start, six examples
    assert first.losses(x + 1, batch).tolist() == [[0.0]] * 3
    assert first.budget_exhausted == (
        "budget_requests is 10: 10 are paid for already, according to "
        f"{tmp_path / 'answers.sqlite'}; resume with a larger budget to continue"
    )
    with pytest.raises(BudgetExceeded, match="budget_requests is 10"):
        first.evaluate(x[:1, 0])
    until(lambda: server.requests == 10)
    again, whole = build(budget_requests=13), build()
    for at in (x, x + 1):
        np.testing.assert_array_equal(again.losses(at, batch), whole.losses(at, batch))
    assert server.requests == 13  # what was paid for is not paid for again
    tokens = build(budget_tokens=again.black_box.spent()["tokens"] + 1)  # type: ignore[attr-defined]
    tokens.losses(x + 3, batch)
    assert "budget_tokens is" in str(tokens.budget_exhausted)


def simulated(objective: PromptTuning, rounds: int, out: Path, **options):
    algorithm = DFedAvg(local_steps=1, estimator=TwoPoint(directions=1, mu=0.1))
    topology = topologies.make("ring", 3)
    return simulate(objective=objective, topology=topology, algorithm=algorithm, rounds=rounds, out=out, **options)


def shown(rows: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_budget_ends_a_run_with_a_checkpoint_and_a_larger_one_goes_on(
    server, folders, reviews, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def own(budget: int, cache: str = "answers") -> PromptTuning:
        return tuning(server, folders["gpt2"], reviews, tmp_path / cache, budget_requests=budget)

    cut = simulated(own(40), 3, tmp_path / "cut", checkpoint_every=1)
    end = time.monotonic() + 10
    while server.requests < 40 and time.monotonic() < end:
        time.sleep(0.01)  # the last ones may be on their way while the run ends
    assert server.requests == 40
    assert "budget_requests is 40: 40 are paid for already" in str(cut.stopped)
    on = simulated(own(10_000), 3, tmp_path / "cut", resume=True)
    assert on.stopped is None
    paid = server.requests
    whole = simulated(own(0, "other"), 3, tmp_path / "whole")
    assert server.requests == 2 * paid
    assert shown(on.rows) == shown(whole.rows)
    assert shown(cut.rows) == shown(whole.rows[: len(cut.rows)])
    ends = [load_file(tmp_path / run / "prompt.safetensors")["prompt"] for run in ("whole", "cut")]
    np.testing.assert_array_equal(*ends)
    assert capsys.readouterr() == ("", "")


def test_from_the_command_line_the_key_is_written_nowhere(
    server, folders, reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path / "cache"))
    line = f"run --objective prompt_tuning --objective.data {reviews} --objective.words bad,good --peers 3 --rounds 3"
    line += f" --objective.model {folders['gpt2']} --objective.blackbox endpoint --objective.blackbox.url {server.url}"
    line += " --objective.batch_size 2 --objective.test_limit 4 --algorithm DPSGD --out runs/a"
    line += " --objective.blackbox.backoff 0.01 --objective.blackbox.retries 1 --objective.blackbox.logprobs 1000"
    assert main(line.split()) == 0
    said = capfd.readouterr()
    server.always = "500"
    assert main([*line.replace("runs/a", "runs/b").split(), "--objective.prompt", "a sum"]) == 2
    said_then = capfd.readouterr()
    assert said_then.err.count("\n") == 1
    assert "status 500" in said_then.err
    assert not (tmp_path / "runs" / "b").exists()
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-is-wrong")
    assert main([*line.replace("runs/a", "runs/b").split(), "--objective.prompt", "a sum"]) == 2
    everything = "".join([*said, *said_then, *capfd.readouterr()])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    for key in (KEY, "a-key-that-is-wrong"):
        assert key not in everything
        assert not any(key.encode() in path.read_bytes() for path in files)


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


def test_a_rehearsal_asks_nothing_and_counts_what_the_run_pays(server, folders, reviews, tmp_path: Path) -> None:
    objective = tuning(server, folders["gpt2"], reviews, tmp_path, budget_requests=100_000)
    experiment = Experiment(
        objective=objective,
        topology=topologies.make("ring", 3),
        algorithm=DFedAvg(local_steps=1, estimator=TwoPoint(directions=1, mu=0.1)),
        rounds=3,
    )
    counts = forecast.rehearse(experiment, SingleProcess(3))
    assert server.requests == 0
    run(experiment)
    assert counts.requests == counts.completion_tokens == server.requests
    spent = objective.build(3, range(3), 0, np.float32).black_box.spent()  # type: ignore[attr-defined]
    assert spent == {"requests": counts.requests, "tokens": counts.prompt_tokens}
    again = forecast.rehearse(experiment, SingleProcess(3))
    assert again.requests < counts.requests  # answers at the start are stored
