"""A sweep that is stopped or killed, and started again, ends as an unbroken one does, and repeats no finished run."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from dfedsam.launch import ranks
from dfedsam.run_folder import RunFolder
from tests import mpi
from tests.launch.command import PROGRAM, metrics
from tests.launch.sweeps.files import Tree, names, write

LONG: Tree = {"algorithm": "DPSGD", "rounds": 1200, "checkpoint_every": 200, "evaluate_every": 50, "topology": "ring"}


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
    sweep = write(base=LONG, seeds=3)
    assert dfedsam("sweep", sweep, "--out", "unbroken").status == 0
    moments = random.Random(6)
    finished: dict[str, int] = {}
    runs = Path("studies/small/runs")

    def figures() -> list[Path]:
        return list(runs.glob("*/metrics.jsonl"))

    for _ in range(3):
        size = sum(path.stat().st_size for path in figures())
        process = start("sweep", sweep, "--jobs", "2")
        wait_for(lambda: sum(path.stat().st_size for path in figures()) > size, process)  # noqa: B023
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.wait(10)
        time.sleep(0.3)  # its processes see that it has gone
        assert "running" not in dfedsam("status", "studies/small").out
        done = {
            path.parent.name: path.stat().st_mtime_ns
            for path in figures()
            if RunFolder(path.parent).is_complete(LONG["rounds"])
        }
        assert finished.items() <= done.items()
        finished = done
    assert start("sweep", sweep, "--jobs", "2").wait(60) == 0
    assert names("studies/small/runs") == names("unbroken/runs")
    for name in names("unbroken/runs"):
        assert metrics(f"studies/small/runs/{name}") == metrics(f"unbroken/runs/{name}")
        for file in ("prompt.safetensors", "config.yaml"):
            assert (runs / name / file).read_bytes() == Path("unbroken/runs", name, file).read_bytes()


def test_asked_to_stop_it_saves_and_goes_on(dfedsam):
    sweep = write(base=LONG | {"rounds": 2000, "checkpoint_every": 2000}, seeds=2)
    process = start("sweep", sweep)
    first = Path("studies/small/runs/seed=0/metrics.jsonl")
    wait_for(lambda: first.exists() and first.stat().st_size > 500, process)
    assert "1 running, 1 to do" in dfedsam("status", "studies/small").out
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert "1 stopped, 1 to do" in dfedsam("status", "studies/small").out
    before = first.read_text()
    assert dfedsam("sweep", "studies/small").status == 0
    assert first.read_text().startswith(before)  # its checkpoint was that of the round it stopped in
    assert dfedsam("sweep", sweep, "--out", "unbroken").status == 0
    for seed in (0, 1):
        assert metrics(f"studies/small/runs/seed={seed}") == metrics(f"unbroken/runs/seed={seed}")


def test_asked_to_stop_while_ranks_start_no_run_fails(dfedsam, monkeypatch):
    monkeypatch.setattr(ranks, "command", lambda *_: ["sleep", "30"])  # SIGUSR1 ends it, like a rank that still imports
    log = Path("studies/small/logs/seed=0.log")

    def ask() -> None:
        while not log.exists():
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=ask, daemon=True).start()
    assert dfedsam("sweep", write(base=LONG, seeds=2), "--ranks", "2").status == 143
    assert "failed" not in dfedsam("status", "studies/small").out


def test_asked_to_stop_while_a_worker_starts_no_run_fails(dfedsam, monkeypatch):
    """SIGUSR1 ends a process that cannot note it yet."""
    monkeypatch.setattr("dfedsam.launch.sweeps.pool._serve", _wait)
    monkeypatch.syspath_prepend(mpi.ROOT)
    log = Path("studies/small/logs/process-1.log")

    def ask() -> None:
        while not log.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=ask, daemon=True).start()
    said = dfedsam("sweep", write(base=LONG, seeds=2), "--jobs", "1", "--allow-code")
    assert (said.status, said.err) == (143, "")
    assert "0/2 done" in said.out
    assert "continue with: dfedsam sweep studies/small --jobs 1 --allow-code\n" in said.out
    assert "failed" not in said.out


def _wait(_: object, log: Path) -> None:
    """In place of a worker that is still importing."""
    log.touch()
    time.sleep(30)


def test_a_run_has_one_writer(dfedsam):
    sweep = write(seeds=2)
    assert dfedsam("sweep", sweep).status == 0
    longer = write(seeds=2, base={"rounds": 5})
    with RunFolder("studies/small/runs/seed=0").writing():
        assert "2 runs: 1 done, 1 running" in dfedsam("status", "studies/small").out
        said = dfedsam("sweep", longer)
        assert "elsewhere: seed=0: studies/small/runs/seed=0: process" in said.err
        assert "1/2 done" in said.out
    assert "2/2 done" in dfedsam("sweep", longer).out
