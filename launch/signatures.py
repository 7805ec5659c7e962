"""What a signature says of its options, and the conversion of a single value to a type, by jsonargparse."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from jsonargparse import ArgumentParser, set_loader, set_parsing_settings

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.launch import plain_yaml
from dfedsam.names import did_you_mean, nearest

# jsonargparse itself imports nothing and constructs nothing: plug-ins come from the registry alone.
set_parsing_settings(instantiate_subclass_spec_in_any=False, import_path_denylist=["*"])
set_loader("yaml", plain_yaml.load, (ValueError,))

EMPTY = inspect.Parameter.empty
NO_VALUE: Any = object()
"""The value of an option that is named alone."""
_LISTS = {list, tuple, Sequence, Iterable}
_NUMBERS = {int, float, types.NoneType, types.UnionType, typing.Union}


class UnknownOption(OptionError):
    """An unknown option: the value is the known names, the rule the one that was probably meant (computed if empty).

    The hint is why it does not exist, if known; `file` the file that has it, empty for the command line.
    """

    def __init__(self, option: str, value: Collection[str], rule: str = "", hint: str = "", file: str = "") -> None:
        super().__init__(option, value, rule or _owned(option, value) or nearest(option, value) or "", hint)
        self.file = file

    def __str__(self) -> str:
        head, dot, _ = self.option.rpartition(".")
        dashes = "" if self.file else "--"
        hint = self.hint or (f"did you mean {dashes}{head}{dot}{self.rule}?" if self.rule else "")
        where = f"{self.file}: " if self.file else ""
        known = ", ".join(self.value) or "none"
        return f"{where}{dashes}{self.option} is not an option: there are {known}" + (f"; {hint}" if hint else "")


class MissingValue(OptionError):
    """An option that lacks its value, or must not have one: the message is its name and the rule."""

    def __init__(self, option: str, rule: str) -> None:
        super().__init__(option, None, rule)

    def __str__(self) -> str:
        return f"{self.option} {self.rule}"


@dataclass(frozen=True)
class Option:
    """One parameter of a signature: its type, and its default or EMPTY."""

    hint: Any
    default: Any


@cache
def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """The options of a function or a class: its parameters, without those that collect all others."""
    parameters = inspect.signature(function).parameters.values()
    hints: dict[str, Any] = {}
    if any(isinstance(one.annotation, str) for one in parameters):
        is_class = isinstance(function, type) and not dataclasses.is_dataclass(function)
        try:
            hints = typing.get_type_hints(function.__init__ if is_class else function)
        except Exception as error:  # an annotation is code too
            what = f"{registry.import_path(function)} must have annotations that can be read when it runs"
            raise ValueError(f"{what}, but {error}; import what they name without TYPE_CHECKING") from error
    return {
        one.name: Option(Any if one.annotation is EMPTY else hints.get(one.name, one.annotation), one.default)
        for one in parameters
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }


def plugin_options(kind: str, plugin: registry.Plugin) -> dict[str, Option]:
    """The options of a plug-in. The number of peers is the run's, and so is a seed that is not set."""
    if not registry.KINDS[kind].functions:
        return options_of(plugin)
    from dfedsam.topologies.make import parameters, rule_parameters

    signature = (parameters if kind == "topology" else rule_parameters)(plugin)
    options = {one.name: Option(one.annotation, one.default) for one in signature}
    return options | ({"seed": Option(int | None, None)} if "seed" in options else {})


