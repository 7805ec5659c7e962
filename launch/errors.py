"""Errors about options that have no value to speak of; all others are plain OptionErrors."""

from __future__ import annotations

import inspect
from collections.abc import Collection

from dfedsam.errors import OptionError
from dfedsam.registry import nearest, plugins


class UnknownOption(OptionError):
    """An option that is not there.

    Args:
        option: its name.
        value: the names that there are.
        rule: the one of them that was perhaps meant; found if it is empty.
        hint: why the option is not there, where that can be said.
        file: where it stands; empty for the command line.
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
    """An option that is named without what it needs: the message is its name and the rule."""

    def __str__(self) -> str:
        return f"{self.option} {self.rule}"


class MissingOption(OptionError):
    """An option without a default that is not set; the hint says how to set it."""

    def __init__(self, option: str, value: object, rule: str = "", hint: str = "") -> None:
        super().__init__(option, value, rule, hint)

    def __str__(self) -> str:
        return f"{self.option} is missing: it has no default; {self.hint or f'give --{self.option} VALUE'}"
