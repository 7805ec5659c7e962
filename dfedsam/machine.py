"""The environment of this process: its MPI job, from the launcher's variables, and its cores. No heavy imports."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path

ASKED_RANKS = "DFEDSAM_RANKS"
"""Set by `--ranks`: the size that the MPI world must have."""

_RANK = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")  # not SLURM_PROCID: a batch script has it before any srun
_SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
_LOCAL_SIZE = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", *_SIZE)
_LOCAL_RANK = ("DFEDSAM_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")
_LAUNCHERS = ("PMI", "OMPI_COMM", "DFEDSAM_RANKS")  # what their variables begin with


def in_mpi_job(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether an MPI launcher started this process."""
    return any(name in environ for name in _RANK)


def mpi_rank(environ: Mapping[str, str] = os.environ) -> int:
    """This process's rank by its launcher's variables; 0 outside a job."""
    return _first(environ, _RANK) or 0


def mpi_size(environ: Mapping[str, str] = os.environ) -> int | None:
    """The number of ranks by the launcher's variables; None if unknown."""
    return _first(environ, _SIZE)


def local_size(environ: Mapping[str, str] = os.environ) -> int:
    """The job's ranks on this machine by the launcher's variables; 1 outside a job."""
    return _first(environ, _LOCAL_SIZE) or 1


def local_rank(environ: Mapping[str, str] = os.environ) -> int:
    """This process's number among the job's ranks on this machine, from 0; it chooses the GPU."""
    return _first(environ, _LOCAL_RANK) or 0


def expected_sizes(environ: Mapping[str, str] = os.environ) -> dict[str, int]:
    """The world's size as far as known before MPI is loaded: variable → size."""
    return {name: int(environ[name]) for name in (ASKED_RANKS, *_SIZE) if environ.get(name, "").isdecimal()}


def without_mpi(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a process that is not a rank of this job."""
    return {name: value for name, value in environ.items() if not name.startswith(_LAUNCHERS)}


def is_alive(process: int) -> bool:
    """Whether a process of this machine still runs; one that has ended and waits for its parent does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return status.rpartition(")")[2].split()[:1] != ["Z"]
    except OSError:  # no /proc here
        return True


def cores() -> frozenset[int]:
    """The cores that this process may run on; all of the machine's if the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def total_memory() -> float:
    """Bytes of memory of this machine; infinity if the system does not tell."""
    if not hasattr(os, "sysconf"):
        return float("inf")
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def share_cores(environ: MutableMapping[str, str], ranks: int) -> None:
    """Give each of a machine's `ranks` processes its share of the cores, unless the user has chosen.

    Libraries read these variables when they are imported.
    """
    count = len(cores())
    environ.setdefault("OMP_NUM_THREADS", str(max(1, count // ranks)))
    if ranks > count:
        environ.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")


def threads_per_rank(allowed: Iterable[frozenset[int]], process_cores: frozenset[int]) -> int:
    """Threads for one process of a machine: an even share of the cores, at most its own, at least 1.

    OMP_NUM_THREADS, if set, is an upper bound. `allowed` are the cores that each process of this machine may run on,
    which differ if the launcher binds processes; `process_cores` are those of this process.
    """
    sets = list(allowed)
    share = len(frozenset().union(*sets)) // len(sets)
    setting = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    bound = int(setting) if setting.isdecimal() else share
    return max(1, min(share, len(process_cores), bound))


def _first(environ: Mapping[str, str], names: Iterable[str]) -> int | None:
    return next((int(environ[name]) for name in names if environ.get(name, "").isdecimal()), None)
