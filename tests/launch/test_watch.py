"""`dfedsam watch` reads what a run writes, whoever writes it, and ends when the run does."""

import json
import threading
import time
from pathlib import Path

import pytest

from dfedsam.run_folder import RunFolder
from tests.launch.command import SMALL, process

ROW = {"consensus_distance": 0.1, "queries": 8.0, "bytes": 80.0, "seconds": 1.0}


def test_a_run_is_followed_while_it_is_written(dfedsam):
    def write() -> None:
        Path("a").mkdir()
        Path("a/config.yaml").write_text("format: 1\nrounds: 3\n")
        with RunFolder("a").writing(), Path("a/metrics.jsonl").open("w") as file:
            for at in range(4):
                text = json.dumps(ROW | {"round": at, "loss": 1.0 / (at + 1)}) + "\n"
                file.write(text[:9])  # a line that is not whole yet says nothing
                file.flush()
                time.sleep(0.05)
                file.write(text[9:])
                file.flush()

    writer = threading.Timer(1.0, write)
    writer.start()
    said = dfedsam("watch", "a", "--every", "0.02")
    writer.join()
    assert (said.status, said.err) == (0, "waiting for a run to start in a\n")
    assert said.out.startswith("round 0/3: loss 1")
    assert said.out.splitlines()[-1].startswith("round 3/3: loss 0.25")


def test_a_run_that_has_ended_is_shown_once(dfedsam):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    said = dfedsam("watch", "a")
    assert (said.status, said.err, said.out.count("\n")) == (0, "", 1)
    assert "round 3/3" in said.out


def test_a_study_is_not_a_run(dfedsam):
    Path("study").mkdir()
    Path("study/sweep.yaml").write_text("seeds: 1\n")
    said = dfedsam("watch", "study")
    assert said.status == 2
    assert "it is a study; see `dfedsam status study`" in said.err


def test_a_run_that_its_clock_has_ended_is_shown_once(dfedsam):
    assert dfedsam("run", *SMALL, "--rounds", "99", "--clock", "simulated", "--until", "1", "--out", "a").status == 0
    said = dfedsam("watch", "a")
    assert (said.status, said.err, said.out.count("\n")) == (0, "", 1)


def test_a_run_that_was_stopped_is_waited_for(dfedsam, tmp_path):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    config = Path("a/config.yaml")
    config.write_text(config.read_text().replace("rounds: 3", "rounds: 5"))
    later = threading.Timer(1.0, lambda: process("resume", "a", cwd=tmp_path))
    later.start()
    said = dfedsam("watch", "a", "--every", "0.02")
    later.join()
    note = "nobody executes a, which has 3 of 5 rounds: waiting until `dfedsam resume a` continues it\n"
    assert said.status == 0
    assert note in said.err


@pytest.mark.parametrize("content", ["", ".lock"])
def test_an_empty_folder_may_become_a_run(dfedsam, content):
    """`dfedsam run` creates the folder before it loads data and model."""
    Path("a").mkdir()
    if content:
        Path("a", content).touch()
    run = threading.Timer(1.0, lambda: _write_a_run("a"))
    run.start()
    said = dfedsam("watch", "a", "--every", "0.02")
    run.join()
    assert (said.status, said.err.splitlines()[0]) == (0, "waiting for a run to start in a")


def _write_a_run(folder: str) -> None:
    Path(folder, "metrics.jsonl").write_text(json.dumps(ROW | {"round": 3, "loss": 1.0}) + "\n")
    Path(folder, "config.yaml").write_text("format: 1\nrounds: 3\n")


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (["notes.txt"], "fix the path"),
        (["b/config.yaml", "c/config.yaml"], "name one of its runs, such as a/b"),
        (["runs/b/config.yaml"], "name one of its runs, such as a/runs/b"),
    ],
)
def test_a_folder_of_something_else_is_refused_at_once(dfedsam, files, hint):
    for file in files:
        Path("a", file).parent.mkdir(parents=True, exist_ok=True)
        Path("a", file).touch()
    said = dfedsam("watch", "a")
    refused = f"dfedsam watch: folder is a: it must be a run's folder, but it has no config.yaml; {hint}\n"
    assert (said.status, said.out, said.err) == (2, "", refused)


def test_settings_without_a_length_are_one_line(dfedsam):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    config = Path("a/config.yaml")
    config.write_text(config.read_text().replace("rounds: 3", "rounds: three"))
    said = dfedsam("watch", "a")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "a/config.yaml: must have numbers for rounds and until" in said.err
