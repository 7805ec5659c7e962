"""Text evolution with an editor behind a server that can be told to misbehave: what it asks, pays and counts."""

from pathlib import Path

import numpy as np
import pytest

from dfedsam import ChatEditor, Experiment, HiddenPrompt, TextEvolution, forecast, run, simulate, topologies
from dfedsam.communication import SingleProcess
from dfedsam.objectives.categorical import NumberWords
from tests import mpi
from tests.dfedsam.blackbox.completions_server import Server
from tests.results import without_clock

pytest.importorskip("httpx2", reason="an editor is asked over HTTP")

PEERS, STEPS, REWRITES = 4, 2, 3
HIDDEN = HiddenPrompt(tokens=5, candidates=12)
RING = topologies.make("ring", PEERS)
ASKED = PEERS * STEPS * REWRITES  # in a round


def method(server: Server, cache: Path, **options) -> TextEvolution:
    usual = {"url": server.url, "model": "m", "backoff": 0.01, "cache_path": str(cache), "rewrites": REWRITES}
    return TextEvolution(local_steps=STEPS, editor=ChatEditor(**{**usual, **options}))


def play(algorithm: TextEvolution, rounds: int = 2, **options):
    return simulate(objective=HIDDEN, topology=RING, algorithm=algorithm, rounds=rounds, checkpoint_every=1, **options)


def test_a_good_editor_ends_the_search_and_is_paid_once(server: Server, tmp_path: Path) -> None:
    hidden = HIDDEN.build(PEERS, range(PEERS), 0, np.float32).hidden  # type: ignore[attr-defined]
    server.said = f"Sure! '{' '.join(map(str, hidden))}'"
    algorithm = method(server, tmp_path / "answers.sqlite", instruction="Join {prompt} and {other}")
    done = play(algorithm)
    assert done.rows[1]["loss_local"] == 0
    assert [row["editor_requests"] for row in done.rows] == [0, STEPS * REWRITES, 2 * STEPS * REWRITES]
    assert done.rows[-1]["queries"] == 2 * STEPS * (algorithm.population + algorithm.children)
    assert server.requests == 1 + 2 * ASKED  # and one before the run
    assert server.bodies[-1]["messages"][0]["content"].startswith("Join ")
    assert done.rows[-1]["editor_tokens"] == 2 * STEPS * REWRITES * (2 + 2 * 5)  # the words of the message
    play(algorithm, rounds=1, out=tmp_path / "run")
    again = play(algorithm, resume=True, out=tmp_path / "run")
    assert server.requests == 1 + 2 * ASKED
    assert without_clock(again.rows) == without_clock(done.rows)
    np.testing.assert_array_equal(again.x, done.x)


@pytest.mark.parametrize("said", ["I cannot do that.", "", "99 999999999999 4.5"])
def test_an_answer_that_is_no_prompt_changes_nothing(server: Server, tmp_path: Path, said: str) -> None:
    server.said = said
    done = play(method(server, tmp_path / "answers.sqlite"))
    plain = play(TextEvolution(local_steps=STEPS))
    np.testing.assert_array_equal(done.x, plain.x)
    assert done.rows[-1]["editor_unused"] == done.rows[-1]["editor_requests"]
    assert done.rows[-1]["loss"] == plain.rows[-1]["loss"]


def test_its_misbehaviour_is_outlived_or_said(server: Server, tmp_path: Path) -> None:
    server.said = "3 1 4"
    whole = play(method(server, tmp_path / "a.sqlite"))
    server.trouble = ["429", "500", "cut off", "malformed", "slow", "", "nested", "digits", "no content", "list"]
    server.unknown, server.advice = {"seed", "max_tokens"}, "Use 'max_completion_tokens' instead."
    done = play(method(server, tmp_path / "b.sqlite", timeout=0.5))
    assert not server.trouble
    np.testing.assert_array_equal(done.x, whole.x)
    server.always = "list"
    with pytest.raises(ValueError, match=r"algorithm.editor.url is http.*status 200 and no message, after 2 attempts"):
        play(method(server, tmp_path / "c.sqlite", retries=1))
    server.always, server.unknown = "", {"messages"}
    with pytest.raises(ValueError, match=r"algorithm.editor.url is http.*refuses with status 400"):
        play(method(server, tmp_path / "d.sqlite"))


