"""An MPI job that cannot go on ends soon, on all ranks, and says why."""

import os
import sys
import time
from threading import Timer

import pytest

from dfedsam.communication import mpi
from tests.mpi import environment, mpirun, run

CONNECT = "from dfedsam.communication import connect; communicator = connect(8)"


def ended(ranks, code, **env):
    """The job's standard error, when it ended badly and within ten seconds."""
    began = time.monotonic()
    job = mpirun(ranks, ["-c", code], timeout=30, env=env)
    assert time.monotonic() - began < 10
    assert job.returncode != 0
    return job.stderr


def alone(code, **env):
    """The last line that one process without mpirun wrote when it ended badly."""
    job = run([sys.executable, "-c", code], 30, environment() | env, None)
    assert job.returncode == 1
    return job.stderr.splitlines()[-1]


def test_an_exception_on_one_rank_ends_all_with_its_message():
    code = f"{CONNECT}\nif communicator.rank == 1: raise KeyError('the round went wrong')\ncommunicator.agree(False)"
    error = ended(3, code)
    assert "rank 1 of 3 stopped the run" in error
    assert "KeyError: 'the round went wrong'" in error


def test_one_rank_can_end_the_job_with_a_status():
    act = "if communicator.rank == 1: print('enough'); abort(3)"
    job = mpirun(
        2, ["-c", f"from dfedsam.communication import abort; {CONNECT}\n{act}\ncommunicator.agree(False)"], timeout=30
    )
    assert "enough" in job.stdout
    assert job.returncode == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says at the writing end what is unread")
def test_what_was_written_is_read_before_an_abort(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as launcher, os.fdopen(writing, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        stderr.write("the reason")
        began = time.monotonic()
        mpi.flush_output(seconds=0.1)  # nobody reads: it gives up
        assert time.monotonic() - began >= 0.1
        reader = Timer(0.1, launcher.read, [64])
        reader.start()
        began = time.monotonic()
        mpi.flush_output(seconds=30)
        assert 0.05 < time.monotonic() - began < 20
        reader.join()


def test_alone_abort_is_an_exit():
    job = run([sys.executable, "-c", "from dfedsam.communication import abort; abort(3)"], 30, environment(), None)
    assert (job.returncode, job.stderr) == (3, "")


def test_more_ranks_than_peers():
    error = ended(2, "from dfedsam.communication import connect; connect(1)")
    assert "ValueError: peers is 1: it must be at least the number of ranks, 2; start fewer ranks" in error


def test_a_world_of_another_size_than_was_asked_for():
    assert "ValueError: the MPI world has 2 ranks, but DFEDSAM_RANKS is 3" in ended(2, CONNECT, DFEDSAM_RANKS="3")


def test_a_launcher_of_another_maker():
    pytest.importorskip("mpi4py.MPI", exc_type=RuntimeError)
    from mpi4py import MPI

    foreign = "OMPI_COMM_WORLD" if MPI.get_vendor()[0] == "MPICH" else "PMI"
    line = alone(CONNECT, **{f"{foreign}_RANK": "0", f"{foreign}_SIZE": "4"})
    assert line.startswith(f"ValueError: the MPI world has 1 rank, but {foreign}_SIZE is 4: launcher and MPI library")


def test_no_mpi_library():
    line = alone(CONNECT, OMPI_COMM_WORLD_RANK="0", MPI4PY_LIBMPI=os.devnull)
    assert line.startswith("ValueError: no MPI library can be loaded: install one with")


def test_connecting_alone_does_not_load_mpi():
    code = f"{CONNECT}\nimport sys; assert 'mpi4py.MPI' not in sys.modules and communicator.size == 1"
    assert run([sys.executable, "-c", code], 30, environment(), None).returncode == 0
