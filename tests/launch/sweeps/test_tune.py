"""`dfedsam tune` finds the best values where they are known, within its budget, and on validation examples alone."""

import json
from pathlib import Path

import pytest
import yaml

from dfedsam.launch.sweeps import halving, ranges

EXPERIMENT = {
    "peers": 4,
    "rounds": 9,
    "seed": 1,
    "objective": {"class_path": "quadratic", "init_args": {"dim": 4, "heterogeneity": 0}},
    "algorithm": {"class_path": "dpsgd", "init_args": {"estimator": "exact"}},
}


def write(name: str, tree: object) -> str:
    """Write a file into the current folder; JSON is YAML."""
    Path(name).write_text(json.dumps(tree))
    return name


def last_rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(path.read_text().splitlines()[-1]) for path in folder.glob("rung-*/runs/*/metrics.jsonl")]


def test_the_known_best_rate_is_found_and_a_second_call_asks_nothing_more(dfedsam):
    # The error is (1 − lr)^t of the first, so that the best rate is the one nearest to 1
    write("q.yaml", EXPERIMENT)
    argv = ["tune", "--config", "q.yaml", "--ranges", write("r.yaml", {"algorithm.lr": [0.1, 0.4, 0.9, 1.3, 1.6]})]
    said = dfedsam(*argv)
    assert said.status == 0, said.err
    folder = Path("studies/tune-q")
    best = yaml.safe_load((folder / "best.yaml").read_text())
    assert (best["algorithm"]["init_args"]["lr"], best["rounds"], best["seed"]) == (0.9, 9, 1)
    runs = last_rows(folder)
    assert f"{len(runs)} runs, {sum(row['gradients'] for row in runs):.0f} queries a peer" in said.out
    assert "edge" not in said.err
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("metrics.jsonl")}
    again = dfedsam(*argv)
    assert again.out.splitlines()[-4:] == said.out.splitlines()[-4:]
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("metrics.jsonl")}
    assert dfedsam("run", "--config", str(folder / "best.yaml"), "--out", "best").status == 0
    write("r.yaml", {"algorithm.lr": [0.1, 0.4]})
    assert "must not exist yet, or hold this very search" in dfedsam(*argv).err


def test_own_values_may_fail(dfedsam):
    # The error grows as 1e3^t: it is beyond float32 after 13 rounds, of which a rehearsal plays fewer, but rungs more
    algorithm = {"class_path": "dpsgd", "init_args": {"estimator": "exact", "lr": 1e3}}
    write("q.yaml", EXPERIMENT | {"algorithm": algorithm, "rounds": 200})
    said = dfedsam("tune", "--config", "q.yaml", "--ranges", write("r.yaml", {"algorithm.lr": [0.4, 0.9]}), "--quiet")
    assert said.status == 0, said.err
    assert "the experiment with its own values failed" in Path("studies/tune-q/best.yaml").read_text()


