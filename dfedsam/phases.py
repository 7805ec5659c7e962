"""What a process does before and after the rounds, such as embedding texts, for whoever shows it to the user."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")
Listener = Callable[[str, int, int], None]
"""Called with what is done, such as "embedding texts", how many parts are done, and their number; 0 if unknown."""
_listeners: list[Listener] = []
_now = ""


@contextmanager
def listening(listener: Listener) -> Generator[None, None, None]:
    """Call a function with every report of this process meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def report(what: str, done: int = 0, total: int = 0) -> None:
    """Tell the listeners what happens now, and that `done` of `total` parts are complete; an empty text ends it."""
    global _now
    _now = "" if total else what
    if what:
        _notify(what, done, total)


def progress(done: int, total: int) -> None:
    """Tell the listeners how far the latest report without parts has come; for code that does not know its purpose."""
    if _now:
        _notify(_now, done, total)


def _notify(what: str, done: int, total: int) -> None:
    for listener in _listeners:
        listener(what, done, total)


def seconds_of(action: Callable[[], object], limit: float) -> float:
    """The time of an action, from as much of its reported progress as a few seconds allow."""
    begin, forecast = time.perf_counter(), 0.0

    def estimate(_: str, done: int, total: int) -> None:
        nonlocal forecast
        passed = time.perf_counter() - begin
        if done:
            forecast = passed * total / done
        if passed > limit and done:
            raise TimeoutError

    with suppress(TimeoutError), listening(estimate):
        action()
        return time.perf_counter() - begin
    return forecast


def track(what: str, parts: Sequence[T]) -> Iterable[T]:
    """Yield the parts, and report each."""
    for done, part in enumerate(parts):
        report(what, done, len(parts))
        yield part
    report(what, len(parts), len(parts))
