"""Errors about options that are unknown or lack a value; errors about values are plain OptionErrors."""

from __future__ import annotations

import inspect
from collections.abc import Collection

from dfedsam.errors import OptionError
from dfedsam.registry import nearest, plugins


class UnknownOption(OptionError):
    """An unknown option.

    Args:
        option: its name.
        value: the known names.
        rule: the known name that was probably meant; computed if empty.
        hint: why the option does not exist, if known.
        file: the file it stands in; empty for the command line.
    """

    def __init__(self, option: str, value: Collection[str], rule: str = "", hint: str = "", file: str = "") -> None:
        super().__init__(option, value, rule or _owned(option, value) or nearest(option, value) or "", hint)
        self.file = file

    def __str__(self) -> str:
        head, dot, _ = self.option.rpartition(".")
        dashes = "" if self.file else "--"
        hint = self.hint or (f"did you mean {dashes}{head}{dot}{self.rule}?" if self.rule else "")
        known = ", ".join(self.value) or "none"
        where = f"{self.file}: " if self.file else ""
        return f"{where}{dashes}{self.option} is not an option: there are {known}" + (f"; {hint}" if hint else "")


def _owned(option: str, known: Collection[str]) -> str | None:
    """The full name of an option of a plug-in's that is named without it: algorithm.gossip for `gossip`."""
    for kind in ("algorithm", "objective"):
        if kind in known and any(option in inspect.signature(plugin).parameters for plugin in plugins(kind).values()):
            return f"{kind}.{option}"
    return None


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
