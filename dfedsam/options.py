"""Options that say their own rules: a plug-in's dataclass is checked, field by field, when it is made.

    @dataclass(frozen=True, kw_only=True)
    class Heavy(Options):
        momentum: float = option(0.9, between, 0, 1, open_high=True)

Rules are those of `dfedsam.validation`. A subclass that changes the default of a field keeps its rule. What several
options must agree on is left to `__post_init__`, which calls that of `super()` first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from dfedsam.registry import make_named

_RULE = "rule"


def option(default: Any, rule: Callable[..., object], *limits: Any, **named: Any) -> Any:
    """A field with a default and a rule, called as `rule(name, value, *limits, **named)`; None may stay None."""

    def check(name: str, value: object) -> None:
        if value is not None or default is not None:
            rule(name, value, *limits, **named)

    return field(default=default, metadata={_RULE: check})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of options: names become the plug-ins that they mean (`make_named`), and each field obeys its rule.

    Raises:
        OptionError: for a value against its rule, or a name of no plug-in.
    """

    def __post_init__(self) -> None:
        make_named(self)
        for name, check in _checks(type(self)).items():
            check(name, getattr(self, name))


@cache
def _checks(kind: type) -> Mapping[str, Callable[[str, object], None]]:
    """The rule of each field that has one, from the nearest class that states it."""
    found = {
        one.name: one.metadata[_RULE]
        for cls in reversed(kind.__mro__)
        for one in vars(cls).get("__dataclass_fields__", {}).values()
        if _RULE in one.metadata
    }
    return {one.name: found[one.name] for one in fields(kind) if one.name in found}
