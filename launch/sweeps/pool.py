"""Executes a study's runs on this machine, several at the same time, in worker processes or MPI jobs."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from dfedsam.launch import ranks
from dfedsam.launch.sweeps.execute import Outcome, execute
from dfedsam.launch.sweeps.plan import Run
from dfedsam.launch.sweeps.progress import Progress
from dfedsam.launch.sweeps.study import Study

_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy threads' locks


class Pool:
    """Threads that each take the next run and execute it in a worker process or an MPI job.

    Args:
        path: the study.
        todo: (number among the study's jobs, run) in order of execution.
        progress: updated as runs start and end.
        options: command-line options for runs on MPI ranks.
        restarts: how often a run continues from its last checkpoint after one of its ranks was lost.
    """

    def __init__(
        self,
        path: Path,
        todo: Sequence[tuple[int, Run]],
        progress: Progress,
        options: Sequence[str] = (),
        restarts: int = 0,
    ) -> None:
        self._path, self._study, self.progress = path, Study(path), progress
        self._options, self._restarts = options, restarts
        self._todo: queue.SimpleQueue[tuple[int, Run]] = queue.SimpleQueue()
        for job in todo:
            self._todo.put(job)
        self._outcomes: queue.SimpleQueue[tuple[Run, Outcome]] = queue.SimpleQueue()
        self._halt = threading.Event()
        self._workers: dict[int, Worker] = {}
        self._launched: dict[int, subprocess.Popen[bytes]] = {}

    def run(self, show: Callable[[], None], ended: Callable[[Run, Outcome], None]) -> int:
        """Execute all runs, and return the exit status of the signal that stopped them, or 0.

        `show` is called a few times per second, and `ended` with each run and its outcome, both in this thread.

        After SIGINT, SIGTERM, SIGHUP or SIGUSR1 the runs finish their round and save; a second signal ends them at
        once.
        """
        threads = [threading.Thread(target=self._work, args=(slot,)) for slot in range(self.progress.jobs)]
        with ranks.Stop() as stop:
            for thread in threads:
                thread.start()
            try:
                while any(thread.is_alive() for thread in threads):
                    if stop() and not self._halt.is_set():
                        self._stop()
                    self._collect(show, ended)
                    time.sleep(0.05)
            except BaseException:  # the second signal
                self._halt.set()
                self._kill()
                raise
            self._collect(show, ended)
        return stop.status

    def _collect(self, show: Callable[[], None], ended: Callable[[Run, Outcome], None]) -> None:
        while not self._outcomes.empty():
            run, outcome = self._outcomes.get()
            self.progress.ended[outcome.ending] += 1
            ended(run, outcome)
        show()

    def _stop(self) -> None:
        self._halt.set()
        for worker in list(self._workers.values()):
            worker.stop()
        for process in list(self._launched.values()):
            process.send_signal(ranks.SAVE)

    def _kill(self) -> None:
        for worker in list(self._workers.values()):
            worker.kill()
        for process in list(self._launched.values()):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _work(self, slot: int) -> None:
        while not self._halt.is_set():
            try:
                number, run = self._todo.get_nowait()
            except queue.Empty:
                break
            self.progress.running[run.name] = self._study.folder(run)
            outcome = self._launch(slot, number, run) if run.count > 1 else self._in_worker(slot, run)
            del self.progress.running[run.name]
            self._outcomes.put((run, outcome))
        if worker := self._workers.pop(slot, None):
            worker.end()

    def _in_worker(self, slot: int, run: Run) -> Outcome:
        if slot not in self._workers:
            self._workers[slot] = Worker(self._path / "logs" / f"process-{slot + 1}.log")
        if self._halt.is_set():  # stop requested while the worker was starting
            self._workers[slot].stop()
        return self._workers[slot].execute(self._path, run)

    def _launch(self, slot: int, number: int, run: Run) -> Outcome:
        """Execute a run on MPI ranks by an mpirun that ends with this process."""
        log = self._path / "logs" / f"{run.name}.log"
        status, restart = self._mpirun(slot, log, run.count, number), 0
        while ranks.is_lost(status) and restart < self._restarts and not self._halt.is_set():
            restart += 1
            status = self._mpirun(slot, log, max(1, run.count - restart), number)
        failure = self._study.failure(run)
        if failure is not None:
            return Outcome("failed", str(failure.get("error")))
        if self._study.is_done(run):
            return Outcome("done")
        if not ranks.is_lost(status):
            return Outcome("stopped")
        reason = f"mpirun ended with status {status}: see {log}"
        self._study.fail(run, reason, 1)
        return Outcome("failed", reason)

    def _mpirun(self, slot: int, log: Path, count: int, number: int) -> int:
        """The exit status of an MPI job for one run."""
        argv = ["sweep", str(self._path), "--only", str(number), "--ranks", str(count), *self._options]
        with log.open("ab") as file:
            process = subprocess.Popen(
                ranks.command(count, argv),
                env=ranks.environment(count),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._launched[slot] = process
        status = process.wait()
        del self._launched[slot]
        return status if status >= 0 else 128 - status


class Worker:
    """A process that executes one run after another, so that a short run does not pay for a process's start.

    It is restarted if a run kills it, and ends with the process that created it.

    Args:
        log: the file for the output of libraries.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._pipe, self._process = self._start()

    def _start(self) -> tuple[Connection, BaseProcess]:
        ours, its = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(its, self._log), daemon=True)
        process.start()
        its.close()
        return ours, process

    def execute(self, path: Path, run: Run) -> Outcome:
        """Execute a run of the study at `path`, and wait until it ends."""
        if not self._process.is_alive():
            self._pipe, self._process = self._start()
        with suppress(EOFError, OSError):
            self._pipe.send((path, run))
            return self._pipe.recv()
        self._process.join()
        status = self._process.exitcode or 0
        if status == -signal.SIGKILL:
            return Outcome("failed", "its process was ended by signal SIGKILL; out of memory?")
        how = f"was ended by signal {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return Outcome("failed", f"its process {how}: see {self._log}")

    def stop(self) -> None:
        """Ask the run to finish its round, save and end; may be called from a thread other than that of `execute`."""
        if self._process.is_alive() and self._process.pid:
            os.kill(self._process.pid, ranks.SAVE)

    def end(self) -> None:
        """End the idle process, so that its libraries free their resources."""
        self._pipe.close()
        self._process.join(timeout=10)
        self.kill()

    def kill(self) -> None:
        """End the process and its run at once."""
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, log: Path) -> None:
    """The main loop of a worker: execute runs that arrive through the pipe, until its other end is closed."""
    os.setsid()  # Ctrl-C reaches only the sweep, which then asks this process to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    with ranks.Stop() as stop, suppress(EOFError, BrokenPipeError):
        while True:
            path, run = pipe.recv()
            pipe.send(execute(path, run, stop))
            sys.stdout.flush()


def _end_with_parent() -> None:
    """End at once when the sweep is killed, so that it can be restarted."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
