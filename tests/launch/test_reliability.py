"""Nothing of the user's is overwritten, a folder has one writer, nothing hangs or is orphaned, damage is one line."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from dfedsam.launch import ranks
from dfedsam.run_folder import RunFolder
from tests import mpi
from tests.launch.command import PROGRAM, SMALL, metrics
from tests.launch.sweeps.files import write

needs_mpi = pytest.mark.skipif(ranks.launcher() is None, reason="no mpirun")
LONG = ("--rounds", "100000", "--peers", "8")


def start(*argv: str, cwd: Path, setup: str = "") -> subprocess.Popen[str]:
    """`dfedsam ARGV` in a session of its own; `setup` is Python that comes first."""
    command = [sys.executable, "-c", f"{setup}\n{PROGRAM}", *argv]
    return subprocess.Popen(
        command,
        env=mpi.environment(2),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(job: subprocess.Popen[str]) -> None:
    """Kill it if it still runs."""
    job.kill()
    job.communicate()


def wait_for(condition, seconds: float = 60) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def rows(folder: Path) -> int:
    """Lines of a run's metrics."""
    path = folder / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder but the lock."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda lines: [*lines[:1], "{", *lines[2:]], "metrics.jsonl, line 2: is not an evaluation"),
        (lambda lines: [*lines[:1], "", *lines[2:]], "metrics.jsonl, line 2: is not an evaluation"),
        (lambda lines: [], "has 0 evaluations up to round 3, and the run made 4"),
        (lambda lines: lines[:2], "has 2 evaluations up to round 3, and the run made 4"),
        (lambda lines: [*lines[:2], *lines[3:]], "has 3 evaluations up to round 3, and the run made 4"),
    ],
    ids=["garbage", "an empty line", "emptied", "cut", "a line missing"],
)
def test_damaged_metrics_are_refused_and_left_as_they_are(dfedsam, spoil, message):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    path = Path("a/metrics.jsonl")
    path.write_text("".join(f"{line}\n" for line in spoil(path.read_text().splitlines())))
    before = contents(Path("a"))
    said = dfedsam("resume", "a", "--rounds", "6")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert message in said.err
    assert contents(Path("a")) == before


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("checkpoint.safetensors", None, "the checkpoint does not exist"),
        ("metrics.jsonl", None, "metrics.jsonl: cannot be read"),
        ("config.yaml", "format: 7\nrounds: 3\n", "has format 7, and this version of dfedsam knows format 1"),
        ("config.yaml", "rounds: 3\n", "has no format number"),
    ],
)
def test_missing_and_unknown_files_are_one_line(dfedsam, file, text, message):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    path = Path("a", file)
    path.unlink()
    if text is not None:
        path.write_text(text)
    before = contents(Path("a"))
    said = dfedsam("resume", "a", "--rounds", "6")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert message in said.err
    assert contents(Path("a")) == before


def test_a_run_that_goes_on_is_not_resumed_beside_it(dfedsam, tmp_path):
    job = start("run", *LONG, "--out", "a", cwd=tmp_path)
    try:
        wait_for(lambda: rows(tmp_path / "a") > 20)
        said = dfedsam("resume", "a", "--rounds", "200000")
        assert (said.status, said.err.count("\n")) == (2, 1)
        assert f"a: process {job.pid} is writing it; wait until it ends, or stop it" in said.err
        job.send_signal(signal.SIGTERM)
        job.communicate(timeout=60)
        assert job.returncode == 143
    finally:
        end(job)
    done = [row["round"] for row in metrics("a")]
    assert done == list(range(len(done)))
    assert dfedsam("resume", "a", "--rounds", str(len(done) + 2)).status == 0


def test_two_resumes_at_once_write_one_run(dfedsam, tmp_path):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    assert dfedsam("run", *SMALL, "--rounds", "600", "--out", "whole").status == 0
    jobs = [start("resume", "a", "--rounds", "600", cwd=tmp_path) for _ in range(2)]
    ends = [(job.communicate(timeout=120)[1], job.returncode)[::-1] for job in jobs]
    assert min(status for status, _ in ends) == 0
    assert all(status == 0 or "is writing it" in said for status, said in ends), ends
    assert metrics("a") == metrics("whole")


