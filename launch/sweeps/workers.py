"""Processes that stay and play one run after another, so that a short run does not pay for a process's start."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from dfedsam.launch import ranks
from dfedsam.launch.options import Settings
from dfedsam.launch.sweeps.play import Outcome, play

_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy threads' locks


class Process:
    """A process that plays runs; it is started anew if one ends it, and ends with the process that made it.

    Args:
        log: the file that gets what libraries write.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._asked = False
        self._pipe, self._process = self._start()

    def _start(self) -> tuple[Connection, BaseProcess]:
        ours, its = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(its, self._log), daemon=True)
        process.start()
        its.close()
        return ours, process

    def play(self, settings: Settings, part: Path, name: str) -> Outcome:
        """Run one run, and wait for its end; see `play`."""
        if not self._process.is_alive():
            self._pipe, self._process = self._start()
        with suppress(EOFError, OSError):
            self._pipe.send((settings, part, name))
            return self._pipe.recv()
        self._process.join()
        status = self._process.exitcode or 0
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        return Outcome("failed", f"its process was ended by {how}; short of memory?" if status == -9 else
                       f"its process ended with {how}: see {self._log}")  # fmt: skip

    def stop(self) -> None:
        """Ask the run to finish its round, save and end; this can be called from another thread than `play`."""
        if self._process.is_alive() and self._process.pid:
            os.kill(self._process.pid, ranks.STOP)

    def end(self) -> None:
        """Let the process end, which plays nothing, so that its libraries give back what they hold."""
        self._pipe.close()
        self._process.join(timeout=10)
        self.kill()

    def kill(self) -> None:
        """End the process now, with the run that it plays."""
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, log: Path) -> None:
    """What the process does: play what comes through the pipe, until its other end is closed."""
    os.setsid()  # Ctrl-C reaches the sweep alone, which then asks us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    with ranks.Stop() as stop, suppress(EOFError, OSError):
        while True:
            settings, part, name = pipe.recv()
            pipe.send(play(settings, part, name, stop))
            sys.stdout.flush()


def _end_with_parent() -> None:
    """End at once when the sweep is killed, so that it can be started again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
