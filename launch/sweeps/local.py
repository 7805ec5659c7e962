"""Plays a study's runs on this machine, several side by side, until all have ended or it is asked to stop."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dfedsam.launch import ranks
from dfedsam.launch.sweeps import study
from dfedsam.launch.sweeps.one import AGAIN, PARENT
from dfedsam.launch.sweeps.plan import Run
from dfedsam.launch.sweeps.play import Ending, Outcome
from dfedsam.launch.sweeps.workers import Process


@dataclass
class Standing:
    """How far a sweep is; what its progress is drawn from.

    Args:
        total: runs in all.
        before: how many of them were done before.
        jobs: runs side by side.
    """

    total: int
    before: int
    jobs: int
    began: float = field(default_factory=time.monotonic, init=False)
    ended: Counter[Ending] = field(default_factory=Counter, init=False)
    running: dict[str, Path] = field(default_factory=dict, init=False)  # name → folder

    @property
    def done(self) -> int:
        """Runs that are done, with those that were before."""
        return self.before + self.ended["done"]

    def left(self) -> float | None:
        """Seconds left, from the runs that have ended since the start; None before the first has."""
        played = self.ended.total()
        todo = self.total - self.before - played
        return todo * (time.monotonic() - self.began) / played if played else None


class Pool:
    """Threads that each take the next run, and a process of its own or an MPI job for it.

    Args:
        path: the study.
        todo: (number among the study's jobs, run) in the order to play them.
        standing: kept up to date.
        ended: called with each run and its outcome, in the thread that calls `run`.
    """

    def __init__(
        self,
        path: Path,
        todo: Sequence[tuple[int, Run]],
        standing: Standing,
        ended: Callable[[Run, Outcome], None],
    ) -> None:
        self._path, self._standing, self._ended = path, standing, ended
        self._todo: queue.SimpleQueue[tuple[int, Run]] = queue.SimpleQueue()
        for job in todo:
            self._todo.put(job)
        self._outcomes: queue.SimpleQueue[tuple[Run, Outcome]] = queue.SimpleQueue()
        self._halt = threading.Event()
        self._processes: dict[int, Process] = {}
        self._launched: dict[int, subprocess.Popen[bytes]] = {}

    def run(self, look: Callable[[], None]) -> bool:
        """Run all; `look` is called a few times a second. Returns whether it was asked to stop.

        SIGINT, SIGTERM or SIGUSR1 lets the runs finish their round and save; the second one ends them now.
        """
        threads = [threading.Thread(target=self._work, args=(slot,)) for slot in range(self._standing.jobs)]
        with ranks.Stop() as stop:
            for thread in threads:
                thread.start()
            try:
                while any(thread.is_alive() for thread in threads):
                    if stop() and not self._halt.is_set():
                        self._stop()
                    self._look(look)
                    time.sleep(0.05)
            except BaseException:  # the second signal
                self._halt.set()
                self._kill()
                raise
            self._look(look)
        return stop()

    def _look(self, look: Callable[[], None]) -> None:
        while not self._outcomes.empty():
            run, outcome = self._outcomes.get()
            self._standing.ended[outcome.ending] += 1
            self._ended(run, outcome)
        look()

    def _stop(self) -> None:
        self._halt.set()
        for process in list(self._processes.values()):
            process.stop()
        for process in list(self._launched.values()):
            process.send_signal(ranks.STOP)

    def _kill(self) -> None:
        for process in list(self._processes.values()):
            process.kill()
        for process in list(self._launched.values()):
            os.killpg(process.pid, signal.SIGKILL)

    def _work(self, slot: int) -> None:
        self._play(slot)
        if process := self._processes.pop(slot, None):
            process.end()

    def _play(self, slot: int) -> None:
        while not self._halt.is_set():
            try:
                number, run = self._todo.get_nowait()
            except queue.Empty:
                return
            part = self._path / run.part
            self._standing.running[run.name] = study.Folder(part).run(run.name)
            if run.count > 1:
                outcome = self._launch(slot, number, run)
            else:
                if slot not in self._processes:
                    self._processes[slot] = Process(self._path / "logs" / f"process-{slot + 1}.log")
                if self._halt.is_set():  # asked while the process was starting
                    self._processes[slot].stop()
                outcome = self._processes[slot].play(run.settings, part, run.name)
            del self._standing.running[run.name]
            self._outcomes.put((run, outcome))

    def _launch(self, slot: int, number: int, run: Run) -> Outcome:
        """Run a run on MPI ranks: an mpirun of its own, which ends with this process."""
        log = self._path / "logs" / f"{run.name}.log"
        argv = ["sweep", str(self._path), "--only", str(number), "--ranks", str(run.count)]
        argv += ["--log", run.settings.own["log"]] if run.settings.own["log"] else []
        with log.open("ab") as file:
            process = subprocess.Popen(
                ranks.command(run.count, argv),
                env=ranks.environment(run.count) | {PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
            self._launched[slot] = process
            status = process.wait()
            del self._launched[slot]
        failure = study.Folder(self._path / run.part).failure(run.name)
        if failure is not None:
            return Outcome("failed", failure["error"])
        if status not in (0, AGAIN):
            study.Folder(self._path / run.part).fail(run.name, f"mpirun ended with status {status}: see {log}", 1)
            return Outcome("failed", f"mpirun ended with status {status}: see {log}")
        done = study.is_done(study.Folder(self._path / run.part).run(run.name), run.rounds)
        return Outcome("done" if done else "stopped")
