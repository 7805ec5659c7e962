"""An endpoint answers as its model does, through every misbehaviour; nothing is paid twice; the key stays in memory."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from dfedsam import DFedAvg, RunError, Simulation, TwoPoint, topologies
from dfedsam.blackbox import CausalLMConfig, EndpointConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.data.examples import Examples
from dfedsam.data.split import IID
from dfedsam.launch.cli import main
from dfedsam.objectives import PromptTuning
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


@pytest.fixture
def prompts() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 4, 16)).astype(np.float32)


def test_scores_are_the_models_and_kept(server, folders, prompts, tmp_path: Path) -> None:
    made = endpoint(server, tmp_path).build(task(folders["gpt2"]))
    here = CausalLMConfig().build(task(folders["gpt2"]))
    np.testing.assert_array_equal(made.prompt, here.prompt)
    server.delay = 0.005
    answers = made.scores(prompts, EXAMPLES)
    for one, other in zip(answers, here.scores(prompts, EXAMPLES), strict=True):  # up to a constant of the softmax
        np.testing.assert_allclose(one[..., 1] - one[..., 0], other[..., 1] - other[..., 0], rtol=1e-4, atol=1e-5)
    bare = made.zero_shot(np.arange(2))
    assert bare is not None
    assert server.bodies[-1]["prompt"] in (f"{text} It was" for text in TEXTS[:2])
    shown = here.zero_shot(np.arange(2))
    np.testing.assert_allclose(bare[:, 1] - bare[:, 0], shown[:, 1] - shown[:, 0], rtol=1e-4, atol=1e-5)
    assert server.answered == 1 + 3 * 5 + 2
    again = endpoint(server, tmp_path, in_flight=2).build(task(folders["gpt2"]))
    for one, other in zip(again.scores(prompts, EXAMPLES), answers, strict=True):
        np.testing.assert_array_equal(one, other)
    assert server.answered == 1 + 3 * 5 + 2  # nothing was paid again
    lengths = [len(ids) for ids in made._contents.ids]  # type: ignore[attr-defined]
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
        ("404", "refuses with status 404"),
    ],
)
def test_an_endpoint_that_stays_away(server, folders, prompts, tmp_path: Path, trouble: str, message: str) -> None:
    good = endpoint(server, tmp_path, retries=2).build(task(folders["gpt2"]))
    server.always = trouble
    with pytest.raises(ValueError, match=f"url is {server.url}: .*{message}") as caught:
        endpoint(server, tmp_path / "new", retries=2).build(task(folders["gpt2"]))
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match=message):
        good.scores(prompts, EXAMPLES)


def test_a_wrong_key_and_no_server(server, folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another-key")
    with pytest.raises(ValueError, match=r"refuses with status 401 \(no such key: Bearer …\)"):
        endpoint(server, tmp_path).build(task(folders["gpt2"]))
    with pytest.raises(ValueError, match=r"no answer \(ConnectError"):
        EndpointConfig(url="http://127.0.0.1:9/v1", retries=1, backoff=0.01).build(task(folders["gpt2"]))


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


def simulation(objective: PromptTuning, rounds: int, out: Path | None = None) -> Simulation:
    algorithm = DFedAvg(local_steps=1, estimator=TwoPoint(directions=1, mu=0.1))
    return Simulation(
        objective=objective, topology=topologies.make("ring", 3), algorithm=algorithm, rounds=rounds, out=out
    )


def shown(rows: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_budget_ends_a_run_with_a_checkpoint_and_a_larger_one_goes_on(
    server, folders, reviews, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    whole = simulation(tuning(server, folders["gpt2"], reviews, tmp_path), 3, tmp_path / "whole").run()
    paid = server.answered
    evaluation = 1 + 3  # the mean and each peer's own
    asked = [3 * row["asked_queries"] for row in whole]
    assert asked == [evaluation + t * (3 * 2 + evaluation) for t in range(4)]
    cut = simulation(tuning(server, folders["gpt2"], reviews, tmp_path, budget_queries=26), 3, tmp_path / "cut")
    rows = cut.run()
    assert cut.interrupted
    assert cut.spent == "after round 3 it would be 34 asked queries, above 26"
    assert shown(rows) == shown(whole[:3])
    on = simulation(tuning(server, folders["gpt2"], reviews, tmp_path, budget_queries=34), 3, tmp_path / "cut")
    assert shown(on.run(resume=True)) == shown(whole)
    assert server.answered == paid  # all of it was known
    ends = [load_file(tmp_path / run / "prompt.safetensors")["prompt"] for run in ("whole", "cut")]
    np.testing.assert_array_equal(*ends)
    for limit in ({"budget_queries": 13}, {"budget_tokens": 200}):
        with pytest.raises(ValueError, match=r"budget ends before the first round: after round 1 it would be"):
            simulation(tuning(server, folders["gpt2"], reviews, tmp_path, **limit), 3, tmp_path / "none").run()
        assert not (tmp_path / "none").exists()
    assert capsys.readouterr() == ("", "")


def test_a_study_says_which_runs_a_budget_ended_and_goes_on_with_a_larger_one(
    server, folders, reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    box = {"url": server.url, "backoff": 0.01, "cache_path": str(tmp_path / "answers.sqlite")}
    options = {
        "data": str(reviews),
        "words": "bad,good",
        "model": str(folders["gpt2"]),
        "batch_size": 2,
        "test_limit": 4,
    }
    base = {"peers": 3, "rounds": 3, "algorithm": "DPSGD", "checkpoint_every": 1}

    def sweep(budget: int) -> tuple[int, str]:
        options["blackbox"] = {"class_path": "endpoint", "init_args": box | {"budget_queries": budget}}
        objective = {"class_path": "prompt_tuning", "init_args": options}
        Path("paid.yaml").write_text(json.dumps({"base": {**base, "objective": objective}, "seeds": 1}))
        status = main(["sweep", "paid.yaml"])
        said = capfd.readouterr()
        return status, said.out + said.err

    status, said = sweep(60)
    assert status == 1
    assert "stopped before the budget is passed: after round" in said
    main(["status", "studies/paid"])
    assert "stopped before the budget is passed: after round" in capfd.readouterr().out
    assert sweep(1000)[0] == 0
    (folder,) = Path("studies/paid/runs").iterdir()
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["round"] == 3


def test_from_the_command_line_the_key_is_written_nowhere(
    server, folders, reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path / "cache"))
    line = f"run --objective prompt_tuning --objective.data {reviews} --objective.words bad,good --peers 3 --rounds 3"
    line += f" --objective.model {folders['gpt2']} --objective.blackbox endpoint --objective.blackbox.url {server.url}"
    line += " --objective.batch_size 2 --objective.test_limit 4 --algorithm DPSGD --out runs/a"
    line += " --objective.blackbox.backoff 0.01 --objective.blackbox.retries 1"
    assert main([*line.split(), "--objective.blackbox.budget_queries", "60"]) == 0
    said = capfd.readouterr()
    assert "stopped before the budget is passed" in said.out
    server.always = "500"
    assert main([*line.replace("runs/a", "runs/b").split(), "--seed", "5"]) == 2
    said_then = capfd.readouterr()
    assert said_then.err.count("\n") == 1
    assert "status 500" in said_then.err
    assert not (tmp_path / "runs" / "b").exists()
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-is-wrong")
    assert main([*line.replace("runs/a", "runs/b").split(), "--seed", "5"]) == 2
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
    from dfedsam.blackbox import token_table

    for kind in ("gpt2", "llama"):
        model = CausalLMConfig().build(task(folders[kind]))
        np.testing.assert_array_equal(token_table.load(str(folders[kind]))[2], model._passes.table)  # type: ignore
    with pytest.raises(ValueError, match="does not support its architecture, roberta"):
        token_table.load(str(folders["roberta"]))
