"""Errors about options that are unknown or lack a value; errors about values are plain OptionErrors."""

from __future__ import annotations

from collections.abc import Collection

from dfedsam.errors import OptionError
from dfedsam.registry import nearest


class UnknownOption(OptionError):
    """An unknown option.

    Args:
        option: its name.
        value: the known names.
        rule: the known name that was probably meant; computed if empty.
        hint: why the option does not exist, if known.
    """

    def __init__(self, option: str, value: Collection[str], rule: str = "", hint: str = "") -> None:
        super().__init__(option, value, rule or nearest(option, value) or "", hint)

    def __str__(self) -> str:
        head, dot, _ = self.option.rpartition(".")
        hint = self.hint or (f"did you mean --{head}{dot}{self.rule}?" if self.rule else "")
        known = ", ".join(self.value) or "none"
        return f"--{self.option} is not an option: there are {known}" + (f"; {hint}" if hint else "")


class MissingValue(OptionError):
    """An option without its value: the message is its name and the rule."""

    def __str__(self) -> str:
        return f"{self.option} {self.rule}"


class MissingOption(OptionError):
    """An option without a default that is not set; the hint says how to set it."""

    def __init__(self, option: str, value: object, rule: str = "", hint: str = "") -> None:
        super().__init__(option, value, rule, hint)

    def __str__(self) -> str:
        return f"{self.option} is missing: it has no default; {self.hint or f'give --{self.option} VALUE'}"
