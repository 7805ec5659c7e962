"""Budgets of an endpoint: exact over ranks, nothing paid twice, and a run that one ends can go on."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from dfedsam import DFedAvg, Experiment, TwoPoint, forecast, run, simulate, topologies
from dfedsam.communication import SingleProcess
from dfedsam.data.split import IID
from dfedsam.errors import BudgetExceeded
from dfedsam.launch.cli import main
from dfedsam.objectives import PromptTuning
from dfedsam.objectives.prompt.problem import PromptProblem
from dfedsam.random import RandomStream
from tests.dfedsam.blackbox.completions_server import KEY, Server
from tests.dfedsam.blackbox.endpoint_cases import EXAMPLES, endpoint, task
from tests.results import without_clock


@pytest.fixture
def prompts() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 4, 16)).astype(np.float32)


def until(holds: Callable[[], bool]) -> None:
    """Wait for requests that were under way when the budget was spent."""
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError


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
    assert without_clock(on.rows) == without_clock(whole.rows)
    assert without_clock(cut.rows) == without_clock(whole.rows[: len(cut.rows)])
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
