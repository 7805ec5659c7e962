"""From a command line or a file to typed arguments, for commands, experiments and plug-ins alike.

A tree has values by option: `--algorithm dpsgd --algorithm.lr 0.1` is {"algorithm": {"class_path": "dpsgd",
"init_args": {"lr": "0.1"}}}. `expand` looks its plug-ins up in the registry, `over` puts one tree over another, and
`bind` checks names, converts values to the types of a signature, and constructs plug-ins.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterable
from typing import Any

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.launch import plain_yaml
from dfedsam.launch.signatures import (
    EMPTY,
    NO_VALUE,
    MissingValue,
    Option,
    UnknownOption,
    convert,
    options_of,
    plugin_options,
)

Tree = dict[str, Any]
Pair = tuple[str, str | None]  # an option's name without dashes, and its value, if any
_OFF = ("none", "null")  # names for no plug-in, where that is allowed
_PLUGIN_KEYS = {"class_path", "init_args"}
NO_OPTION = "belongs to no option: options begin with --, and a value with blanks needs quotes"
_FORM = "must be a name, or have a class_path and optional init_args"
_IN_LIST = "[ring, {class_path: random_regular, init_args: {degree: 4}}]"


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
    return NO_VALUE if text is None else text


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
    named = form.get("class_path") or (registry.KINDS[kind].usual if default is None else "")
    if not named and (default is None or default is EMPTY):
        raise MissingValue(name, f"needs a name first: --{name} NAME; --{name}.help lists them")
    cls = registry.find(name, named, kind=kind) if named else type(default)
    options, kept = options_of(cls), _chosen(default)
    for key in form.get("init_args", {}):
        if key not in options and key in (refused := getattr(cls, "refused_options", {})):
            raise UnknownOption(key, list(options), hint=refused[key]).within(name)
    if cls is type(default):  # an option need not have its class's default
        options = {key: Option(one.hint, getattr(default, key)) for key, one in options.items()}
    values = bind(options, form.get("init_args", {}), name)
    values = {key: value for key, value in kept.items() if key in options} | values
    try:
        return cls(**values)
    except OptionError as error:
        raise error.within(name) from error
    except ValueError as error:  # from a plug-in that raises no OptionError
        raise ValueError(f"{name}.{error}") from error


def _chosen(default: Any) -> dict[str, Any]:
    """The options in which a default differs from its class's: another plug-in in its place keeps those that it has."""
    if not dataclasses.is_dataclass(default):
        return {}
    usual = {key: one.default for key, one in options_of(type(default)).items()}
    return {key: getattr(default, key) for key, value in usual.items() if getattr(default, key) != value}


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
