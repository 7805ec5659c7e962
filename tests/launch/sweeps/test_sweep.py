"""A sweep plays the product of what varies, each run as `dfedsam run` would, and only what is not done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dfedsam.launch.options import EXPERIMENTS
from dfedsam.launch.sweeps.spec import read
from tests import mpi
from tests.launch.command import PROGRAM, metrics
from tests.launch.sweeps.files import names, write


def played(folder: str) -> dict[str, int]:
    """When each run's figures were last written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in Path(folder).glob("runs/*/metrics.jsonl")}


def test_every_combination_is_played_as_run_plays_it(dfedsam):
    regular = {"class_path": "random_regular", "init_args": {"degree": 4}}
    sweep = write(
        base={"algorithm": "DPSGD"},
        grid={"topology": ["ring", regular]},
        zip=[{"peers": [8, 10], "algorithm.lr": [0.1, 0.05]}],
        seeds=[0, 7],
    )
    assert dfedsam("sweep", sweep, "--jobs", "2").status == 0
    expected = {
        f"topology={topology},peers={peers},algorithm.lr={lr},seed={seed}"
        for topology in ("ring", "random_regular(degree=4)")
        for peers, lr in ((8, 0.1), (10, 0.05))
        for seed in (0, 7)
    }
    assert names("studies/small/runs") == expected
    argv = "--rounds 3 --peers 10 --objective.dim 4 --algorithm DPSGD --algorithm.lr 0.05 --seed 7 --topology"
    assert dfedsam("run", *argv.split(), "random_regular", "--topology.degree", "4", "--out", "alone").status == 0
    run = Path("studies/small/runs/topology=random_regular(degree=4),peers=10,algorithm.lr=0.05,seed=7")
    assert metrics(run) == metrics("alone")
    assert (run / "config.yaml").read_text() == Path("alone/config.yaml").read_text()


def test_only_what_is_missing_is_played(dfedsam):
    sweep = write(grid={"topology": ["ring", "star"]})
    said = dfedsam("sweep", sweep, "--dry-run")
    assert said.status == 0
    assert "2 runs, 0 of them done; nothing was written" in said.out
    assert not Path("studies").exists()
    assert dfedsam("sweep", sweep).status == 0
    before = played("studies/small")
    wider = write(grid={"topology": ["ring", "star", "grid"]})
    assert "3 runs, 2 of them done" in dfedsam("sweep", wider, "--dry-run").out
    assert "3/3 done" in dfedsam("sweep", wider).out
    after = played("studies/small")
    assert len(after) == 3
    assert before.items() <= after.items()
    assert "3/3 done" in dfedsam("sweep", "studies/small").out  # the folder stands for its file
    assert played("studies/small") == after
    longer = write(base={"rounds": 5}, grid={"topology": ["ring"]})
    assert "resume" in dfedsam("sweep", longer, "--dry-run").out
    assert dfedsam("sweep", longer).status == 0
    assert (
        dfedsam("run", "--config", "studies/small/runs/topology=ring,seed=0/config.yaml", "--out", "whole").status == 0
    )
    assert metrics("studies/small/runs/topology=ring,seed=0") == metrics("whole")


def test_a_run_that_its_simulated_time_ended_is_done(dfedsam):
    sweep = write(base={"algorithm": "adsgd", "rounds": 500, "until": 2}, grid={"topology": ["ring"]})
    assert "1/1 done" in dfedsam("sweep", sweep).out
    assert metrics(next(Path("studies/small/runs").iterdir()))[-1]["round"] < 500
    before = played("studies/small")
    assert "1 runs, 1 of them done" in dfedsam("sweep", sweep, "--dry-run").out
    assert dfedsam("sweep", sweep).status == 0
    assert played("studies/small") == before
    write(base={"algorithm": "adsgd", "rounds": 500, "until": 3}, grid={"topology": ["ring"]})
    assert "its until is 2.0, and the sweep's is 3.0" in dfedsam("sweep", sweep, "--dry-run").err


def test_a_failed_run_says_why_and_does_not_stop_the_rest(dfedsam):
    exact = {"class_path": "DPSGD", "init_args": {"estimator": "exact"}}
    sweep = write(base={"algorithm": exact, "rounds": 300}, grid={"algorithm.lr": [80.0, 0.1]})
    said = dfedsam("sweep", sweep)
    assert said.status == 1
    assert "failed: algorithm.lr=80.0,seed=0: " in said.err
    assert "lower lr" in said.err
    assert "1/2 done, 1 failed" in said.out
    status = dfedsam("status", "studies/small")
    assert "2 runs: 1 done, 1 failed" in status.out
    assert "not finite" in status.out
    assert "1 of them done" in dfedsam("sweep", sweep, "--dry-run").out  # it is tried again
    watched = dfedsam("watch", "studies/small/runs/algorithm.lr=80.0,seed=0", "--every", "0.01")
    assert watched.status == 1
    assert "failed: " in watched.err


