"""Errors about options that have no value to speak of; all others are plain OptionErrors."""

from __future__ import annotations

from collections.abc import Collection

from dfedsam.errors import OptionError
from dfedsam.registry import nearest


class UnknownOption(OptionError):
    """An option that is not there.

    Args:
        option: its name.
        value: the names that there are.
        rule: the one of them that was perhaps meant; found if it is empty.
        hint: why the option is not there, where that can be said.
    """

    def __init__(self, option: str, value: Collection[str], rule: str = "", hint: str = "") -> None:
        super().__init__(option, value, rule or nearest(option, value) or "", hint)

    def __str__(self) -> str:
        head, dot, _ = self.option.rpartition(".")
        hint = self.hint or (f"did you mean --{head}{dot}{self.rule}?" if self.rule else "")
        known = ", ".join(self.value) or "none"
        return f"--{self.option} is not an option: there are {known}" + (f"; {hint}" if hint else "")


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
