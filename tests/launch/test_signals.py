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

_RESTART = "continuing from the last checkpoint with --ranks 1\n"

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["resume", "sweep"])
def test_a_signal_ends_the_wait_for_a_writer_on_another_machine(dfedsam, tmp_path, number, what):
    (tmp_path / "s.yaml").write_text("base: {rounds: 3, peers: 4}\nseeds: 1\n")
    assert dfedsam("sweep", "s.yaml", "--quiet").status == 0
    (folder,) = (tmp_path / "studies/s/runs").iterdir()
    for name in ("prompt.safetensors", "references.json"):
        (folder / name).unlink(missing_ok=True)
    (folder / ".writer").write_text('{"host": "elsewhere", "process": 7}')
    before = (folder / "metrics.jsonl").read_bytes()
    argv = ("resume", str(folder), "--rounds", "9") if what == "resume" else ("sweep", "s.yaml", "--only", "0")
    job = start(*argv, cwd=tmp_path)
    assert job.stderr is not None
    line = job.stderr.readline()
    assert "process 7 on elsewhere may still write" in line, line + job.communicate()[1]
    assert "seconds" in line
    begin = time.monotonic()
    job.send_signal(number)
    job.communicate(timeout=60)
    assert time.monotonic() - begin < 10
    assert job.returncode == 128 + number
    assert (folder / "metrics.jsonl").read_bytes() == before
    assert (folder / ".writer").exists()


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
    assert _RESTART in err
    assert dfedsam("run", *options, "--out", "whole").status == 0
    assert metrics("a") == metrics("whole")


@needs_mpi
def test_a_rank_lost_in_a_sweep_is_told_and_costs_no_bit(dfedsam, tmp_path):
    (tmp_path / "small.yaml").write_text("base: {rounds: 300, peers: 8, checkpoint_every: 20}\nseeds: 1\n")
    job, run = start("sweep", "small.yaml", "--ranks", "2", "--out", "a", cwd=tmp_path), tmp_path / "a/runs/seed=0"
    wait_for(partial(_has_come_to, run, 40, job))
    os.kill(mpi.ranks_in(tmp_path)[-1], signal.SIGKILL)
    _, err = job.communicate(timeout=120)
    assert job.returncode == 0, err
    assert err == "dfedsam: seed=0: a rank was lost (signal SIGKILL; out of memory?); " + _RESTART
    assert dfedsam("sweep", "small.yaml", "--out", "whole").status == 0
    assert metrics(run) == metrics("whole/runs/seed=0")


@needs_mpi
def test_a_lost_rank_names_the_cause_and_the_next_command(dfedsam, tmp_path):
    job = start("run", *LONG, "--ranks", "2", "--out", "a b", cwd=tmp_path)
    wait_for(partial(_has_come_to, tmp_path / "a b", 20, job))
    os.kill(mpi.ranks_in(tmp_path)[-1], signal.SIGKILL)
    _, err = job.communicate(timeout=60)
    told = "continue from the last checkpoint with: dfedsam resume 'a b' --ranks 2"
    assert f"dfedsam: a rank was lost (signal SIGKILL; out of memory?); {told}\n" in err
    assert job.returncode in (9, 137)


@needs_mpi
def test_a_lost_rank_of_a_run_with_a_plug_in_of_ones_own(tmp_path):
    """The path is typed, so that a restart may import it; `resume` reads it from a file, and needs to be told."""
    (tmp_path / "own.py").write_text(
        "import networkx as nx\ndef wheel(n: int) -> nx.Graph:\n    return nx.wheel_graph(n)\n"
    )
    here = "import os; os.environ['PYTHONPATH'] = os.pathsep.join([os.getcwd(), os.environ['PYTHONPATH']])"
    options = ("--topology", "own.wheel", "--ranks", "2", "--restarts", "1")
    job = start("run", *LONG, *options, "--out", "a", cwd=tmp_path, setup=f"{here}; import sys; sys.path[:0] = ['.']")
    wait_for(partial(_has_come_to, tmp_path / "a", 20, job))
    os.kill(mpi.ranks_in(tmp_path)[-1], signal.SIGKILL)
    before = rows(tmp_path / "a")
    wait_for(partial(_has_come_to, tmp_path / "a", before + 20, job))
    job.send_signal(signal.SIGTERM)
    out, err = job.communicate(timeout=60)
    assert job.returncode == 143, err
    assert "continue with: dfedsam resume a --allow-code\n" in out


@needs_mpi
def test_a_rank_lost_before_the_first_checkpoint(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nif '1' in map(os.environ.get, ('PMI_RANK', 'OMPI_COMM_WORLD_RANK')): os.kill(os.getpid(), 9)\n"
    )
    here = "import os; os.environ['PYTHONPATH'] = os.pathsep.join([os.getcwd(), os.environ['PYTHONPATH']])"
    job = start("run", *LONG, "--ranks", "2", "--out", "a", cwd=tmp_path, setup=here)
    _, err = job.communicate(timeout=60)
    assert "a rank was lost (signal SIGKILL; out of memory?); it had no checkpoint yet: start it again\n" in err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("status", "words"), [
    (9, "signal SIGKILL; out of memory?"), (137, "signal SIGKILL; out of memory?"), (139, "signal SIGSEGV"),
    (11, "signal SIGSEGV"), (15, "status 15"), (255, "status 255"), (134, "signal SIGABRT"),
])  # fmt: skip
def test_a_status_in_words(status, words):
    assert ranks.how(status) == words


def _has_come_to(folder: Path, count: int, job: subprocess.Popen[str]) -> bool:
    return rows(folder) > count or job.poll() is not None
