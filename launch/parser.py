"""Converts trees to typed values: jsonargparse checks types, this module adds one-line errors and help."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, NoReturn

from jsonargparse import ArgumentParser, Namespace, set_loader, set_parsing_settings

from dfedsam.errors import OptionError
from dfedsam.launch import plain_yaml, trees
from dfedsam.launch.errors import MissingOption, MissingValue, UnknownOption

# jsonargparse imports only plug-ins that the registry has found; `trees.expand` decides about other packages.
set_parsing_settings(
    instantiate_subclass_spec_in_any=False, import_path_denylist=["*"], import_path_allowlist=["dfedsam"]
)
set_loader("yaml", plain_yaml.load, (ValueError,))

_WEIGHTLESS = "this topology has its own weights"
_DOTTED = "dotted"  # the parameter of a command that receives options with a dot
_LISTS = (list, tuple, typing.get_origin(typing.Sequence[int]))


class Parser(ArgumentParser):
    """jsonargparse's parser, with errors raised as OptionErrors that have the option's full name."""

    def parse_object(self, obj: Any, namespace: Namespace | None = None, **kwargs: Any) -> Namespace:  # type: ignore[override]
        """Convert values to their types; parsers of this class also parse the values of nested plug-ins.

        Args:
            obj: values by option, as text or as read from YAML.
            namespace: typed values of options that `obj` does not set; the others get their defaults.
            **kwargs: passed on.

        Raises:
            OptionError: if an option is unknown, missing, or has a value of the wrong type.
        """
        values = dict(vars(obj) if isinstance(obj, Namespace) else obj)
        actions = {action.dest: action for action in self._actions}
        for option, value in values.items():
            if option not in actions:
                known = [name for name in actions if name.rpartition(".")[2] != "help"]
                raise UnknownOption(option, known, hint=_WEIGHTLESS if option == "weights" else "")
            values[option] = _read(option, value, getattr(actions[option], "_typehint", None))
            if (
                trees.is_plugin_form(value)
                and "class_path" not in value
                and not _has_plugin(option, actions, namespace)
            ):
                rule = f"needs a name first: --{option} NAME; --{option}.help lists them"
                raise MissingValue(option, None, rule)
        try:
            return super().parse_object(values, namespace, **kwargs)
        except _BadValue as bad:
            hint = getattr(actions.get(bad.option), "_typehint", None)
            value = (vars(obj) if isinstance(obj, Namespace) else obj).get(bad.option)
            raise OptionError(bad.option, value, f"must be {in_words(hint)}") from bad

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Called where jsonargparse would exit. Only this method parses its messages, to find the option's name.

        Raises:
            OptionError: with the name that the option has in this parser.
        """
        option = re.match(r'Parser key "([^"]*)"', message)
        inner = ex
        while inner is not None and not isinstance(inner, OptionError):
            inner = inner.__cause__
        if inner is not None:
            raise inner.within(option[1] if option else "") from ex
        if option:
            raise _BadValue(option[1]) from ex
        missing = re.match(r"the following arguments are required: ([^,]*)", message)
        if missing:
            raise MissingOption(missing[1], None) from ex
        raise ValueError(" ".join(message.split())) from ex


class _BadValue(ValueError):
    def __init__(self, option: str) -> None:
        super().__init__(option)
        self.option = option


