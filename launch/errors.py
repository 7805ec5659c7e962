"""One line for what a user got wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_TYPES = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "str": "text",
    "list": "a list, such as [1, 2]",
    "tuple": "a list, such as [1, 2]",
    "Sequence": "a list, such as [1, 2]",
    "lists": "a list of lists, such as [[1, 2], [3, 4]]",
    "dict": "a mapping, such as {1: 2}",
}
_LISTS = {"int": "a list of whole numbers", "float": "a list of numbers"}  # where a list holds something else


def unknown_option(option: str, known: Iterable[str]) -> ValueError:
    """The error for an option that is not there, with those that are and the nearest one."""
    head, dot, last = option.rpartition(".")
    known = list(known)
    nearest = difflib.get_close_matches(last, known, n=1, cutoff=0.5)
    guess = f"; did you mean --{head}{dot}{nearest[0]}?" if nearest else ""
    if last == "weights" and head.rpartition(".")[2] == "topology":
        guess = "; this one brings its own weights"
    return ValueError(f"--{option} is not an option: there are {', '.join(known) or 'none'}{guess}")


def plain(message: str) -> str:
    """A message of jsonargparse, which may go over many lines, as one line that names option, value and rule."""
    keys = re.findall(r'Parser key "([^"]*)"', message)
    option = ".".join(key for key in keys if key).replace(".init_args", "")
    inner = message.rpartition("Parser key")[2].partition(":")[2] if keys else message
    if re.match(r"\s*\S+ is .*: it must", inner):  # from an inner parser, one line already
        return f"{option}.{_line(inner)}" if option else _line(inner)
    missing = re.match(r"\s*the following arguments are required: (.*)", inner)
    if missing and option:
        return inside(option, f"arguments are required: {missing[1]}")
    if option and re.match(r"\s*\S+ is missing: it has no default", inner):  # so it is one level up
        return f"{option}.{_line(inner).replace('give --', f'give --{option}.')}"
    got = re.search(r".*(?:Got|Given) value: (.*)$", message, re.DOTALL)  # the last: the whole value
    classes = re.findall(r"Expected an? <class '(?:[\w.]+\.)?(\w+)'>", message)
    kinds = [str(kind) for kind in classes if kind != "NoneType"]
    if re.search(r"\b(list|Sequence)\[[\w.]*(list|Sequence)\[", message):
        kinds = ["lists"]
    choices = re.search(r"Literal\[([^\]]*)\]", message)
    if not (option and got and (kinds or choices)):
        return _line(f"{option}: {inner}" if option else inner)
    value = _line(got[1])
    if choices:
        rule = f"one of {choices[1]}".replace("'", "")
        rule += "".join(f", or {_TYPES[kind]}" for kind in kinds if kind in ("float", "int"))
    elif value.startswith("[") and kinds[0] in _LISTS:
        rule = _LISTS[kinds[0]]
    else:
        rule = " or ".join(_TYPES.get(kind, kind) for kind in kinds)
    return f"{option} is {value}: it must be {rule}"


def inside(option: str, message: str) -> str:
    """A message of `plain` about one of a plug-in's own options, with the plug-in's before it."""
    missing = re.search(r"arguments are required: (.*)$", message)
    if missing:
        first = missing[1].split(", ")[0]
        return f"{option}.{first} is missing: it has no default; give --{option}.{first} VALUE"
    return f"{option}.{message}"


def _line(text: str) -> str:
    return " ".join(text.split())