def test_its_processes_give_back_what_libraries_hold(dfedsam):
    held = "import multiprocessing, networkx\nHELD = multiprocessing.get_context('spawn').Lock()\n"
    Path("held.py").write_text(held + "def cycle(n) -> networkx.Graph:\n    return networkx.cycle_graph(n)\n")
    environment = mpi.environment()
    environment["PYTHONPATH"] += f"{os.pathsep}."
    command = [sys.executable, "-c", PROGRAM, "sweep", write(base={"topology": "held.cycle"}), "--allow-code"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "1/1 done" in said.stdout
    assert "leaked" not in said.stderr


def test_data_that_are_missing_fail_one_run_alone(dfedsam):
    logistic = {"class_path": "logistic_regression", "init_args": {"features": 3}}
    sweep = write(base={"objective": logistic}, grid={"objective.data": ["none.csv", "synthetic"]})
    said = dfedsam("sweep", sweep)
    assert said.status == 1
    assert "none.csv" in said.err
    assert names("studies/small/runs") == {"objective.data=synthetic,seed=0"}


def test_a_search_lets_the_best_of_each_cell_stand(dfedsam):
    exact = {"class_path": "DPSGD", "init_args": {"estimator": "exact"}}
    rates = [80.0, 0.2, 0.01]  # the first diverges
    search = {"option": "algorithm.lr", "values": rates, "metric": "loss_local"}
    sweep = write(base={"algorithm": exact, "rounds": 60}, grid={"topology": ["ring", "star"]}, search=search, seeds=2)
    assert dfedsam("sweep", sweep, "--jobs", "2").status == 0
    for topology in ("ring", "star"):
        means = {
            rate: sum(
                metrics(f"studies/small/search/runs/topology={topology},algorithm.lr={rate},seed={seed}")[-1][
                    "loss_local"
                ]
                for seed in (0, 1)
            )
            for rate in rates[1:]
        }
        best = min(means, key=lambda rate: means[rate])
        for seed in (0, 1):
            stands = metrics(f"studies/small/runs/topology={topology},seed={seed}")
            assert stands == metrics(f"studies/small/search/runs/topology={topology},algorithm.lr={best},seed={seed}")
    assert "16 runs: 12 done, 4 failed" in dfedsam("status", "studies/small").out
    assert "12 runs, 12 of them done" in dfedsam("sweep", sweep, "--dry-run").out  # what lost is not tried again


def test_a_search_says_what_it_chose_on_and_where_the_best_is_at_an_end(dfedsam):
    data = {"class_path": "logistic_regression", "init_args": {"examples": 16}}
    search = {"option": "algorithm.lr", "values": [0.001, 0.1], "metric": "accuracy"}
    said = dfedsam("sweep", write(base={"objective": data, "rounds": 12}, search=search))
    assert said.status == 0
    assert "chosen by accuracy on the held-out examples on which the results are measured too" in said.err
    assert "in 1 of 1 cells the best algorithm.lr is the smallest or the largest" in said.err
    stands = metrics("studies/small/runs/seed=0")[-1]["accuracy"]
    searched = [metrics(str(folder)) for folder in Path("studies/small/search/runs").iterdir()]
    assert stands == max(rows[-1]["accuracy"] for rows in searched)
    assert dfedsam("report", "studies/small").status == 0
    page = Path("studies/small/report/report.html").read_text()
    assert "algorithm.lr was chosen in each cell by a search on the" in page
    assert "shown here, without other data for the choice" in page
    assert Path("studies/small/report/figures/search.png").is_file()


def test_a_search_chooses_on_validation_examples_if_there_are_some(dfedsam):
    data = {"class_path": "logistic_regression", "init_args": {"examples": 24, "validation": 0.5}}
    search = {"option": "algorithm.lr", "values": [0.001, 0.01, 0.1], "metric": "accuracy"}
    said = dfedsam("sweep", write(base={"objective": data, "rounds": 6}, search=search))
    assert said.status == 0
    assert "chosen by validation_accuracy, on examples that neither training nor the results have seen" in said.err
    found = json.loads(Path("studies/small/search/search.json").read_text())
    (cell,) = found["cells"]
    runs = [metrics(f"studies/small/search/runs/algorithm.lr={value},seed=0") for value in search["values"]]
    assert cell["means"] == [rows[-1]["validation_accuracy"] for rows in runs]
    assert metrics("studies/small/runs/seed=0") == runs[cell["chosen"]]
    assert cell["means"][cell["chosen"]] == max(cell["means"])


def test_a_search_by_a_figure_that_no_run_has_ends_at_the_first(dfedsam):
    """Such as γ, which only some gossip has."""
    search = {"option": "algorithm.lr", "values": [0.1, 0.2], "metric": "gamma"}
    said = dfedsam("sweep", write(search=search, seeds=2))
    assert said.status == 2
    assert "search.metric is gamma: it must be a metric of the runs: queries, bytes, loss" in said.err


@pytest.mark.skipif(mpi.find_mpirun() is None, reason="no mpirun")
def test_runs_on_ranks_give_the_same_numbers(dfedsam):
    sweep = write(seeds=1)
    assert dfedsam("sweep", sweep, "--out", "one").status == 0
    assert dfedsam("sweep", sweep, "--out", "two", "--ranks", "2").status == 0
    assert metrics("one/runs/seed=0") == metrics("two/runs/seed=0")


def test_a_base_of_its_own_file_is_kept_in_the_study(dfedsam):
    Path("base.yaml").write_text(json.dumps({"rounds": 2, "topology": "star"}))
    Path("small.yaml").write_text("base: base.yaml\nseeds: 2\n")
    sweep = read(Path("small.yaml"))
    Path("base.yaml").unlink()
    Path("small.yaml").write_text(sweep.text)
    assert read(Path("small.yaml")) == sweep


def test_what_ships_is_found_by_its_name_unless_a_file_here_has_it(dfedsam):
    said = dfedsam("run", "--config", "demo.yaml", "--print_config")
    assert said.status == 0
    assert said.out == dfedsam("run", "--config", str(EXPERIMENTS / "demo.yaml"), "--print_config").out
    assert "90 runs" in dfedsam("sweep", "gossip_steps.yaml", "--dry-run").out
    Path("gossip_steps.yaml").write_text("seeds: 2\n")
    assert "2 runs" in dfedsam("sweep", "gossip_steps.yaml", "--dry-run").out
