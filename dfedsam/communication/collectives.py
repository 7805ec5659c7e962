"""What the collective calls of a communicator take between machines, by the α–β model."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from dfedsam.communication.base import Communicator

Call = tuple[str, int]
"""The method, and the bytes of the array that every rank then has; 0 for what is short."""
_METHODS = "total", "gather", "agree", "broadcast", "first"
_TWICE = "broadcast", "first"  # objects, whose lengths go before them


@contextmanager
def recorded(communicator: Communicator) -> Generator[list[Call], None, None]:
    """The collective calls that are made meanwhile."""
    calls: list[Call] = []

    def record(name: str) -> None:
        method = getattr(communicator, name)

        def call(value: Any) -> Any:
            result = method(value)
            calls.append((name, getattr(result, "nbytes", 0)))
            return result

        setattr(communicator, name, call)

    for name in _METHODS:
        record(name)
    try:
        yield calls
    finally:
        for name in _METHODS:
            delattr(communicator, name)


def seconds(calls: Sequence[Call], ranks: int, latency: float, bandwidth: float) -> float:
    """The time of these calls: ⌈log₂ ranks⌉ steps each, and for a total before that one from rank to rank.

    Args:
        calls: of one rank.
        ranks: how many.
        latency: α, seconds of a step.
        bandwidth: bytes a second that a rank receives; what it receives in one call counts once, and of a total twice.
    """
    steps = math.ceil(math.log2(ranks)) * sum(2 if name in _TWICE else 1 for name, _ in calls)
    steps += (ranks - 1) * sum(name == "total" for name, _ in calls)
    received = sum(size * (2 if name == "total" else 1) for name, size in calls)
    return steps * latency + received / bandwidth
