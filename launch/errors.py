"""Errors about options that have no value to speak of; all others are plain OptionErrors."""

from __future__ import annotations

from collections.abc import Iterable

from dfedsam.errors import OptionError
from dfedsam.registry import nearest


class UnknownOption(OptionError):
    """An option that is not there.

    Args:
        option: its name.
        value: the names that there are.
        rule: unused.
        hint: why it is not there, if that can be said; otherwise the nearest name is.
    """

    def __init__(self, option: str, value: object, rule: str = "", hint: str = "") -> None:
        super().__init__(option, value, rule, hint)

    def __str__(self) -> str:
        known = list(self.value)
        head, dot, last = self.option.rpartition(".")
        guess = nearest(last, known)
        hint = self.hint or (f"did you mean --{head}{dot}{guess}?" if guess else "")
        return f"--{self.option} is not an option: there are {', '.join(known) or 'none'}" + (
            f"; {hint}" if hint else ""
        )


class MissingValue(OptionError):
    """An option that is named without what it needs: the message is its name and the rule."""

    def __str__(self) -> str:
        return f"{self.option} {self.rule}"


class MissingOption(OptionError):
    """An option without a default that is not set; the hint says how to set it."""

    def __init__(self, option: str, value: object, rule: str = "", hint: str = "") -> None:
        super().__init__(option, value, rule, hint)

    def __str__(self) -> str:
        return f"{self.option} is missing: it has no default; {self.hint or f'give --{self.option} VALUE'}"


def unknown_option(option: str, known: Iterable[str]) -> UnknownOption:
    """The error for an option that is not there."""
    return UnknownOption(option, list(known))
