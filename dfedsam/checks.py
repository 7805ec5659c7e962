"""Checks of what a user gave: each raises a ValueError that names the option, the value and the rule."""

import math
from collections.abc import Collection

from topologies.checks import message, positive, whole

__all__ = ["at_least", "between", "one_of", "positive", "whole"]


def at_least(name: str, value: float, low: float, hint: str = "") -> None:
    """Raise ValueError unless `value` is finite and at least `low`."""
    if not (math.isfinite(value) and value >= low):
        raise ValueError(message(name, value, f"must be finite and at least {low:g}", hint))


def between(name: str, value: float, low: float, high: float, hint: str = "", *, open_high: bool = False) -> None:
    """Raise ValueError unless low ≤ value ≤ high (value < high with `open_high`)."""
    inside = low <= value < high if open_high else low <= value <= high
    if not inside:
        rule = f"must be at least {low:g} and {'below' if open_high else 'at most'} {high:g}"
        raise ValueError(message(name, value, rule, hint))


def one_of(name: str, value: object, choices: Collection[object], hint: str = "") -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(message(name, value, f"must be one of {', '.join(map(str, choices))}", hint))