def in_words(hint: Any) -> str:
    """A type in words: "a whole number", "one of own, same or random", "a list of numbers"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union or origin is types.UnionType:
        kinds = sorted(
            (one for one in arguments if one is not type(None)), key=lambda one: typing.get_origin(one) is not Literal
        )
        return ", or ".join(dict.fromkeys(in_words(one) for one in kinds))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin in _LISTS:
        return _list_in_words(arguments)
    simple = {int: "a whole number", float: "a number", bool: "true or false", str: "text", dict: "a mapping"}
    return simple.get(origin or hint, f"a {getattr(hint, '__name__', hint)}")


def _list_in_words(arguments: tuple[Any, ...]) -> str:
    inner = typing.get_origin(arguments[0]) if arguments else None
    if inner in _LISTS:
        return "a list of lists, such as [[1, 2], [3, 4]]"
    names = {int: "a list of whole numbers, such as [1, 2]", float: "a list of numbers, such as [1, 2]"}
    return names.get(arguments[0] if arguments else None, "a list, such as [a, b]")


def _read(option: str, value: Any, hint: Any) -> Any:
    """Convert text for a type: `1, 2` becomes a list if the type is one, and numbers are decimal."""
    wanted = [typing.get_origin(one) or one for one in (hint, *typing.get_args(hint))]
    if isinstance(value, str) and set(wanted) <= {int, float, types.NoneType, types.UnionType, typing.Union}:
        loaded: Any = value
        with contextlib.suppress(ValueError):
            loaded = plain_yaml.load(value)
        if isinstance(loaded, str) and not value.isdigit():  # such as 1:30, which jsonargparse reads as 90
            raise OptionError(option, value, f"must be {in_words(hint)}")
    if isinstance(value, str) and str not in wanted and any(one in _LISTS for one in wanted):
        return value if value.lstrip().startswith("[") else f"[{value}]"
    return value


def _has_plugin(option: str, actions: dict[str, Any], namespace: Namespace | None) -> bool:
    return (namespace is not None and namespace.get(option) is not None) or actions[option].default is not None


def call(command: Callable[..., int], argv: list[str]) -> int:
    """Run a command with the options of a command line, typed by its signature.

    Args:
        command: a function whose docstring is its help. Positional parameters receive words that belong to no option; a
            parameter called "dotted" receives the options with a dot.
        argv: the command line.

    Raises:
        OptionError: for an option that is unknown, missing, or has a value of the wrong type.
    """
    parameters = inspect.signature(command).parameters
    hints = typing.get_type_hints(command, localns={"Pair": trees.Pair})
    flags = [name for name in parameters if hints[name] is bool]
    words, pairs = trees.split(["--help" if word == "-h" else word for word in argv], [*flags, "help"])
    for option, value in pairs:
        if option == "help":
            print(command_help(command))
            return 0
        if option.endswith(".help"):
            from dfedsam.launch import help

            print(help.plugin_help(option.removesuffix(".help"), value))
            return 0
    dotted = [pair for pair in pairs if "." in pair[0]] if _DOTTED in parameters else []
    values = {option: value for option, value in pairs if (option, value) not in dotted}
    tree = {option: True if value is None else value for option, value in values.items()}
    tree |= _by_position(command, words)
    try:
        with missing_values(values):
            typed = vars(command_parser(command).parse_object(tree))
    except MissingOption as error:
        if error.option != positional(command):
            raise
        raise MissingOption(error.option, None, hint=f"name it, as in `{_example(command)}`") from None
    return command(**typed, **({_DOTTED: tuple(dotted)} if _DOTTED in parameters else {}))


@contextlib.contextmanager
def missing_values(values: dict[str, str | None]) -> Iterator[None]:
    """Raise an error for an option without a value, unless it is a flag.

    Args:
        values: options with their values, None for options without one.
    """
    try:
        yield
    except OptionError as error:
        if error.value is True and values.get(error.option, "") is None:
            raise MissingValue(error.option, None, f"needs a value: --{error.option} VALUE") from None
        raise


def command_parser(command: Callable[..., Any]) -> Parser:
    """The parser of a command's options."""
    made = Parser(add_help=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_function_arguments(command, as_group=False, skip={_DOTTED})
    return made


def command_help(command: Callable[..., int]) -> str:
    """The help of a command, from its docstring."""
    made = command_parser(command)
    made.description, made.epilog = prose(command)
    first = positional(command)
    for action in made._actions:
        if action.dest == first:
            action.option_strings = []
            action.metavar = action.dest.upper()
        elif getattr(action, "_typehint", None) is bool:
            action.nargs, action.metavar = 0, None
    words = [] if first is None else [_usage(command, first)]
    made.usage = " ".join(["dfedsam", command.__name__, *words, "[--OPTION VALUE …]"])
    return made.format_help().rstrip()


def prose(command: Callable[..., int]) -> tuple[str, str]:
    """A command's docstring without its arguments: the text, and the examples."""
    doc = inspect.getdoc(command) or ""
    text, _, examples = doc.partition("\n\nExamples:\n")
    return text.partition("\n\nArgs:\n")[0], f"examples:\n{inspect.cleandoc(examples)}".replace("\n", "\n  ")


def choices(hint: Any) -> list[str]:
    """The values that a type allows, if there are few."""
    if hint is bool:
        return ["true", "false"]
    if typing.get_origin(hint) is Literal:
        return [str(value) for value in typing.get_args(hint)]
    return [value for one in typing.get_args(hint) for value in choices(one)]


def positional(command: Callable[..., int]) -> str | None:
    """The parameter that receives words that belong to no option."""
    first = next(iter(inspect.signature(command).parameters.values()), None)
    return first.name if first is not None and first.kind is first.POSITIONAL_OR_KEYWORD else None


def _by_position(command: Callable[..., int], words: list[str]) -> dict[str, Any]:
    name = positional(command)
    if not words:
        return {}
    if name is None:
        rule = "belongs to no option: options begin with --, and a value with blanks needs quotes"
        raise MissingValue(words[0], None, rule)
    if _takes_several(command, name):
        return {name: words}
    if len(words) > 1:
        raise OptionError(name, " ".join(words), "must be a single one", "a name with blanks needs quotes")
    return {name: words[0]}


def _takes_several(command: Callable[..., int], name: str) -> bool:
    return typing.get_origin(typing.get_type_hints(command, localns={"Pair": trees.Pair})[name]) is list


def _example(command: Callable[..., int]) -> str:
    return prose(command)[1].split("\n")[1].strip()


def _usage(command: Callable[..., int], name: str) -> str:
    return f"{name.upper()} [{name.upper()} …]" if _takes_several(command, name) else name.upper()
