"""Options by signatures: the one mechanism behind commands, experiments and plug-ins.

A command line or a file is a tree of values by option: `--algorithm dpsgd --algorithm.lr 0.1` is {"algorithm":
{"class_path": "dpsgd", "init_args": {"lr": "0.1"}}}. `expand` looks its plug-ins up in the registry, `over` puts one
tree over another, and `bind` checks names, builds plug-ins and converts values to the types of a signature. A single
value is converted by jsonargparse.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

from jsonargparse import ArgumentParser, set_loader, set_parsing_settings

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.launch import plain_yaml

# jsonargparse itself imports nothing and constructs nothing: plug-ins come from the registry alone.
set_parsing_settings(instantiate_subclass_spec_in_any=False, import_path_denylist=["*"])
set_loader("yaml", plain_yaml.load, (ValueError,))

Tree = dict[str, Any]
Pair = tuple[str, str | None]  # an option's name without dashes, and its value, if any
EMPTY = inspect.Parameter.empty
_NO_VALUE: Any = object()  # the value of an option that is named alone
_OFF = ("none", "null")  # names for no plug-in, where that is allowed
_PLUGIN_KEYS = {"class_path", "init_args"}
NO_OPTION = "belongs to no option: options begin with --, and a value with blanks needs quotes"
_FORM = "must be a name, or have a class_path and optional init_args"
_LISTS = (list, tuple, typing.get_origin(typing.Sequence[int]), typing.get_origin(typing.Iterable[int]))
_IN_LIST = "[ring, {class_path: random_regular, init_args: {degree: 4}}]"


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
        super().__init__(option, value, rule or _owned(option, value) or registry.nearest(option, value) or "", hint)
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
        hints = typing.get_type_hints(function.__init__ if is_class else function)
    return {
        one.name: Option(Any if one.annotation is EMPTY else hints.get(one.name, one.annotation), one.default)
        for one in parameters
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }


def signature_of(kind: str, plugin: registry.Plugin) -> Callable[..., Any]:
    """What has a plug-in's options as parameters: a class itself; for a topology or a weight rule its factory."""
    plugin = getattr(plugin, "func", plugin)  # a file's name is a partial of its reader
    return _factory(kind, registry.public_name(plugin)) if registry.KINDS[kind].functions else plugin


@cache
def _factory(kind: str, name: str) -> Callable[..., Any]:
    from dfedsam.topologies.factories import factory, weight_factory

    return (factory if kind == "topology" else weight_factory)(name)


def plugin_options(kind: str, plugin: registry.Plugin) -> dict[str, Option]:
    """The options of a plug-in. The number of peers is the run's, and so is a seed that is not set."""
    options = options_of(signature_of(kind, plugin))
    if not registry.KINDS[kind].functions:
        return options
    return {key: Option(int | None, None) if key == "seed" else one for key, one in options.items() if key != "n"}


def split(argv: Iterable[str], flags: Collection[str] = ()) -> tuple[list[str], list[Pair]]:
    """Split a command line into words that belong to no option, and options.

    `--a.b-c 3`, `--a.b-c=3` and a bare `--a` become ("a.b_c", "3") and ("a", None).

    Args:
        argv: the command line.
        flags: options that take no value.
    """
    words: list[str] = []
    found: list[Pair] = []
    waiting = False
    for word in argv:
        if word.startswith("--"):
            option, equals, value = word[2:].partition("=")
            found.append((option.replace("-", "_"), value if equals else None))
            waiting = not equals and found[-1][0] not in flags
        elif waiting:
            found[-1] = (found[-1][0], word)
            waiting = False
        else:
            words.append("--help" if word == "-h" else word)
    return words, found


def as_tree(pairs: Iterable[Pair]) -> Tree:
    """Merge options into one tree, in any order.

    Raises:
        OptionError: if an option has options but is no plug-in, or a plug-in's text is invalid YAML.
    """
    tree: Tree = {}
    paths = [([part for part in option.split(".") if part not in _PLUGIN_KEYS], value) for option, value in pairs]
    for path, value in sorted(paths, key=lambda pair: len(pair[0])):
        place = tree
        for number, head in enumerate(path[:-1]):
            here = ".".join(path[: number + 1])
            if registry.list_kind(head):
                raise MissingValue(here, f"is a list: set the options of its plug-ins inside it, as in {_IN_LIST}")
            if not registry.kind_of(head):
                raise UnknownOption(".".join(path), [])
            place = place.setdefault(head, {}).setdefault("init_args", {})
            if not isinstance(place, dict):
                raise OptionError(f"{here}.init_args", place, "must be options by name, such as {steps: 4}")
        if path:
            named = registry.kind_of(path[-1]) is not None
            place[path[-1]] = _typed_name(".".join(path), value) if named else value_of(value)
    return tree


def value_of(text: str | None) -> Any:
    """The value in a tree of an option with this text; None is that of an option named alone."""
    return _NO_VALUE if text is None else text


