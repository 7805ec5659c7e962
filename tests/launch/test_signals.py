"""Signals: a command ends at once, in one line; no rank is orphaned, and one that is lost costs no bit."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from dfedsam.launch import ranks
from tests import mpi
from tests.launch.command import LONG, end, metrics, rows, start, wait_for

needs_mpi = pytest.mark.skipif(ranks.launcher() is None, reason="no mpirun")


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


@pytest.mark.parametrize(("before", "outcome"), [
    ("", (130, "", "dfedsam: interrupted\n")),
    ("signal.signal(signal.SIGINT, signal.SIG_IGN)", (0, "dfedsam", "")),
])  # fmt: skip
def test_a_signal_while_the_program_is_imported_is_one_line(tmp_path, before, outcome):
    """Exceptions raised there may come from within an import's own callbacks, which ignore them."""
    program = f"""
import signal, sys
{before}

class Interrupts:
    def find_spec(name, path, target=None):
        if name == "dfedsam.launch.ranks":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupts)
from dfedsam.launch.__main__ import main
sys.exit(main())
"""
    done = mpi.run([sys.executable, "-c", program, "--version"], 60, mpi.environment(), tmp_path)
    assert (done.returncode, done.stdout.partition(" ")[0], done.stderr) == outcome


def test_a_signal_in_a_destructor_is_not_lost(tmp_path):
    """Python ignores the exception that Ctrl-C raises there."""
    interrupt = """
import signal
from dfedsam.launch import cli

class Interrupted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def command(argv):
    Interrupted()
    print("it goes on")
    return 0

cli.load = lambda name: command
"""
    job = start("report", "a", cwd=tmp_path, setup=interrupt)
    assert job.communicate(timeout=60) == ("", "dfedsam report: interrupted\n")
    assert job.returncode == 130


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
def test_ranks_that_wait_for_mpi_to_start_end_with_their_starter(tmp_path):
    """One rank is late, and the other waits for it in MPI's start, during which it runs no Python."""
    late = "import os, time\nif '0' in map(os.environ.get, ('PMI_RANK', 'OMPI_COMM_WORLD_RANK')): time.sleep(600)\n"
    (tmp_path / "sitecustomize.py").write_text(late)
    here = "import os; os.environ['PYTHONPATH'] = os.pathsep.join([os.getcwd(), os.environ['PYTHONPATH']])"
    job = start("run", *LONG, "--ranks", "2", "--out", "a", cwd=tmp_path, setup=here)
    wait_for(lambda: len(mpi.ranks_in(tmp_path)) == 2)
    time.sleep(3)
    end(job)
    wait_for(lambda: not mpi.ranks_in(tmp_path), seconds=10)


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
