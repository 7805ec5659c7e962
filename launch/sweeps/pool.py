"""Executes a study's runs on this machine, several at the same time, in worker processes or MPI jobs."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
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
    """Executes runs several at a time, each in a worker process or an MPI job.

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
        self._path, self._study, self._progress, self._todo = path, Study(path), progress, todo
        self._options, self._restarts = options, restarts
        self._halt = threading.Event()
        self._workers: list[Worker] = []
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._launched: set[subprocess.Popen[bytes]] = set()

    def run(self, show: Callable[[], None], ended: Callable[[Run, Outcome], None]) -> int:
        """Execute all runs, and return the exit status of the signal that stopped them, or 0.

        `show` is called a few times per second, and `ended` with each run and its outcome, both in this thread.

        After SIGINT, SIGTERM, SIGHUP or SIGUSR1 the runs finish their round and save; a second signal ends them at
        once.
        """
        with ranks.Stop() as stop, ThreadPoolExecutor(self._progress.jobs) as threads:
            pending = {threads.submit(self._one, number, run): run for number, run in self._todo}
            try:
                while pending:
                    if stop() and not self._halt.is_set():
                        self._stop()
                    for one in wait(pending, timeout=0.05, return_when=FIRST_COMPLETED).done:
                        run, outcome = pending.pop(one), one.result()
                        if outcome is not None:
                            self._progress.ended[outcome.ending] += 1
                            ended(run, outcome)
                    show()
            except BaseException:  # the second signal
                self._halt.set()
                self._kill()
                raise
        for worker in self._workers:
            worker.end()
        return stop.status

    def _stop(self) -> None:
        self._halt.set()
        for worker in list(self._workers):
            worker.stop()
        for process in list(self._launched):
            process.send_signal(ranks.SAVE)

    def _kill(self) -> None:
        for worker in list(self._workers):
            worker.kill()
        for process in list(self._launched):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _one(self, number: int, run: Run) -> Outcome | None:
        """Execute a run; None if the sweep was stopped before."""
        if self._halt.is_set():
            return None
        self._progress.running[run.name] = self._study.folder(run)
        outcome = self._launch(number, run) if run.count > 1 else self._in_worker(run)
        del self._progress.running[run.name]
        return outcome

    def _in_worker(self, run: Run) -> Outcome:
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = Worker(self._path / "logs" / f"process-{len(self._workers) + 1}.log")
            self._workers.append(worker)
        if self._halt.is_set():  # stop requested while the worker was starting
            worker.stop()
        outcome = worker.execute(self._path, run)
        self._idle.put(worker)
        return outcome

    def _launch(self, number: int, run: Run) -> Outcome:
        """Execute a run on MPI ranks by an mpirun that ends with this process."""
        log = self._path / "logs" / f"{run.name}.log"
        status, restart = self._mpirun(log, run.count, number), 0
        while ranks.is_lost(status) and restart < self._restarts and not self._halt.is_set():
            restart += 1
            count = max(1, run.count - restart)
            print(f"dfedsam: {run.name}: {ranks.restart_message(status, count)}", file=sys.stderr)
            status = self._mpirun(log, count, number)
        failure = self._study.failure(run)
        if failure is not None:
            return Outcome("failed", str(failure.get("error")))
        if self._study.is_done(run):
            return Outcome("done")
        if self._halt.is_set() or not ranks.is_lost(status):  # a rank may end at a signal that it cannot note yet
            return Outcome("stopped")
        reason = f"a rank was lost ({ranks.how(status)}): see {log}"
        self._study.fail(run, reason, 1)
        return Outcome("failed", reason)

    def _mpirun(self, log: Path, count: int, number: int) -> int:
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
        self._launched.add(process)
        status = process.wait()
        self._launched.discard(process)
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
        if status == -ranks.SAVE:  # asked to stop while it started, before it could note that
            return Outcome("stopped")
        how = ranks.how(128 - status) if status < 0 else f"status {status}"
        return Outcome("failed", f"its process was lost ({how}): see {self._log}")

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
