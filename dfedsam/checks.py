"""Checks of what a user gave: each raises a ValueError that names the option, the value and the rule."""

import math
from collections.abc import Collection


def positive(name: str, value: float, hint: str = "") -> None:
    """Raise ValueError unless `value` is a finite number above 0; `hint` says what to do."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(_message(name, value, "must be a finite number above 0", hint))


def at_least(name: str, value: float, low: float, hint: str = "") -> None:
    """Raise ValueError unless `value` is finite and at least `low`."""
    if not (math.isfinite(value) and value >= low):
        raise ValueError(_message(name, value, f"must be finite and at least {low:g}", hint))


def between(name: str, value: float, low: float, high: float, hint: str = "", *, open_high: bool = False) -> None:
    """Raise ValueError unless low ≤ value ≤ high (value < high with `open_high`)."""
    inside = low <= value < high if open_high else low <= value <= high
    if not inside:
        rule = f"must be at least {low:g} and {'below' if open_high else 'at most'} {high:g}"
        raise ValueError(_message(name, value, rule, hint))


def one_of(name: str, value: object, choices: Collection[object], hint: str = "") -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(_message(name, value, f"must be one of {', '.join(map(str, choices))}", hint))


def _message(name: str, value: object, rule: str, hint: str) -> str:
    return f"{name} is {value}: it {rule}" + (f"; {hint}" if hint else "")
