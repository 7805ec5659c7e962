"""Names as users write them: the same up to case, underscores, hyphens and blanks, and the nearest to a wrong one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection


def match_name(name: str, known: Collection[str]) -> str | None:
    """The one of `known` that is the same up to case, underscores, hyphens and blanks; None if there is none."""
    return {_normalize(one): one for one in known}.get(_normalize(name))


def nearest(name: str, known: Collection[str]) -> str | None:
    """The one of `known` most similar to `name`, for "did you mean"; None if none is similar."""
    names = {_normalize(one): one for one in known}
    close = difflib.get_close_matches(_normalize(name), names, n=1, cutoff=0.5)
    return names[close[0]] if close else None


def did_you_mean(name: object, known: Collection[str], words: str = "did you mean {}?") -> str:
    """The question after a wrong name, with the nearest of `known`; empty if none is similar, or it is no text."""
    guess = nearest(name, known) if isinstance(name, str) else None
    return words.format(guess) if guess else ""


def snake_case(name: str) -> str:
    """TwoPoint to two_point."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _normalize(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "_- ")