def _typed_name(option: str, value: str | None) -> Tree:
    """The long form of a plug-in that is typed as a name or as YAML."""
    if value is None:
        raise MissingValue(option, f"needs a value: --{option} NAME")
    if not value.lstrip().startswith("{"):
        return {"class_path": value}
    try:
        form = plain_yaml.load(value)
    except ValueError as error:
        raise OptionError(option, value, f"must be YAML, but: {error}") from None
    if not is_plugin_form(form) or not isinstance(form.get("class_path", ""), str):
        raise OptionError(option, form, _FORM)
    return form


def is_plugin_form(value: Any) -> bool:
    """Whether a value has the form of a plug-in in a file: a class_path, init_args, or both."""
    return isinstance(value, dict) and bool(value) and set(value) <= _PLUGIN_KEYS


def expand_all(tree: Tree, *, code: bool) -> Tree:
    """A whole experiment with all its values expanded."""
    return {option: expand(option, value, code=code) for option, value in tree.items()}


def expand(option: str, value: Any, *, code: bool) -> Any:
    """Expand every plug-in in a value to {"class_path": its public name or import path, "init_args": {…}}.

    Args:
        option: the option that has this value.
        value: plain values; plug-ins in any form.
        code: whether import paths may be imported; what `expand` returns may always be.

    Raises:
        OptionError: if a plug-in is unknown, or its options are not given by name.
    """
    kind, listed = registry.kind_of(option), registry.list_kind(option)
    if listed is not None:
        return [expand(_item(option), one, code=code) for one in _items(option, value)]
    return value if kind is None or value is None else _expand_plugin(option, kind, value, code)


def _expand_plugin(option: str, kind: str, value: Any, code: bool) -> Tree | None:
    form = {"class_path": value} if isinstance(value, str) else value
    if not is_plugin_form(form):
        raise OptionError(option, form, _FORM)
    options, expanded = form.get("init_args") or {}, {}
    if not isinstance(options, dict):
        raise OptionError(f"{option}.init_args", options, "must be options by name, such as {steps: 4}")
    if "class_path" in form:
        name = form["class_path"]
        if not isinstance(name, str):
            raise OptionError(f"{option}.class_path", name, "must be a name, or an import path")
        if name.lower() in _OFF:
            if options:
                raise MissingValue(f"{option}.{next(iter(options))}", f"cannot be set, because {option} is none")
            return None
        plugin = registry.find(option, name, kind=kind, code=code)
        if getattr(plugin, "runs_code", False) and not code:
            rule = "must not be in an untrusted file, because it runs the code that its options name"
            raise OptionError(option, name, rule, "if you trust the file, add --allow-code")
        expanded = {"class_path": registry.public_name(getattr(plugin, "func", plugin))}
        options = getattr(plugin, "keywords", {}) | options
    known = {str(key).replace("-", "_"): item for key, item in options.items()}
    return expanded | {"init_args": {key: expand(f"{option}.{key}", item, code=code) for key, item in known.items()}}


def over(option: str, old: Any, new: Any) -> Any:
    """Put one expanded value over another: if a plug-in replaces another, options of both keep their values."""
    if not (is_plugin_form(old) and is_plugin_form(new)):
        return new
    name, kept = new.get("class_path", old.get("class_path")), old.get("init_args", {})
    if name != old.get("class_path"):
        kind = registry.kind_of(option) or ""
        known = plugin_options(kind, registry.find(option, name))
        kept = {key: value for key, value in kept.items() if key in known}
    merged = {key: over(f"{option}.{key}", kept.get(key), value) for key, value in new.get("init_args", {}).items()}
    return ({} if name is None else {"class_path": name}) | {"init_args": kept | merged}


def bind(options: dict[str, Option], tree: Tree, within: str = "") -> dict[str, Any]:
    """Typed values of the options that a tree sets, with its plug-ins constructed.

    A topology or a weight rule becomes {"class_path": public name, "init_args": {…}}, with its defaults: building it
    takes the number of peers.

    Args:
        options: the options that there are.
        tree: expanded values.
        within: the option whose plug-in has these options; empty for a command or an experiment.

    Raises:
        OptionError: if an option is unknown, missing, or has an invalid value.
    """
    prefix = f"{within}." if within else ""
    for key in tree:
        if key not in options:
            hint = "this topology has its own weights" if key == "weights" else ""
            raise UnknownOption(key, list(options), hint=hint).within(within)
    for key, option in options.items():
        if option.default is EMPTY and key not in tree:
            name = f"{prefix}{key}"
            raise MissingValue(name, f"is missing: it has no default; give --{name} VALUE")
    return {key: _typed(f"{prefix}{key}", tree[key], one) for key, one in options.items() if key in tree}


def _typed(name: str, value: Any, option: Option) -> Any:
    kind, listed = registry.kind_of(name), registry.list_kind(name)
    if kind is not None and is_plugin_form(value):
        return _plugin(name, kind, value, option.default)
    if listed is not None:
        return [_plugin(_item(name), listed, one, EMPTY) for one in value]
    return value if kind is not None and value is None else convert(name, value, option.hint)