def test_candidates_play_equal_queries_within_the_budget_on_examples_kept_from_the_training_data(dfedsam):
    algorithm = {"class_path": "dpsgd", "init_args": {"lr": 0.01, "lr_schedule": "linear", "lr_rounds": 18}}
    objective = {"class_path": "logistic_regression", "init_args": {"features": 3, "examples": 20}}
    write("l.yaml", EXPERIMENT | {"rounds": 18, "algorithm": algorithm, "objective": objective})  # 8 queries a round
    wanted = {"algorithm.lr": {"low": 0.001, "high": 0.02, "log": True}, "algorithm.estimator.directions": [2, 4, 8]}
    write("r.yaml", wanted)
    said = dfedsam("tune", "--config", "l.yaml", "--ranges", "r.yaml", "--budget", "600", "--out", "found")
    assert said.status == 0, said.err
    assert "the best algorithm.lr" in said.err
    assert "highest tried" in said.err
    spent = sum(row["queries"] for row in last_rows(Path("found")))
    assert 400 < spent <= 600
    for rung, share in ((1, 16), (2, 48), (3, 144)):
        for path in Path(f"found/rung-{rung}/runs").glob("*/config.yaml"):
            config = yaml.safe_load(path.read_text())
            options = config["algorithm"]["init_args"]
            each = 2 * options["estimator"]["init_args"]["directions"]
            assert config["rounds"] == options["lr_rounds"] == max(1, share // each)
    assert "best validation_loss" in said.out
    assert "20% of the training examples" in said.err
    best = yaml.safe_load(Path("found/best.yaml").read_text())
    assert best["objective"]["init_args"]["validation"] == 0


def test_the_best_mean_over_tasks_wins(dfedsam):
    # With all curvatures 1, the rate 1 ends at once. With curvatures from 1/4 to 1 its error falls as 0.75^t; that of
    # 1.4 falls as 0.65^t there, and as 0.4^t on the first task
    objective = {"class_path": "quadratic", "init_args": {"dim": 20, "heterogeneity": 0}}
    write("q.yaml", EXPERIMENT | {"objective": objective})
    rates = write("r.yaml", {"algorithm.lr": [0.4, 1.0, 1.4, 1.9]})
    tasks = write("t.yaml", {"objective.condition": [1, 4]})
    alone = dfedsam("tune", "--config", "q.yaml", "--ranges", rates, "--out", "alone")
    assert "best: algorithm.lr 1.0" in alone.out
    both = dfedsam("tune", "--config", "q.yaml", "--ranges", rates, "--tasks", tasks, "--out", "both")
    assert "best: algorithm.lr 1.4" in both.out
    assert len(last_rows(Path("both"))) == 2 * len(last_rows(Path("alone")))
    whole = [yaml.safe_load(path.read_text()) for path in Path("both/rung-3/runs").glob("*lr=1.4*/config.yaml")]
    assert sorted(run["objective"]["init_args"]["condition"] for run in whole) == [1, 4]
    assert yaml.safe_load(Path("both/best.yaml").read_text())["objective"]["init_args"]["condition"] == 1
    least = ("--seeds", "2", "--budget", "55", "--out", "least")
    said = dfedsam("tune", "--config", "q.yaml", "--ranges", rates, "--tasks", tasks, *least)
    assert "budget is 55: it must be at least 56, since" in said.err  # four runs of each candidate: 9 × 4 × 14 / 9


@pytest.mark.parametrize(
    ("wanted", "more", "message"),
    [
        (
            {"algorithm.lr": {"low": 2, "high": 1}},
            (),
            "ranges.algorithm.lr is {'low': 2, 'high': 1}: it must have a low",
        ),
        ({"algorithm.lrr": [1]}, (), "ranges is algorithm.lrr: it must be an option that the experiment has"),
        ({"algorithm.lr": [-1]}, (), "lr is -1"),
        ({"algorithm.lr": [1, 2]}, ("--budget", "10"), "budget is 10: it must be at least 14"),
        ({"algorithm.lr": [1, 2]}, ("--seeds", "0"), "seeds is 0"),
        ({"algorithm.lr": [1, 2]}, ("--rungs", "20"), "rungs is 20: it must be one of 1, 2, 3, 4, 5"),
        ({"algorithm.lr": [1, 2]}, ("--tasks", "none.yaml"), "none.yaml"),
        ({"algorithm.lr": [1, 2]}, ("--tasks", "r.yaml"), "tasks is algorithm.lr: it must not be searched"),
        ({"algorithm.lr": {"low": 1, "high": 2}}, ("--tasks", "r.yaml"), "it must be a list of at least one value"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(dfedsam, wanted, more, message):
    argv = ("tune", "--config", write("q.yaml", EXPERIMENT), "--ranges", write("r.yaml", wanted), *more)
    said = dfedsam(*argv)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert message in said.err
    assert not Path("studies").exists()


def test_the_usual_search_costs_nine_runs():
    usual = halving.Halving(rungs=3, run=100, runs=1)
    assert usual.affordable(None) == 27
    assert usual.sizes(27) == [27, 9, 3]
    assert usual.cost(27) == pytest.approx(900)
    assert usual.affordable(900) == 27
    assert usual.affordable(899) == 26
    assert halving.Halving(rungs=2, run=100, runs=2).cost(9) == pytest.approx(2 * 600)
    assert [ranges.Range(1, 100, log=True).at(u) for u in (0, 0.5)] == [1, 10]


def test_no_candidate_costs_more_than_its_share(dfedsam):
    """A run asks 9 × 8 queries, and a ninth of it pays for a round with 2 directions or 4, but not with 8 or 16."""
    write("q.yaml", EXPERIMENT | {"algorithm": {"class_path": "dpsgd", "init_args": {"lr": 0.1}}})
    chosen = write("r.yaml", {"algorithm.lr": [0.1, 0.2, 0.3], "algorithm.estimator.directions": [2, 4, 8, 16]})
    said = dfedsam("tune", "--config", "q.yaml", "--ranges", chosen, "--out", "a")
    assert said.status == 0, said.err
    assert "6 candidates drawn are left out: a round costs more than the 8 queries a peer" in said.err
    assert sum(row["queries"] for row in last_rows(Path("a"))) <= 9 * 72
    assert len(list(Path("a/rung-1/runs").iterdir())) == 6
    assert {row["queries"] for row in last_rows(Path("a"))} == {8, 24, 72}
    refused = dfedsam("tune", "--config", "q.yaml", "--ranges", chosen, "--rungs", "4", "--out", "b")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "rungs is 4: it must leave a round of the experiment to the first rung, whose runs have 2.667" in refused.err
    write("r.yaml", {"algorithm.estimator.directions": [8, 16]})
    refused = dfedsam("tune", "--config", "q.yaml", "--ranges", chosen, "--out", "b")
    assert "it must leave a round of another candidate to the first rung" in refused.err
    assert not Path("b").exists()


def test_first_rounds_that_cost_more_than_others_are_counted():
    """The first round of a snapshot asks more: short runs are dearer a round than whole ones."""
    prices = halving.Prices.__new__(halving.Prices)
    prices.rounds, prices.whole = 90, 20 + 90 * 10
    prices.cost = lambda candidate, rounds: 20 + 10 * rounds  # pyright: ignore[reportAttributeAccessIssue]
    assert [prices.rounds_of({}, share) for share in (1, 1 / 3, 1 / 9, 1 / 40)] == [90, 28, 8, 0]


def test_a_learning_rate_that_is_constant_stays_so(dfedsam):
    """As the help says: only one that falls, falls over a run's own rounds."""
    said = " ".join(dfedsam("tune", "--help").out.split())
    assert "a learning rate that falls, falls over each run's own rounds" in said
    write("q.yaml", EXPERIMENT)
    assert dfedsam("tune", "--config", "q.yaml", "--ranges", write("r.yaml", {"algorithm.lr": [0.4, 0.9]})).status == 0
    for path in Path("studies/tune-q").glob("rung-*/runs/*/config.yaml"):
        settings = yaml.safe_load(path.read_text())["algorithm"]["init_args"]
        assert settings.get("lr_schedule", "constant") == "constant"
        assert settings.get("lr_rounds", 0) == 0


def test_the_dearest_task_counts(dfedsam):
    """A run asks 9 × 8 queries on one task and 9 × 16 on the other; the budget holds for both."""
    write("q.yaml", EXPERIMENT | {"algorithm": {"class_path": "dpsgd", "init_args": {"lr": 0.1}}})
    rates = write("r.yaml", {"algorithm.lr": {"low": 0.01, "high": 0.2}})
    tasks = write("t.yaml", {"algorithm.estimator.directions": [4, 8]})
    said = dfedsam("tune", "--config", "q.yaml", "--ranges", rates, "--tasks", tasks, "--budget", "900", "--out", "a")
    assert said.status == 0, said.err
    assert {row["queries"] for row in last_rows(Path("a"))} == {8, 16, 24, 48, 72, 144}
    spent = sum(row["queries"] for row in last_rows(Path("a")))
    assert 450 < spent <= 900
