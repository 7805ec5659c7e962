"""Options and their rules: a plug-in's dataclass is checked, field by field, when it is made.

    @dataclass(frozen=True, kw_only=True)
    class Heavy(Options):
        momentum: float = option(0.9, between, 0, 1, open_high=True)

A rule takes the option's name and value, and raises an OptionError with the option, the value, the rule and what to do.
A subclass that changes the default of a field keeps its rule. What several options must agree on is left to
`__post_init__`, which calls that of `super()` first. `describe` turns plug-ins into plain values for files.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from dfedsam import registry
from dfedsam.errors import OptionError, options_within
from dfedsam.names import did_you_mean

_RULE = "rule"
_EQUAL_SHARES = "omit it for equal shares"


def option(default: Any, rule: Callable[..., object], *limits: Any, **named: Any) -> Any:
    """A field with a default and a rule, called as `rule(name, value, *limits, **named)`; None may stay None."""

    def check(name: str, value: object) -> None:
        if value is not None or default is not None:
            rule(name, value, *limits, **named)

    return field(default=default, metadata={_RULE: check})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of options: names become the plug-ins that they mean (`make_named`), and each field obeys its rule.

    Attributes:
        cost_options: the options that change what a run costs, but not what it gives, such as a device.

    Raises:
        OptionError: for a value against its rule, or a name of no plug-in.
    """

    cost_options: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        make_named(self)
        for name, check in _checks(type(self)).items():
            check(name, getattr(self, name))


@cache
def _checks(kind: type) -> Mapping[str, Callable[[str, object], None]]:
    """The rule of each field that has one, from the nearest class that states it."""
    rules = {
        one.name: one.metadata[_RULE]
        for cls in reversed(kind.__mro__)
        for one in vars(cls).get("__dataclass_fields__", {}).values()
        if _RULE in one.metadata
    }
    return {one.name: rules[one.name] for one in fields(kind) if one.name in rules}


def make_named(plugin: Any) -> None:
    """Replace public names among the values of a frozen dataclass by the plug-ins they mean, with default options.

    Called first in `__post_init__`, so that `DFedSAM(estimator="two_point")` means what it means on the command line.

    Raises:
        OptionError: if there is no such plug-in, or a value is of another kind.
    """
    for one in fields(plugin):
        kind, value = registry.kind_of(one.name), getattr(plugin, one.name)
        if kind is None or registry.KINDS[kind].functions or (value is None and one.default is None):
            continue
        if isinstance(value, str):
            with options_within(one.name):
                object.__setattr__(plugin, one.name, registry.find(one.name, value)())
        elif not isinstance(value, registry.base_class(kind)):
            base = f"{registry.KINDS[kind].package}.{registry.KINDS[kind].base}"
            raise OptionError(one.name, value, f"must be a name, or an instance of a class derived from {base}")


def describe(value: Any) -> Any:
    """Convert a plug-in, and nested ones, to dicts, lists and plain values for YAML.

    A class of ours is named by its public name, a user's by its import path or entry point.
    """
    if is_dataclass(value) and not isinstance(value, type):
        arguments = {one.name: describe(getattr(value, one.name)) for one in fields(value)}
        return {"class_path": registry.public_name(value)} | ({"init_args": arguments} if arguments else {})
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {key: describe(item) for key, item in value.items()}
    return value


def only_results(description: Any, plugin: Any) -> Any:
    """A plug-in's description without its `cost_options`, and without those of plug-ins within it."""
    if not isinstance(description, dict):
        return description
    return {
        key: only_results(value, plugin if key == "init_args" else getattr(plugin, key, None))
        for key, value in description.items()
        if key not in getattr(plugin, "cost_options", ())
    }


def whole_number(option: str, value: object, least: int, hint: str = "", *, most: int | None = None) -> int:
    """Return `value` as an int; raise OptionError unless it is a whole number from `least` to `most`, if given."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # anything else is refused below
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise OptionError(option, value, f"must be a whole number of at least {least}", hint)
    if most is not None and number > most:
        raise OptionError(option, value, f"must be a whole number of at most {most:,}", hint)
    return number


def share(option: str, value: object, hint: str = "", *, zero: bool = False) -> float:
    """Return `value` as a float; raise OptionError unless it lies in (0, 1], or in [0, 1] with `zero`."""
    number = _real(value)
    if not (0 < number <= 1 or (zero and number == 0)):
        raise OptionError(option, value, f"must be {'at least' if zero else 'above'} 0 and at most 1", hint)
    return number


def positive(option: str, value: object, hint: str = "") -> float:
    """Return `value` as a float; raise OptionError unless it is a finite number above 0."""
    number = _real(value)
    if not (math.isfinite(number) and number > 0):
        raise OptionError(option, value, "must be a finite number above 0", hint)
    return number


def at_least(option: str, value: object, least: float, hint: str = "") -> float:
    """Return `value` as a float; raise OptionError unless it is finite and at least `least`."""
    number = _real(value)
    if not (math.isfinite(number) and number >= least):
        raise OptionError(option, value, f"must be finite and at least {least:g}", hint)
    return number


def between(option: str, value: object, low: float, high: float, hint: str = "", *, open_high: bool = False) -> float:
    """Return `value` as a float; raise OptionError unless low ≤ value ≤ high (value < high with `open_high`)."""
    number = _real(value)
    if not (low <= number < high if open_high else low <= number <= high):
        upper = f"below {high:g}" if open_high else f"at most {high:g}"
        raise OptionError(option, value, f"must be at least {low:g} and {upper}", hint)
    return number


def as_text(option: str, value: object) -> str:
    """A path as text, a list as its members separated by commas, and text itself; raise OptionError for others."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    if not isinstance(value, str):
        raise OptionError(option, f"a {type(value).__name__}", "must be text, such as the path of a file")
    return value


def share_or_file(option: str, value: object) -> None:
    """Raise OptionError unless `value` is a share, at least 0 and below 1, or a name that is not empty."""
    if not (isinstance(value, str) and value):
        between(option, value, 0, 1, "or name a file", open_high=True)


def one_of(option: str, value: object, choices: Collection[object], hint: str = "") -> None:
    """Raise OptionError unless `value` is one of `choices`."""
    if value not in choices:
        names = [choice for choice in choices if isinstance(choice, str)]
        rule = f"must be one of {', '.join(map(str, choices))}"
        raise OptionError(option, value, rule, hint or did_you_mean(value, names))


def as_probabilities(option: str, values: object, count: int, each: str) -> list[float]:
    """Return `values` as a list of `count` floats; raise OptionError unless they lie in [0, 1] and sum to 1.

    Args:
        option: name of the option.
        values: a sequence of numbers; None stands for equal shares.
        count: the required number of values.
        each: the item that each share belongs to, for the message.
    """
    if values is None:
        return [1 / count] * count
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        raise OptionError(option, values, f"must be {count} numbers, one for each {each}", _EQUAL_SHARES)
    shares = [share(option, value, "use numbers from 0 to 1", zero=True) for value in values]
    if abs(math.fsum(shares) - 1) > 1e-9:
        raise OptionError(option, list(values), f"must sum to 1, not to {math.fsum(shares):.10g}", _EQUAL_SHARES)
    return shares


def _real(value: object) -> float:
    """`value` as a float, or nan, which no rule admits."""
    try:
        return math.nan if isinstance(value, (str, bool)) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