def _plugin(name: str, kind: str, form: Tree, default: Any) -> Any:
    """Construct the plug-in of an expanded form; without a name in it, the default with these options."""
    if registry.KINDS[kind].functions:
        return _function(name, kind, form, default)
    if "class_path" not in form and (default is None or default is EMPTY):
        raise MissingValue(name, f"needs a name first: --{name} NAME; --{name}.help lists them")
    cls = registry.find(name, form["class_path"], kind=kind) if "class_path" in form else type(default)
    is_default = cls is type(default)
    make = partial(dataclasses.replace, default) if is_default else cls
    options = options_of(cls)
    if is_default:  # its options need not be those of its class
        options = {key: Option(one.hint, getattr(default, key)) for key, one in options.items()}
    values = bind(options, form.get("init_args", {}), name)
    try:
        return make(**values)
    except OptionError as error:
        raise error.within(name) from error
    except ValueError as error:  # from a plug-in that raises no OptionError
        raise ValueError(f"{name}.{error}") from error


def _function(name: str, kind: str, form: Tree, default: Any) -> Tree:
    if default is not None and default is not EMPTY:
        form = over(name, expand(name, default, code=True), form)
    if "class_path" not in form:
        raise MissingValue(name, f"needs a name first: --{name} NAME; --{name}.help lists them")
    plugin = registry.find(name, form["class_path"], kind=kind)
    options = plugin_options(kind, plugin)
    values = bind(options, form.get("init_args", {}), name)
    for key, option in options.items():
        if key not in values and option.default not in (None, EMPTY):
            expanded = expand(f"{name}.{key}", option.default, code=True)
            values[key] = _typed(f"{name}.{key}", expanded, option) if registry.kind_of(key) else option.default
    written = {key: values[key] for key in options if values.get(key) is not None}
    return {"class_path": registry.public_name(getattr(plugin, "func", plugin)), "init_args": written}


def convert(name: str, value: Any, hint: Any) -> Any:
    """Convert a value, such as text of the command line, to a type.

    Raises:
        OptionError: if it has no such form.
    """
    read = True if value is _NO_VALUE else value
    wanted = {typing.get_origin(one) or one for one in (hint, *typing.get_args(hint))}
    if isinstance(value, str) and wanted <= {int, float, types.NoneType, types.UnionType, typing.Union}:
        loaded: Any = value
        with contextlib.suppress(ValueError):
            loaded = plain_yaml.load(value)
        if isinstance(loaded, str) and not value.isdigit():  # such as 1:30, which jsonargparse reads as 90
            raise OptionError(name, value, f"must be {in_words(hint)}")
    if isinstance(value, str) and str not in wanted and wanted & set(_LISTS) and not value.lstrip().startswith("["):
        read = f"[{value}]"
    try:
        return _parser(hint).parse_object({"value": read})["value"]
    except argparse.ArgumentError as error:
        if value is _NO_VALUE:
            raise MissingValue(name, f"needs a value: --{name} VALUE") from error
        raise OptionError(name, value, f"must be {in_words(hint)}") from error


@cache
def _parser(hint: Any) -> ArgumentParser:
    made = ArgumentParser(exit_on_error=False)
    made.add_argument("--value", type=hint)
    return made


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
        if typing.get_origin(inner) in _LISTS:
            return "a list of lists, such as [[1, 2], [3, 4]]"
        numbers = {int: "whole numbers", float: "numbers"}.get(typing.cast(type, inner))
        return f"a list of {numbers}, such as [1, 2]" if numbers else "a list, such as [a, b]"
    simple = {int: "a whole number", float: "a number", bool: "true or false", str: "text", dict: "a mapping"}
    return simple.get(origin or hint, f"a {getattr(hint, '__name__', hint)}")


def _item(option: str) -> str:
    """The option of one item of a list: `topology.topology` for `topology.topologies`."""
    return f"{option.rpartition('.')[0]}.{registry.list_kind(option)}".lstrip(".")


def _items(option: str, value: Any) -> list[Any]:
    """A list from YAML, or from text: `[ring, grid]` or `ring, grid`."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # the error is raised below
            value = plain_yaml.load(value if value.lstrip().startswith("[") else f"[{value}]")
    if not (isinstance(value, list) and value and all(isinstance(item, (str, dict)) for item in value)):
        raise OptionError(option, value, "must be a list of names, such as [ring, grid]")
    return value


def _owned(option: str, known: Collection[str]) -> str | None:
    """The full name of a plug-in's option that is named without it: algorithm.gossip for `gossip`."""
    for kind in known:
        if kind in registry.KINDS and kind != "topology":
            plugins = registry.plugins(kind).values()
            if any(option in inspect.signature(plugin).parameters for plugin in plugins):
                return f"{kind}.{option}"
    return None
