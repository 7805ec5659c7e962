"""Checks of what a user gave: each raises a one-line ValueError with the option, the value, the rule and
what to do."""

import math
import operator
from collections.abc import Sequence

_ALIKE = "leave it out to make all alike"


def whole(name: str, value: object, low: int, hint: str = "") -> int:
    """Return `value` as an int; raise ValueError unless it is a whole number of at least `low`. `hint` says what to
    do."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # anything else is refused below
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < low:
        raise ValueError(message(name, value, f"must be a whole number of at least {low}", hint))
    return number


def share(name: str, value: object, hint: str, *, zero: bool = False) -> float:
    """Return `value` as a float; raise ValueError unless it lies in (0, 1], or in [0, 1] with `zero`."""
    number = _real(value)
    if not (0 < number <= 1 or (zero and number == 0)):
        low = "at least 0" if zero else "above 0"
        raise ValueError(message(name, value, f"must be {low} and at most 1", hint))
    return number


def positive(name: str, value: object, hint: str = "") -> float:
    """Return `value` as a float; raise ValueError unless it is a finite number above 0."""
    number = _real(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(message(name, value, "must be a finite number above 0", hint))
    return number


def shares_of_one(name: str, values: object, count: int, each: str) -> list[float]:
    """Return `values` as a list of `count` floats; raise ValueError unless they lie in [0, 1] and sum to 1. None makes
    them all alike. `each` says what each is the share of."""
    if values is None:
        return [1 / count] * count
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        raise ValueError(message(name, values, f"must be {count} numbers, one for each {each}", _ALIKE))
    shares = [share(name, value, "give numbers from 0 to 1", zero=True) for value in values]
    if abs(math.fsum(shares) - 1) > 1e-9:
        raise ValueError(message(name, list(values), f"must sum to 1, not to {math.fsum(shares):.10g}", _ALIKE))
    return shares


def message(name: str, value: object, rule: str, hint: str = "") -> str:
    """One line in the form all our errors have."""
    return f"{name} is {value}: it {rule}" + (f"; {hint}" if hint else "")


def _real(value: object) -> float:
    """`value` as a float, or nan, which no rule admits."""
    try:
        return math.nan if isinstance(value, (str, bool)) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
