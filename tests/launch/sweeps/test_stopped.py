"""A sweep that is stopped or killed, and started again, ends as an unbroken one does, and repeats no finished run."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests import mpi
from tests.launch.command import PROGRAM, metrics
from tests.launch.sweeps.files import names, write

LONG = {"algorithm": "DPSGD", "rounds": 1500, "checkpoint_every": 200, "evaluate_every": 50, "topology": "ring"}


def start(*argv: str) -> subprocess.Popen[bytes]:
    """`dfedsam ARGV` in a process of its own, in the current folder."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *argv],
        env=mpi.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for(condition, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until it holds, or the process has ended."""
    end = time.monotonic() + seconds
    while process.poll() is None and not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def test_killed_at_random_moments(dfedsam):
    sweep = write(base=LONG, seeds=4)
    assert dfedsam("sweep", sweep, "--out", "unbroken").status == 0
    moments = random.Random(6)
    finished: dict[str, int] = {}
    kills = 0
    runs = Path("studies/small/runs")

    def figures() -> list[Path]:
        return list(runs.glob("*/metrics.jsonl"))

    while True:
        size = sum(path.stat().st_size for path in figures())
        process = start("sweep", sweep, "--jobs", "2")
        wait_for(lambda: sum(path.stat().st_size for path in figures()) > size, process)  # noqa: B023
        time.sleep(moments.uniform(0, 0.5))
        if process.poll() is None:
            process.kill()
            kills += 1
        status = process.wait(60)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        time.sleep(0.3)  # its processes see that it has gone
        assert "running" not in dfedsam("status", "studies/small").out
        done = {
            path.parent.name: path.stat().st_mtime_ns for path in figures() if metrics(path.parent)[-1]["round"] == 1500
        }
        assert finished.items() <= done.items()
        finished = done
    assert kills >= 2
    assert names("studies/small/runs") == names("unbroken/runs")
    for name in names("unbroken/runs"):
        assert metrics(f"studies/small/runs/{name}") == metrics(f"unbroken/runs/{name}")
        for file in ("prompt.safetensors", "config.yaml"):
            assert (runs / name / file).read_bytes() == Path("unbroken/runs", name, file).read_bytes()


def test_asked_to_stop_it_saves_and_goes_on(dfedsam):
    sweep = write(base=LONG | {"rounds": 4000, "checkpoint_every": 4000}, seeds=2)
    process = start("sweep", sweep)
    first = Path("studies/small/runs/seed=0/metrics.jsonl")
    wait_for(lambda: first.exists() and first.stat().st_size > 1000, process)
    assert "1 running, 1 to do" in dfedsam("status", "studies/small").out
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "1 stopped, 1 to do" in dfedsam("status", "studies/small").out
    before = first.read_text()
    assert dfedsam("sweep", "studies/small").status == 0
    assert first.read_text().startswith(before)  # its checkpoint was that of the round it stopped in
    assert dfedsam("sweep", sweep, "--out", "unbroken").status == 0
    for seed in (0, 1):
        assert metrics(f"studies/small/runs/seed={seed}") == metrics(f"unbroken/runs/seed={seed}")


def test_two_sweeps_of_one_study_never_play_one_run(dfedsam):
    sweep = write(base=LONG, seeds=1)
    process = start("sweep", sweep)
    first = Path("studies/small/runs/seed=0/metrics.jsonl")
    wait_for(first.exists, process)
    process.send_signal(signal.SIGSTOP)
    try:
        said = dfedsam("sweep", "studies/small", "--only", "0")
    finally:
        process.kill()
        process.wait(10)
    assert said.status == 0
    assert "another process is playing it" in said.out