def test_runs_without_a_name_get_different_folders(tmp_path):
    jobs = [start("run", *SMALL, cwd=tmp_path) for _ in range(3)]
    for job in jobs:
        out, err = job.communicate(timeout=60)
        assert job.returncode == 0, out + err
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [f"ring-dfedsam-{n}" for n in (1, 2, 3)]
    assert all(rows(path) == 4 for path in (tmp_path / "runs").iterdir())


def test_a_sweep_leaves_alone_what_is_not_its_own(dfedsam):
    sweep = write(seeds=2)
    assert dfedsam("sweep", sweep).status == 0
    run = Path("studies/small/runs/seed=0")
    (run / "notes.txt").write_text("mine")
    (run / "checkpoint.safetensors").unlink()
    before = contents(run)
    said = dfedsam("sweep", sweep)
    assert (said.status, said.err) == (0, "")  # it is complete without its checkpoint
    assert contents(run) == before
    said = dfedsam("sweep", write(seeds=2, base={"rounds": 5}))
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "has evaluations, but no checkpoint.safetensors to continue from" in said.err
    assert contents(run) == before


def test_a_folder_that_was_never_a_run_is_not_removed(dfedsam):
    thesis = Path("studies/small/runs/seed=0/thesis.tex")
    thesis.parent.mkdir(parents=True)
    thesis.write_text("mine")
    said = dfedsam("sweep", write(seeds=2))
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "is not a run of this sweep" in said.err
    assert thesis.read_text() == "mine"


def test_another_studys_sweep_is_not_replaced(dfedsam):
    assert dfedsam("sweep", write(seeds=1)).status == 0
    before = contents(Path("studies/small"))
    other = write(grid={"topology": ["star"]})
    said = dfedsam("sweep", other)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "out is studies/small: it must not hold another study" in said.err
    assert contents(Path("studies/small")) == before
    Path("here").mkdir()
    Path("here/sweep.yaml").write_text("mine")
    assert dfedsam("sweep", other, "--out", "here").status == 2
    assert Path("here/sweep.yaml").read_text() == "mine"


def test_references_that_a_kill_took_are_made_up_for(dfedsam):
    text = {"class_path": "logistic_regression", "init_args": {"features": 3}}
    sweep = write(base={"objective": text, "references": True})
    assert dfedsam("sweep", sweep).status == 0
    path = Path("studies/small/runs/seed=0/references.json")
    written = path.read_text()
    path.unlink()
    assert "0 of them done" in dfedsam("sweep", sweep, "--dry-run").out
    assert dfedsam("sweep", sweep).status == 0
    assert path.read_text() == written


