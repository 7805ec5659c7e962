"""The kinds of errors: bad input, found before anything is written, and a run that cannot continue.

All are structured and formatted only here. The command line prints them in one line.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


class OptionError(ValueError):
    """A bad value of an option.

    Args:
        option: name of the option, with the options that lead to it: "algorithm.estimator.mu".
        value: its value.
        rule: the requirement, after "it": "must be a whole number of at least 1".
        hint: what to do instead; empty if the rule says it.

    The message is "option is value: it rule; hint".
    """

    def __init__(self, option: str, value: Any, rule: str, hint: str = "") -> None:
        super().__init__(option, value, rule, hint)
        self.option, self.value, self.rule, self.hint = option, value, rule, hint

    def __str__(self) -> str:
        value = "empty" if self.value == "" else self.value
        return f"{self.option} is {value}: it {self.rule}" + (f"; {self.hint}" if self.hint else "")

    def within(self, option: str) -> OptionError:
        """The same error with its option's full name: `mu` within `algorithm.estimator`; within "" as it is."""
        if not option:
            return self
        return type(self)(f"{option}.{self.option}", self.value, self.rule, self.hint).with_traceback(
            self.__traceback__
        )


@contextmanager
def options_within(option: str) -> Generator[None, None, None]:
    """Give options in errors their full names: within "algorithm", `gossip` becomes `algorithm.gossip`."""
    try:
        yield
    except OptionError as error:
        raise error.within(option) from None


class RunError(RuntimeError):
    """A run that cannot continue.

    Args:
        message: what happened, and what usually helps.
        phase: what the peers were doing: "local step 2", "gossip choco", "evaluation"; None if unknown.
        round: 0-based round; None outside the rounds.
        peers: the affected peers, in words (`dfedsam.peers.format_peers`); None for all.

    The message begins with round, phase and peers, if known.
    """

    def __init__(
        self, message: str, *, phase: str | None = None, round: int | None = None, peers: str | None = None
    ) -> None:
        super().__init__(message)
        self.phase, self.round, self.peers = phase, round, peers

    def __str__(self) -> str:
        where = [f"round {self.round}" if self.round is not None else None, self.phase, self.peers]
        known = ", ".join(part for part in where if part is not None)
        return f"{known}: {super().__str__()}" if known else super().__str__()


class BudgetExceeded(RunError):
    """A query beyond the budget of the black box; it was not sent."""


class FileError(ValueError):
    """A file that cannot be read or written, or has invalid content.

    Args:
        path: the file.
        problem: the problem, after "it": "is cut short".
        hint: what to do; empty if the problem says it.
        line: 1-based number of the faulty line; None for the whole file.

    The message is "path, line 3: problem; hint".
    """

    def __init__(self, path: object, problem: str, hint: str = "", line: int | None = None) -> None:
        super().__init__(path, problem, hint, line)
        self.path, self.problem, self.hint, self.line = path, problem, hint, line

    def __str__(self) -> str:
        where = str(self.path) if self.line is None else f"{self.path}, line {self.line}"
        return f"{where}: {self.problem}" + (f"; {self.hint}" if self.hint else "")


def one_line(error: BaseException) -> str:
    """An error's message in one line; the name of its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: BaseException, most: int = 400) -> str:
    """The first line of an error's message, of so many letters at most: libraries add pages of advice."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]


def reason(error: Exception) -> str:
    """An error in one line; one of the file system with its path, where it has one, and what to do."""
    if not isinstance(error, OSError):
        return one_line(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; fix the path, or free some space"