def convert(name: str, value: Any, hint: Any) -> Any:
    """Convert a value, such as text of the command line, to a type. Raises OptionError if it has no such form."""
    inner, rule = typing.get_args(hint), f"must be {in_words(hint)}"
    wanted = {typing.get_origin(one) or one for one in (hint, *inner)}
    read = True if value is NO_VALUE else value
    if isinstance(value, str) and wanted <= _NUMBERS and not _is_number(value):
        raise OptionError(name, value, rule)
    if isinstance(value, str) and str not in wanted and wanted & _LISTS and not value.lstrip().startswith("["):
        either = {int, float} & set(inner) and typing.get_origin(hint) not in _LISTS  # a number, or a list
        read = value if either and "," not in value else f"[{value}]"
    try:
        return _parser(hint, repr(hint)).parse_object({"value": read})["value"]
    except argparse.ArgumentError as error:
        if value is NO_VALUE:
            raise MissingValue(name, f"needs a value: --{name} VALUE") from error
        words = any(isinstance(one, bool) for one in (value if isinstance(value, list) else [value])) and str in wanted
        quotes = "YAML reads no, off, yes and on as false and true; write such words in quotes" if words else ""
        raise OptionError(name, value, rule, quotes or _nearest_choice(value, hint)) from error


def _nearest_choice(value: Any, hint: Any) -> str:
    """The question after a wrong value of a type that lists words, about its first wrong word; may be empty."""
    words = _choices(hint)
    given = value.strip(" []").split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    wrong = (word for word in (one.strip() for one in given if isinstance(one, str)) if word not in words)
    return did_you_mean(next(wrong, None), words)


def _choices(hint: Any) -> list[str]:
    """The words that a type lists, also inside a list or beside another type."""
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return [one for one in inner if isinstance(one, str)]
    return [word for one in inner for word in _choices(one)]


def _is_number(text: str) -> bool:
    """Whether text is a number, or null, as YAML 1.2 reads it; jsonargparse also reads 1:30, as 90, and 0x10."""
    with contextlib.suppress(ValueError):
        return text.isdigit() or not isinstance(plain_yaml.load(text), str)
    return False


@cache
def _parser(hint: Any, _: str) -> ArgumentParser:
    """The parser of a type; str | Path equals Path | str, but as text they differ, and so do the values they give."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    return parser


def in_words(hint: Any) -> str:
    """A type in words: "a whole number", "one of own, same or random", "a list of numbers"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union or origin is types.UnionType:
        kinds = [one for one in arguments if one is not types.NoneType]
        kinds.sort(key=lambda one: typing.get_origin(one) is not Literal)
        return ", or ".join(dict.fromkeys(map(in_words, kinds)))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin in _LISTS:
        inner = arguments[0] if arguments else None
        if typing.get_origin(inner) is Literal:
            return f"a list of some of {', '.join(map(str, typing.get_args(inner)))}"
        if typing.get_origin(inner) in _LISTS:
            return "a list of lists, such as [[1, 2], [3, 4]]"
        numbers = {int: "whole numbers", float: "numbers"}.get(typing.cast(type, inner))
        return f"a list of {numbers}, such as [1, 2]" if numbers else "a list, such as [a, b]"
    simple = {int: "a whole number", float: "a number", bool: "true or false", str: "text", dict: "a mapping"}
    return simple.get(origin or hint, f"a {getattr(hint, '__name__', hint)}")


def metavar(hint: Any) -> str:
    """A type as help shows it beside an option: int, {own,same}, or float or {theory,tuned}."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return f"{{{','.join(map(str, inner))}}}"
    if origin is typing.Union or origin is types.UnionType:
        return " or ".join(metavar(one) for one in inner if one is not types.NoneType)
    if hint is bool:
        return "{true,false}"
    return "[…]" if origin else getattr(hint, "__name__", str(hint)).replace("Any", "VALUE")


def _owned(option: str, known: Collection[str]) -> str | None:
    """The full name of a plug-in's option that is named without it: algorithm.gossip for `gossip`."""
    kinds = [kind for kind in known if kind in registry.KINDS]
    inner = [f"{kind}.{name}" for kind in kinds for name in _names(kind) if name in registry.KINDS and name != kind]
    paths = (path for path in (*kinds, *inner) if option in _names(path.rpartition(".")[2]))
    return next((f"{path}.{option}" for path in paths), None)


def _names(kind: str) -> dict[str, None]:
    """The names of all options that plug-ins of a kind have."""
    return dict.fromkeys(name for one in registry.plugins(kind).values() for name in inspect.signature(one).parameters)
