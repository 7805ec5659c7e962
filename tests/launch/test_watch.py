"""`dfedsam watch` reads what a run writes, whoever writes it, and ends when the run does."""

import json
import threading
import time
from pathlib import Path

from tests.launch.command import SMALL

ROW = {"consensus_distance": 0.1, "queries": 8.0, "bytes": 80.0, "seconds": 1.0}


def test_a_run_is_followed_while_it_is_written(dfedsam):
    def write() -> None:
        Path("a").mkdir()
        Path("a/config.yaml").write_text("format: 1\nrounds: 3\n")
        with Path("a/metrics.jsonl").open("w") as file:
            for at in range(4):
                text = json.dumps(ROW | {"round": at, "loss": 1.0 / (at + 1)}) + "\n"
                file.write(text[:9])  # a line that is not whole yet says nothing
                file.flush()
                time.sleep(0.05)
                file.write(text[9:])
                file.flush()

    writer = threading.Timer(0.2, write)
    writer.start()
    said = dfedsam("watch", "a", "--every", "0.02")
    writer.join()
    assert (said.status, said.err) == (0, "waiting for a\n")
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
