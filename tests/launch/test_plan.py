"""`dfedsam plan`: the table, prices, ranks beyond the machine's, and studies."""

import json
import math

import pytest

from dfedsam.communication import collectives
from dfedsam.launch.plan import Plan, Prices
from dfedsam.machine import cores

SMALL = ("--peers", "4", "--rounds", "3", "--objective.dim", "5")


def test_a_plan_counts_and_writes_nothing(dfedsam, tmp_path):
    said = dfedsam("plan", *SMALL, "--json")
    plan = json.loads(said.out)
    assert (plan["queries_per_peer"], plan["bytes"]) == (3 * 5 * 2 * 8, 3 * 8 * 5 * 4)
    assert plan["seconds"] > 0
    assert not list(tmp_path.iterdir())


def test_more_ranks_than_cores_follow_the_alpha_beta_model(dfedsam):
    ranks, peers = len(cores()) + 2, 4 * (len(cores()) + 2)
    more = ("--ranks", str(ranks), "--latency", "2.0", "--bandwidth", "1e300", "--json")
    plan = json.loads(dfedsam("plan", *SMALL, "--peers", str(peers), *more).out)
    steps = math.ceil(math.log2(ranks))
    round = 1 + steps  # a gossip step, and the agreement to go on
    evaluation = 6 * steps + 3 * (ranks - 1 + steps) + 4 * 2 * steps  # gathers, totals, and objects after their lengths
    checkpoint = 6 * 2 * steps
    assert plan["parts"]["messages"] == pytest.approx((3 * round + 4 * evaluation + 2 * checkpoint) * 2.0)


def test_collective_calls_receive_their_bytes_once_and_totals_twice():
    assert collectives.seconds([("total", 80), ("gather", 40), ("agree", 0)], 4, 0.0, 10.0) == 20


def test_a_study_is_the_sum_of_its_runs(dfedsam, tmp_path):
    (tmp_path / "study.yaml").write_text(
        "base: {peers: 4, rounds: 3}\ngrid: {objective.dim: [5, 10], topology: [ring, complete]}\nseeds: 2\n"
    )
    plan = json.loads(dfedsam("plan", str(tmp_path / "study.yaml"), "--json").out)
    assert (plan["runs"], plan["bytes"]) == (8, 2 * 3 * 4 * (5 + 10) * (8 + 12))
    assert "8 runs" in dfedsam("sweep", str(tmp_path / "study.yaml"), "--plan").out
    assert not (tmp_path / "studies").exists()


def test_cells_that_do_not_ask_as_much_are_listed(dfedsam, tmp_path):
    """5 generations of 8 and one more loss a round beside one estimate of 8 queries, over 10 rounds."""
    (tmp_path / "study.yaml").write_text(
        "base: {peers: 4, rounds: 10}\nseeds: 2\ngrid:\n  objective.dim: [5]\n"
        "  algorithm: [dpsgd, d2, {class_path: fedbpt, init_args: {population: 8, generations: 5}}]\n"
    )
    said = dfedsam("plan", "study.yaml").out
    assert f"{(10 * 41 + 2 * 10 * 8) / 3:,.0f} a peer and run, {2 * 4 * (410 + 160):,} in all" in said
    assert said.split("\n\n")[1].splitlines() == [
        "queries a peer  cells",
        "80              objective.dim=5,algorithm=dpsgd and 1 more",
        "410             objective.dim=5,algorithm=fedbpt(population=8,generations=5)",
    ]
    assert "queries a peer" not in dfedsam("plan", "study.yaml", "--json").out


def test_what_is_imported_for_all_runs_of_a_study_counts_once(dfedsam, tmp_path, monkeypatch):
    from dfedsam.forecast import Counts

    starts = iter([100.0, 1.0, 2.0])  # of those that are timed: two of the first cell, one of the second
    monkeypatch.setattr(
        "dfedsam.launch.plan.forecast",
        lambda _, count, prices, seconds: Plan(
            1, 4, count, Counts(*[0] * 7), None, {"start": 0.0, "rounds": next(starts)} if seconds else {}, prices
        ),
    )
    (tmp_path / "study.yaml").write_text("base: {peers: 4}\ngrid: {topology: [ring, complete]}\nseeds: 3\n")
    plan = json.loads(dfedsam("plan", "study.yaml", "--json").out)
    assert plan["parts"]["rounds"] == 100 + 2 * 1 + 3 * 2


@pytest.mark.parametrize(("option", "value", "message"), [
    ("--price-input", "$2", "price_input is $2: it must be a number"),
    ("--price-output", "-1", "price_output is -1.0: it must be finite and at least 0; without a currency"),
    ("--requests-per-minute", "0", "requests_per_minute is 0.0: it must be a finite number above 0"),
])  # fmt: skip
def test_bad_prices_are_refused(dfedsam, option, value, message):
    said = dfedsam("plan", *SMALL, option, value)
    assert said.status == 2
    assert message in said.err


@pytest.mark.parametrize("command", ["plan", "tune"])
def test_a_rehearsal_that_cannot_continue_is_one_line(dfedsam, tmp_path, command):
    (tmp_path / "c.yaml").write_text(
        "objective: quadratic\nalgorithm: {class_path: dpsgd, init_args: {lr: 1.0e+200}}\n"
    )
    said = dfedsam(command, "--config", str(tmp_path / "c.yaml"))
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert "not finite; a lower lr" in said.err


def test_money_and_waiting_for_a_service():
    from dfedsam.forecast import Counts

    counts = Counts(10, 0, 0, 0, requests=120, prompt_tokens=3_000_000, completion_tokens=1_000_000)
    plan = Plan(1, 2, 1, counts, None, {}, Prices(price_input=0.5, price_output=2.0, requests_per_minute=60))
    assert (plan.money, plan.seconds) == (3.5, 120.0)
    assert "price             3.50" in plan.table()
