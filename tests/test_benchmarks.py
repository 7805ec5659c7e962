"""The benchmarks still run: each function is called once, whatever the ratios. The slower ones are run by hand."""

import importlib
import time
from collections.abc import Callable, Mapping
from math import isfinite

import pytest

QUICK = ("compressed", "consensus", "endpoint", "gossip", "robust", "rounds", "schedules", "startup")


def once(
    functions: Mapping[str, Callable[[], object]],
    repeats: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """In place of `tests.benchmarks.seconds`."""
    took = {}
    for name, function in functions.items():
        begin = clock()
        function()
        took[name] = max(clock() - begin, 1e-9)
    return took


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_benchmark_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = importlib.import_module(f"tests.benchmarks.{name}")
    monkeypatch.setattr(benchmark, "seconds", once, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "")  # which a benchmark changes, so that it is restored
    rows = benchmark.run()
    assert rows
    assert all(isfinite(row.ratio) and row.ratio > 0 for row in rows)
