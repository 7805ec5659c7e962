"""Live progress: a bar with the latest figures on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dfedsam.launch.ranks import TERMINAL, in_job

Row = dict[str, Any]
Tell = Callable[[Row], None]
EVERY = 5.0  # seconds between plain lines


@contextmanager
def progress(root: bool) -> Iterator[Tell | None]:
    """What a Simulation tells its progress to; None on processes that say nothing."""
    if not root:
        yield None
    elif TERMINAL in os.environ or (sys.stdout.isatty() and not in_job()):  # openmpi gives every rank a terminal
        with _live() as tell:
            yield tell
    else:
        yield Lines()


class Clock:
    """Time left, from the rounds played since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: int | None = None

    def left(self, row: Row) -> float | None:
        """Seconds left; None before a round has been played."""
        if self._first is None:
            self._first, self._began = row["round"], time.monotonic()
        played = row["round"] - self._first
        return (row["rounds"] - row["round"]) * (time.monotonic() - self._began) / played if played else None


class Lines:
    """Prints the latest figures at the first evaluation, then every few seconds, and at the last one."""

    def __init__(self, every: float = EVERY) -> None:
        self._every, self._last, self._clock = every, -every, Clock()

    def __call__(self, row: Row) -> None:
        left = self._clock.left(row)
        now = time.monotonic()
        if "loss" not in row or (now - self._last < self._every and row["round"] != row["rounds"]):
            return
        self._last = now
        end = "" if left is None or row["round"] == row["rounds"] else f", {duration(left)} left"
        print(f"round {row['round']}/{row['rounds']}: {figures(row)}{end}", flush=True)


@contextmanager
def _live() -> Iterator[Tell]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    columns = os.environ.get(TERMINAL)  # set where a terminal lies behind mpirun
    console = Console(force_terminal=True, width=int(columns)) if columns else Console()
    bar = Progress(
        TextColumn("round {task.completed:.0f}/{task.total:.0f}"), BarColumn(None), TextColumn("{task.fields[left]}")
    )
    task = bar.add_task("", total=1, left="")
    clock, latest = Clock(), Text("starting …")
    with Live(latest, console=console, refresh_per_second=4) as live:

        def tell(row: Row) -> None:
            left = clock.left(row)
            bar.update(
                task,
                completed=row["round"],
                total=row["rounds"],
                left=f"{duration(left)} left" if left is not None else "",
            )
            if "loss" in row:
                latest.plain = figures(row)
            live.update(Group(bar, latest))

        yield tell


def figures(row: Row) -> str:
    """The figures of one evaluation on one line."""
    shown = [f"loss {row['loss']:.4g}"]
    if "accuracy" in row:
        shown.append(f"accuracy {row['accuracy']:.1%}")
    shown += [
        f"consensus {row['consensus_distance']:.3g}",
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
