"""Ranks: the command starts itself under mpirun, ranks agree on errors, signals end a run cleanly."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfedsam import machine
from dfedsam.launch import ranks
from tests import mpi
from tests.launch.command import PROGRAM, SMALL, metrics, process

LONG = ("--rounds", "4000", "--peers", "8", "--objective.dim", "200")
needs_mpi = pytest.mark.skipif(ranks.launcher() is None, reason="no mpirun")


@needs_mpi
def test_any_way_to_start_gives_the_same_figures(dfedsam, tmp_path):
    assert dfedsam("run", *SMALL, "--out", "one").status == 0
    itself = process("run", *SMALL, "--ranks", "2", "--out", "two", cwd=tmp_path)
    assert (itself.returncode, itself.stderr) == (0, "")
    assert itself.stdout.count("wrote") == 0
    assert itself.stdout.count("loss of the mean") == 1  # the root alone speaks
    job = mpi.mpirun(3, ["-c", PROGRAM, "run", *SMALL, "--out", "three", "--placement", "reorder"], cwd=tmp_path)
    assert (job.returncode, job.stderr) == (0, "")
    assert metrics("one") == metrics("two") == metrics("three")
    for folder, placement in (("one", "metis"), ("three", "contiguous")):
        job = process("resume", folder, "--rounds", "9", "--ranks", "2", "--placement", placement, cwd=tmp_path)
        assert (job.returncode, job.stderr) == (0, "")
    assert metrics("one") == metrics("three")


@needs_mpi
@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("run", "--topology", "rings"), "topology is rings"),
        (("run", "--peers", "1"), "peers is 1"),
        (("run", "--ranks", "3"), "ranks is 3: it must be the size of this MPI job, 2"),
        (("run", "--out", "there"), "out is there: it must not exist yet"),
        (("run", "--objective", "prompt_tuning", "--objective.data", "none.csv"), "data is none.csv"),
    ],
)
def test_one_line_from_all_ranks(tmp_path, argv, text):
    (tmp_path / "there").mkdir()
    job = mpi.mpirun(2, ["-c", PROGRAM, *argv], cwd=tmp_path)
    assert job.returncode == 2
    ours = [line for line in job.stderr.splitlines() if line.startswith("dfedsam")]
    assert len(ours) == 1
    assert text in ours[0]
    assert "Traceback" not in job.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_world_of_the_wrong_size(tmp_path):
    job = process("run", *SMALL, "--out", "a", cwd=tmp_path, env={"DFEDSAM_RANKS": "3"})
    assert job.returncode == 2
    assert "DFEDSAM_RANKS is 3" in job.stderr
    assert job.stderr.count("\n") == 1


@needs_mpi
def test_an_exception_on_one_rank_ends_all(tmp_path):
    (tmp_path / "odd.py").write_text(
        "from dataclasses import dataclass\n"
        "from dfedsam.algorithms import DPSGD\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Odd(DPSGD):\n"
        "    def round(self, state, context):\n"
        "        if 0 not in context.stream.peers:\n"
        "            raise KeyError('lost')\n"
        "        return super().round(state, context)\n"
    )
    began = time.monotonic()
    path = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{mpi.ROOT}"}
    job = mpi.mpirun(2, ["-c", PROGRAM, "run", *SMALL, "--algorithm", "odd.Odd"], cwd=tmp_path, env=path)
    assert job.returncode != 0
    assert "KeyError: 'lost'" in job.stderr
    assert time.monotonic() - began < 30


@needs_mpi
@pytest.mark.parametrize("count", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(dfedsam, tmp_path, count, number):
    command = [sys.executable, "-c", PROGRAM, "run", *LONG, "--ranks", count, "--out", "a"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            command, env=mpi.environment(2), cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        ) as job,
    ):
        try:
            _wait_for_rows(tmp_path / "a" / "metrics.jsonl", 3)
            job.send_signal(number)
            assert job.wait(30) == 128 + number
        finally:
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGKILL)
    assert "stopped as requested; continue with: dfedsam resume a" in (tmp_path / "log").read_text()
    played = len(metrics("a"))
    assert 3 <= played < 4000
    assert dfedsam("resume", "a", "--rounds", str(played + 2)).status == 0
    assert dfedsam("run", *LONG, "--rounds", str(played + 2), "--out", "b").status == 0
    assert metrics("a") == metrics("b")


def _wait_for_rows(path: Path, rows: int) -> None:
    end = time.monotonic() + 45
    while not (path.exists() and path.read_text().count("\n") >= rows):
        assert time.monotonic() < end, "the run did not begin"
        time.sleep(0.05)


def test_cores_are_shared_unless_the_user_has_chosen():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    environ: dict[str, str] = {}
    machine.share_cores(environ, 1)
    assert environ == {"OMP_NUM_THREADS": str(cores)}
    environ = {"OMP_NUM_THREADS": "7"}
    machine.share_cores(environ, cores + 1)
    assert environ == {"OMP_NUM_THREADS": "7", "OMPI_MCA_mpi_yield_when_idle": "1"}


def test_a_batch_script_is_not_a_job():
    assert not machine.in_mpi_job({"SLURM_PROCID": "0"})
    assert machine.mpi_rank({"PMIX_RANK": "3"}) == 3