def test_its_budget_ends_the_run_and_a_larger_one_goes_on(server: Server, tmp_path: Path) -> None:
    server.said, cache, out = "3 1 4", tmp_path / "answers.sqlite", tmp_path / "run"
    stopped = play(method(server, cache, budget_requests=ASKED + 5), out=out)
    assert "algorithm.editor.budget_requests is 29: 29 are paid for already" in (stopped.stopped or "")
    assert (stopped.rows[-1]["round"], server.requests) == (1, ASKED + 5)
    done = play(method(server, cache), out=out, resume=True)
    assert server.requests == 1 + 2 * ASKED
    np.testing.assert_array_equal(done.x, play(method(server, cache)).x)


def test_a_plan_counts_its_requests_and_asks_none(server: Server, tmp_path: Path) -> None:
    algorithm = method(server, tmp_path / "answers.sqlite", max_tokens=7)
    experiment = Experiment(objective=HIDDEN, topology=RING, algorithm=algorithm, rounds=3)
    counts = forecast.rehearse(experiment, SingleProcess(PEERS))
    assert server.requests == counts.requests == 0
    speed, _ = forecast.calibrate(experiment, SingleProcess(PEERS), 0.01)
    assert server.requests == 0
    assert speed.rounds
    last = run(experiment, communicator=SingleProcess(PEERS)).rows[-1]
    assert counts.editor_requests == server.requests == 1 + 3 * ASKED
    assert counts.editor_completion_tokens == 7 * counts.editor_requests
    assert counts.editor_prompt_tokens == PEERS * last["editor_tokens"] * (1 + 1 / (3 * ASKED))
    assert counts.queries == PEERS * last["queries"]


RANKS = f"""
from dfedsam import ChatEditor, Experiment, HiddenPrompt, TextEvolution, forecast, topologies
algorithm = TextEvolution(local_steps={STEPS}, editor=ChatEditor(model="m", rewrites={REWRITES}))
objective, ring = HiddenPrompt(tokens=5, candidates=12), topologies.make("ring", {PEERS})
experiment = Experiment(objective=objective, topology=ring, algorithm=algorithm, rounds=3)
communicator = experiment.connect()
counts = forecast.rehearse(experiment, communicator)
if communicator.is_root:
    print(counts.editor_requests)
"""


def test_a_plan_on_ranks_counts_what_all_of_them_ask_before_the_run_once() -> None:
    job = mpi.mpirun(2, ["-c", RANKS])
    assert job.stdout == f"{1 + 3 * ASKED}\n", job.stderr


@pytest.mark.parametrize(("wrong", "message"), [
    ({"rewrites": 0}, "rewrites is 0"),
    ({"instruction": "Rewrite it"}, "instruction is Rewrite it: it must have {prompt} once"),
    ({"instruction": "{prompt} {text}"}, "must have {prompt} once, and no other field than {other}"),
    ({"temperature": -1.0}, "temperature is -1"),
    ({"url": "localhost"}, "url is localhost: it must begin with http"),
])  # fmt: skip
def test_options_out_of_range(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ChatEditor(model="m", **wrong)


def test_it_writes_no_more_than_the_children() -> None:
    with pytest.raises(ValueError, match=r"editor.rewrites is 11: it must be at most children, which is 10"):
        TextEvolution(editor=ChatEditor(model="m", rewrites=11))


def test_numbers_are_words() -> None:
    assert NumberWords(12).candidates("3, '11' 12 x 007") == [3, 11, 7]
