"""Progress of a sweep: live on a terminal, otherwise a line from time to time."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from dfedsam.callbacks.progress import EVERY, duration
from dfedsam.launch.execute import Level
from dfedsam.launch.sweeps.execute import Ending
from dfedsam.run_folder import RunFolder

_SHOWN = 8  # running runs with a line of their own


@dataclass
class Progress:
    """Progress of a sweep.

    Args:
        total: number of runs.
        before: number of runs that were done before.
        jobs: runs at the same time.
    """

    total: int
    before: int
    jobs: int
    start: float = field(default_factory=time.monotonic, init=False)
    ended: Counter[Ending] = field(default_factory=Counter, init=False)
    running: dict[str, RunFolder] = field(default_factory=dict, init=False)  # by name

    def remaining(self) -> float | None:
        """Estimated remaining seconds, from the runs that have ended since the start; None before the first."""
        ended = self.ended.total()
        pending = self.total - self.before - ended
        return pending * (time.monotonic() - self.start) / ended if ended else None

    def line(self) -> str:
        """The progress in one line: 12/288 done, 2 running, 1 failed, 3:20 left."""
        remaining, failed = self.remaining(), self.ended["failed"]
        parts = [f"{self.before + self.ended['done']}/{self.total} done"]
        parts += [f"{len(self.running)} running"] if self.running else []
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{duration(remaining)} left"] if remaining is not None and self.running else []
        return ", ".join(parts)


@contextmanager
def shown(progress: Progress, level: Level) -> Iterator[Callable[[], None]]:
    """A function that shows the progress: live on a terminal, otherwise a line from time to time."""
    if level != "normal" or not sys.stdout.isatty():
        yield (lambda: None) if level == "quiet" else _lines(progress)
        return
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress as Bar, TextColumn
    from rich.text import Text

    bar = Bar(BarColumn(None), TextColumn("{task.fields[text]}"))
    task = bar.add_task("", total=progress.total, text="")
    last = 0.0
    with Live(bar, refresh_per_second=4) as live:

        def show() -> None:
            nonlocal last
            if time.monotonic() - last < 0.25 and progress.running:
                return
            last = time.monotonic()
            bar.update(task, completed=progress.before + progress.ended.total(), text=progress.line())
            lines = [f"  {name}{_round(folder)}" for name, folder in sorted(progress.running.items())[:_SHOWN]]
            live.update(Group(bar, *(Text(line, overflow="ellipsis", no_wrap=True) for line in lines)))

        yield show


def _lines(progress: Progress) -> Callable[[], None]:
    last = time.monotonic()

    def show() -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            print(progress.line(), flush=True)

    return show


def _round(folder: RunFolder) -> str:
    with suppress(ValueError):
        row = folder.last_row()
        return "" if row is None else f"  round {row['round']}"
    return ""
