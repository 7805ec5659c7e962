"""Live progress: a bar with the latest metrics on terminals and in notebooks, otherwise a line from time to time."""

from __future__ import annotations

import html
import math
import os
import sys
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from dfedsam.callbacks.base import Callback
from dfedsam.machine import in_mpi_job
from dfedsam.phases import listening

if TYPE_CHECKING:
    from dfedsam.callbacks.base import Run
    from dfedsam.communication.base import Communicator
    from dfedsam.run_folder import Row

TERMINAL = "DFEDSAM_TERMINAL"
"""Width of the terminal that shows the output of MPI ranks, in columns."""
EVERY = 5.0  # seconds between plain lines


class Evaluations(Callback):
    """Prints every evaluation with all its metrics."""

    def after_round(self, run: Run) -> None:
        if run.row is not None and run.communicator.is_root:
            metrics = ", ".join(f"{name} {value:.6g}" for name, value in run.row.items() if name != "round")
            print(f"round {run.round}/{run.experiment.rounds}: {metrics}", flush=True)


class Progress(Callback):
    """Shows the progress of a run, on the root only."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._display: Display | None = None

    def prepare(self, communicator: Communicator) -> None:
        """Open the display, before a long preparation perhaps, and show what is prepared."""
        if communicator.is_root:
            self._display = self._stack.enter_context(display())
            self._stack.enter_context(listening(self._display.phase))

    def after_round(self, run: Run) -> None:
        if self._display is not None:
            self._display.show(run.round, run.experiment.rounds, run.row)

    def close(self) -> None:
        self._stack.close()


def display() -> Display:
    """A bar on a terminal or in a notebook, otherwise lines."""
    if in_notebook():
        return Cell()
    if TERMINAL in os.environ or (sys.stdout.isatty() and not in_mpi_job()):
        return Bar()
    return Lines()


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process."""
    return "ipykernel" in sys.modules


class Clock:
    """Estimates the remaining time from the rounds since its creation."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._first: int | None = None

    def remaining(self, round: int, rounds: int) -> float | None:
        """Seconds; None before a round is complete."""
        if self._first is None:
            self._first, self._start = round, time.monotonic()
        done = round - self._first
        return (rounds - round) * (time.monotonic() - self._start) / done if done else None


class Phases:
    """Describes a phase and its remaining time in words."""

    def __init__(self) -> None:
        self._what, self._clock, self._begin = "", Clock(), 0.0

    def words(self, what: str, done: int, total: int) -> tuple[str, float]:
        """Such as "embedding texts: 12 of 98, 0:34 left", and how many seconds the phase has taken so far."""
        if what != self._what:
            self._what, self._clock, self._begin = what, Clock(), time.monotonic()
        remaining = self._clock.remaining(done, total)
        count = f": {done:,} of {total:,}" if total else " …"
        left = f", {duration(remaining)} left" if total and remaining else ""
        return f"{what}{count}{left}", time.monotonic() - self._begin


class Display(ABC):
    """A display of rounds and metrics."""

    def __init__(self) -> None:
        self._clock, self._phases = Clock(), Phases()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *exception: object) -> None:
        return

    @abstractmethod
    def show(self, round: int, rounds: int, row: Row | None) -> None:
        """Show the number of completed rounds, and new metrics, if any."""

    @abstractmethod
    def phase(self, what: str, done: int, total: int) -> None:
        """Show what happens before, between or after the rounds: `done` of `total` parts, or 0 of 0."""


class Lines(Display):
    """Prints the latest metrics at the first evaluation, then every few seconds, and at the last one.

    A phase that takes longer than that is printed as often.
    """

    def __init__(self, every: float = EVERY) -> None:
        super().__init__()
        self._every, self._last, self._last_phase = every, -every, time.monotonic()

    def show(self, round: int, rounds: int, row: Row | None) -> None:
        remaining = self._clock.remaining(round, rounds)
        now = time.monotonic()
        if row is None or (now - self._last < self._every and round != rounds):
            return
        self._last = now
        end = "" if remaining is None or round == rounds else f", {duration(remaining)} left"
        print(f"round {round}/{rounds}: {metrics_line(row)}{end}", flush=True)

    def phase(self, what: str, done: int, total: int) -> None:
        text, _ = self._phases.words(what, done, total)
        if time.monotonic() - max(self._last_phase, self._last) >= self._every:
            self._last_phase = time.monotonic()
            print(text, flush=True)


class Bar(Display):
    """A bar by rich, with the latest metrics under it; or, once it takes a second, a phase."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.text import Text

        columns = os.environ.get(TERMINAL)
        console = Console(force_terminal=True, width=int(columns)) if columns else Console()
        count = TextColumn("round {task.completed:.0f}/{task.total:.0f}")
        self._bar = Progress(count, BarColumn(None), TextColumn("{task.fields[remaining]}"))
        self._task = self._bar.add_task("", total=1, remaining="")
        self._latest = Text("starting …")
        self._live = Live(self._latest, console=console, refresh_per_second=4)

    def __enter__(self) -> Display:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, round: int, rounds: int, row: Row | None) -> None:
        from rich.console import Group

        remaining = self._clock.remaining(round, rounds)
        text = "" if remaining is None else f"{duration(remaining)} left"
        self._bar.update(self._task, completed=round, total=rounds, remaining=text)
        if row is not None:
            self._latest.plain = metrics_line(row)
        self._live.update(Group(self._bar, self._latest))

    def phase(self, what: str, done: int, total: int) -> None:
        text, passed = self._phases.words(what, done, total)
        if passed > 1 or not self._bar.tasks[0].completed:
            self._latest.plain = text


class Cell(Display):
    """A bar in the output of a notebook's cell, once the run has taken a second; its last state stays."""

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None
        self._latest = self._text = ""
        self._drawn, self._due = time.monotonic(), 1.0  # when it was drawn, and after how many seconds it is again

    def __exit__(self, *exception: object) -> None:
        if self._handle is not None:
            self._draw(self._text, now=True)

    def show(self, round: int, rounds: int, row: Row | None) -> None:
        remaining = self._clock.remaining(round, rounds)
        if row is not None:
            self._latest = metrics_line(row)
        left = "" if remaining is None or round == rounds else f", {duration(remaining)} left"
        self._text = f'<progress value="{round}" max="{rounds}"></progress> round {round}/{rounds}: {self._latest}'
        self._draw(self._text + left)

    def phase(self, what: str, done: int, total: int) -> None:
        self._draw(html.escape(self._phases.words(what, done, total)[0]))

    def _draw(self, text: str, *, now: bool = False) -> None:
        passed = time.monotonic() - self._drawn
        if passed < self._due and not now:
            return
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports]  (a notebook has it)

        self._drawn, self._due = self._drawn + passed, 0.25
        if self._handle is None:
            self._handle = display(HTML(text), display_id=True)
        else:
            self._handle.update(HTML(text))


def metrics_line(row: Row) -> str:
    """The metrics of one evaluation on one line."""
    shown = [f"loss {row['loss']:.4g}"]
    if "accuracy" in row:
        shown.append(f"accuracy {row['accuracy']:.1%}")
    shown += [
        f"consensus {math.inf if row['consensus_distance'] is None else row['consensus_distance']:.3g}",
        f"{row['queries']:,.0f} queries",
        f"{size(row['bytes'])} a peer",
    ]
    return ", ".join(shown)


def duration(seconds: float) -> str:
    """Seconds as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: float) -> str:
    """A number of bytes as 512 B, 12.3 kB or 4.56 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
