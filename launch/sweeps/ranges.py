"""The ranges that a search draws its candidates from: their file, defaults for every algorithm, and their edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from dfedsam.errors import OptionError
from dfedsam.launch import options
from dfedsam.launch.sweeps.spec import Point

_EDGE = 0.05  # of a range, at either end
_FORM = "a list of values, or {low: 0.001, high: 1, log: true}"


@dataclass(frozen=True)
class Range:
    """The values of one option: all numbers between two, or a list.

    Args:
        low: the lowest number.
        high: the highest one; whole numbers, if both are.
        log: whether their logarithms are drawn uniformly.
        values: the list; empty for numbers between `low` and `high`.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    values: tuple[Any, ...] = ()

    def at(self, u: float) -> Any:
        """The value at the place u in [0, 1), to three digits."""
        if self.values:
            return self.values[int(u * len(self.values))]
        value = self.low * (self.high / self.low) ** u if self.log else self.low + (self.high - self.low) * u
        if isinstance(self.low, int) and isinstance(self.high, int):
            return round(value)
        return float(f"{value:.3g}")

    def edge(self, value: Any) -> str | None:
        """Whether a value is the "lowest" or the "highest" one, or nearly; None if not, or if 0 bounds it anyway."""
        if self.values:
            numbers = sorted(one for one in self.values if isinstance(one, int | float) and not isinstance(one, bool))
            low, high = (numbers[0], numbers[-1]) if len(numbers) > 1 else (None, None)
            place = 0.0 if value == low else 1.0 if value == high else 0.5
        else:
            low, scale = self.low, math.log if self.log else float
            place = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        if place <= _EDGE and low != 0:
            return "lowest"
        return "highest" if place >= 1 - _EDGE else None


def read(file: str) -> dict[str, Range]:
    """Read a file of ranges, option by option.

    Raises:
        OptionError: if it is missing or malformed.
    """
    tree, _ = options.read_yaml(file, "ranges")
    if not isinstance(tree, dict) or not tree:
        raise OptionError("ranges", file, f"must name options, each with {_FORM}")
    return {str(option).replace("-", "_"): _range(f"ranges.{option}", value) for option, value in tree.items()}


def _range(name: str, value: Any) -> Range:
    if isinstance(value, list) and value:
        return Range(values=tuple(value))
    known = {field.name for field in fields(Range)} - {"values"}
    if not (isinstance(value, dict) and {"low", "high"} <= value.keys() <= known):
        raise OptionError(name, value, f"must be {_FORM}")
    numbers = [value["low"], value["high"]]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in numbers):
        raise OptionError(name, value, "must have finite numbers as low and high")
    log = value.get("log", False)
    if not isinstance(log, bool):
        raise OptionError(f"{name}.log", log, "must be true or false")
    if numbers[0] >= numbers[1] or (log and numbers[0] <= 0):
        raise OptionError(name, value, f"must have a low below its high{', and above 0 for log' * log}")
    return Range(numbers[0], numbers[1], log)


def usual(algorithm: Any) -> dict[str, Range]:
    """Ranges of the options that matter most, around the values of an algorithm that has them."""
    ranges: dict[str, Range] = {}
    for option, down, up in (("lr", 30, 100), ("sigma", 10, 10)):
        value = getattr(algorithm, option, None)
        if isinstance(value, float) and value > 0:
            ranges[f"algorithm.{option}"] = Range(value / down, value * up, log=True)
    if hasattr(algorithm, "weight_decay"):
        ranges["algorithm.weight_decay"] = Range(values=(0.0, 0.001, 0.003, 0.01, 0.03))
    if hasattr(getattr(algorithm, "estimator", None), "directions"):
        ranges["algorithm.estimator.directions"] = Range(values=(2, 4, 8, 16))
    return ranges


def draw(ranges: dict[str, Range], count: int, seed: int) -> list[Point]:
    """Candidates that cover the ranges evenly (Halton's sequence, scrambled by the seed), each once.

    Args:
        ranges: of each option.
        count: how many at most; fewer if the lists have fewer combinations.
        seed: of the sequence.
    """
    from scipy.stats import qmc

    from dfedsam.random import generator

    start = int(generator(seed, "search").integers(1 << 32))
    halton = qmc.Halton(len(ranges), seed=start)  # pyright: ignore[reportCallIssue]  (called rng since scipy 1.15)
    points: dict[str, Point] = {}
    for _ in range(20):
        for place in halton.random(count):
            point = {option: one.at(u) for (option, one), u in zip(ranges.items(), place.tolist(), strict=True)}
            points.setdefault(repr(point), point)
        if len(points) >= count:
            break
    return list(points.values())[:count]


def edges(ranges: dict[str, Range], best: Point) -> Sequence[str]:
    """A note for each option whose best value lies at the edge of its range."""
    return [
        f"the best {option}, {value}, is at the edge of its range ({side} tried): a better one may lie beyond"
        for option, value in best.items()
        if (side := ranges[option].edge(value))
    ]
