"""Progress of a sweep: live on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dfedsam.launch.progress import EVERY, duration
from dfedsam.launch.sweeps import study
from dfedsam.launch.sweeps.local import Standing

_SHOWN = 8  # running runs with a line of their own


@contextmanager
def progress(standing: Standing) -> Iterator[Callable[[], None]]:
    """What shows how far a sweep is each time it is called."""
    if sys.stdout.isatty():
        with _live(standing) as look:
            yield look
    else:
        yield Lines(standing)


class Lines:
    """Prints a line every few seconds, and at the end."""

    def __init__(self, standing: Standing, every: float = EVERY) -> None:
        self._standing, self._every, self._last = standing, every, time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            print(line(self._standing), flush=True)


def line(standing: Standing) -> str:
    """How far a sweep is, in a line: 12/288 done, 2 running, 1 failed, 3:20 left."""
    left, failed = standing.left(), standing.ended["failed"]
    parts = [f"{standing.done}/{standing.total} done"]
    parts += [f"{len(standing.running)} running"] if standing.running else []
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{duration(left)} left"] if left is not None and standing.running else []
    return ", ".join(parts)


@contextmanager
def _live(standing: Standing) -> Iterator[Callable[[], None]]:
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    bar = Progress(BarColumn(None), TextColumn("{task.fields[text]}"))
    task = bar.add_task("", total=standing.total, text="")
    last = 0.0
    with Live(bar, refresh_per_second=4) as live:

        def look() -> None:
            nonlocal last
            if time.monotonic() - last < 0.25 and standing.running:
                return
            last = time.monotonic()
            bar.update(task, completed=standing.before + standing.ended.total(), text=line(standing))
            names = sorted(standing.running.items())[:_SHOWN]
            live.update(Group(bar, *(Text(f"  {name}{_round(folder)}", overflow="ellipsis", no_wrap=True)
                                     for name, folder in names)))  # fmt: skip

        yield look


def _round(folder: Path) -> str:
    row = study.last_row(folder)
    return "" if row is None else f"  round {row['round']}"
