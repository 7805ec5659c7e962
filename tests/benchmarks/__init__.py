"""How fast the simulator is, measured against a floor in the same run: `python -m tests.benchmarks [name ...]`.

Each module has a `run() -> list[Row]`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.mpi import find_mpirun, mpirun


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: what was measured.
        floor: what it is measured against.
        ratio: the one over the other.
        target: what the ratio should reach.
        at_most: the ratio should be at most the target; else at least.
        figures: the two as they were measured, with units.
    """

    what: str
    floor: str
    ratio: float
    target: float
    at_most: bool = False
    figures: str = ""

    @property
    def reached(self) -> bool:
        """True if the ratio is on the right side of the target."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def on_ranks(script: str, timeout: float) -> dict[int, float] | None:
    """The shortest time that `script` prints on one rank and on two, in turn and twice; None where there is no MPI."""
    if find_mpirun() is None:
        return None
    shortest = {1: float("inf"), 2: float("inf")}
    for _ in range(2):
        for ranks in shortest:
            job = mpirun(ranks, [script], timeout=timeout)
            job.check_returncode()
            shortest[ranks] = min(shortest[ranks], float(job.stdout))
    return shortest


def seconds(
    functions: Mapping[str, Callable[[], object]],
    repeats: int = 30,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """The shortest time of each function, in seconds of the clock.

    They are called in turns, once each without looking at the clock, so that a busy spell of the machine falls on all.
    """
    shortest = dict.fromkeys(functions, float("inf"))
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            began = clock()
            function()
            if repeat:
                shortest[name] = min(shortest[name], clock() - began)
    return shortest