def test_a_full_disk_is_one_line_and_keeps_the_checkpoint(dfedsam, tmp_path, monkeypatch):
    """A limit on the size of files stands for the disk."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # what coverage writes would exceed it too
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    job = start("run", *LONG, "--out", "a", cwd=tmp_path, setup=limit)
    _, err = job.communicate(timeout=60)
    assert job.returncode == 1
    assert err.count("\n") == 1
    assert "File too large" in err
    kept = rows(Path("a"))
    assert kept > 10
    assert dfedsam("resume", "a", "--rounds", str(kept + 3)).status == 0
    done = [row["round"] for row in metrics("a")]
    assert done == list(range(kept + 4))


def test_a_figure_that_cannot_be_drawn_does_not_fail_the_run(dfedsam, monkeypatch):
    def fail(_: Path) -> None:
        raise RuntimeError("no such backend")

    monkeypatch.setattr("dfedsam.analysis.plot_run", fail)
    said = dfedsam("run", *SMALL, "--figure", "true", "--out", "a")
    assert (said.status, said.err.count("\n")) == (0, 1)
    assert "note: the figure could not be drawn (no such backend)" in said.err
    assert RunFolder("a").is_complete(3)


def test_a_run_that_has_diverged_is_marked(dfedsam):
    exact = {"class_path": "dpsgd", "init_args": {"estimator": "exact"}}
    sweep = write(base={"algorithm": exact, "rounds": 12}, grid={"algorithm.lr": [9.0, 0.1]})
    assert dfedsam("sweep", sweep).status == 0
    said = dfedsam("status", "studies/small").out
    assert "2 runs: 1 done, 1 diverged" in said
    assert "its loss grew from" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_is_at_most_one_line(tmp_path, number):
    begin = "from dfedsam.launch.cli import main; print('ready', flush=True)"
    for delay in (0.1, 0.5, 1.5):
        job = start("run", *LONG, cwd=tmp_path, setup=begin)
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
        time.sleep(delay)
        job.send_signal(number)
        _, err = job.communicate(timeout=60)
        assert job.returncode in (128 + number, -number), err
        assert "Traceback" not in err
        assert err.count("\n") <= 1


def test_nohup_is_respected(tmp_path):
    ignore = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    job = start("run", *LONG, "--out", "a", cwd=tmp_path, setup=ignore)
    try:
        wait_for(lambda: rows(tmp_path / "a") > 2)
        job.send_signal(signal.SIGHUP)
        seen = rows(tmp_path / "a")
        wait_for(lambda: rows(tmp_path / "a") > seen + 50)
        assert job.poll() is None
    finally:
        end(job)


@needs_mpi
def test_a_mistake_of_one_rank_ends_the_job_with_its_message(tmp_path):
    (tmp_path / "c.yaml").write_text("rounds: 3\n")
    program = (
        "import sys; from dfedsam.machine import mpi_rank; from dfedsam.launch.cli import main; "
        "config = 'c.yaml' if mpi_rank() == 0 else 'none.yaml'; "
        "sys.exit(main(['run', '--peers', '4', '--out', 'p', '--config', config]))"
    )
    job = mpi.mpirun(2, ["-c", program], cwd=tmp_path, timeout=60)
    assert job.returncode != 0
    assert "rank 1: dfedsam run: config is none.yaml" in job.stderr
    assert "Traceback" not in job.stderr


@needs_mpi
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1])
def test_ranks_end_with_their_starter(dfedsam, tmp_path, number):
    job = start("run", *LONG, "--ranks", "2", "--out", "a", cwd=tmp_path)
    wait_for(lambda: rows(tmp_path / "a") > 5)
    job.send_signal(number)
    job.communicate(timeout=60)
    wait_for(lambda: not mpi.ranks_in(tmp_path), seconds=10)
    last = rows(tmp_path / "a")
    assert dfedsam("resume", "a", "--rounds", str(last + 2)).status == 0


@needs_mpi
def test_a_lost_rank_costs_no_bit(dfedsam, tmp_path):
    options = ("--rounds", "300", "--peers", "8", "--checkpoint_every", "20")
    job = start("run", *options, "--ranks", "3", "--restarts", "2", "--out", "a", cwd=tmp_path)
    for after in (40, 160):
        wait_for(partial(_has_come_to, tmp_path / "a", after, job))
        for rank in mpi.ranks_in(tmp_path)[-1:]:
            os.kill(rank, signal.SIGKILL)
        time.sleep(0.5)
    _, err = job.communicate(timeout=120)
    assert job.returncode == 0, err
    assert "a rank was lost" in err
    assert dfedsam("run", *options, "--out", "whole").status == 0
    assert metrics("a") == metrics("whole")


def _has_come_to(folder: Path, count: int, job: subprocess.Popen[str]) -> bool:
    return rows(folder) > count or job.poll() is not None


def test_a_dead_writer_holds_nothing(tmp_path):
    """One that was killed on this machine, and one on another whose heartbeat has ended."""
    folder = RunFolder(tmp_path)
    for host, age in ((os.uname().nodename, 0), ("elsewhere", 60)):
        (tmp_path / ".writer").write_text(json.dumps({"host": host, "process": 1 << 22}))
        os.utime(tmp_path / ".writer", (time.time() - age,) * 2)
        with folder.writing():
            assert json.loads((tmp_path / ".writer").read_text())["process"] == os.getpid()
        assert not (tmp_path / ".writer").exists()
