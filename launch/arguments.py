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
from dfedsam.names import nearest

Tree = dict[str, Any]
Pair = tuple[str, str | None]  # an option's name without dashes, and its value, if any
NO_OPTION = "belongs to no option: options begin with --, and a value with spaces needs quotes"
_OFF = ("none", "null")  # names for no plug-in, where that is allowed
_PLUGIN_KEYS = {"class_path", "init_args"}
_IN_LIST = "[ring, {class_path: random_regular, init_args: {degree: 4}}]"


def split(argv: Iterable[str], flags: Collection[str] = ()) -> tuple[list[str], list[Pair]]:
    """Split a command line into words that belong to no option, and options.

    `--a.b-c 3`, `--a.b-c=3` and a bare `--a` become ("a.b_c", "3") and ("a", None). Flags take no value.
    """
    words: list[str] = []
    pairs: list[Pair] = []
    waiting = False
    for word in argv:
        if word.startswith("--") or (word == "-h" and not waiting):
            option, equals, value = ("help", "", "") if word == "-h" else word[2:].partition("=")
            pairs.append((option.replace("-", "_"), value if equals else None))
            waiting = not equals and pairs[-1][0] not in flags
        elif waiting:
            pairs[-1] = (pairs[-1][0], word)
            waiting = False
        else:
            words.append(word)
    return words, pairs


def as_tree(pairs: Iterable[Pair]) -> Tree:
    """Merge options into one tree, in any order.

    Raises:
        OptionError: if an option has options but is no plug-in, or a plug-in's text has no such form.
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
                guess = nearest(head, registry.KINDS)
                meant = ".".join([*path[:number], guess, *path[number + 1 :]]) if guess else ""
                hint = f"did you mean --{meant}?" if guess else f"{here} is no plug-in with options of its own"
                raise MissingValue(f"--{'.'.join(path)}", f"is not an option: {hint}")
            place[head] = _form(here, place.get(head, {"init_args": {}}))
            place = place[head]["init_args"]
        if path:
            named = registry.kind_of(path[-1]) is not None
            place[path[-1]] = _form(".".join(path), value_of(value)) if named else value_of(value)
    return tree


def value_of(text: str | None) -> Any:
    """The value in a tree of an option with this text; None is that of an option named alone."""
    return NO_VALUE if text is None else text


def _form(option: str, value: Any) -> Tree:
    """A plug-in's name, or its long form as text or as plain values, as {"class_path": name, "init_args": options}."""
    if value is NO_VALUE:
        raise MissingValue(option, f"needs a value: --{option} NAME")
    form = {"class_path": value} if isinstance(value, str) else value
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            form = plain_yaml.load(value)
        except ValueError as error:
            raise OptionError(option, value, f"must be YAML, but: {error}") from None
    if not is_plugin_form(form):
        raise OptionError(option, form, "must be a name, or have a class_path and optional init_args")
    if not isinstance(form.get("class_path", ""), str):
        raise OptionError(f"{option}.class_path", form["class_path"], "must be a name, or an import path")
    options = form.get("init_args") or {}
    if not isinstance(options, dict):
        raise OptionError(f"{option}.init_args", options, "must be options by name, such as {steps: 4}")
    return form | {"init_args": {str(key).replace("-", "_"): item for key, item in options.items()}}


def is_plugin_form(value: Any) -> bool:
    """Whether a value has the form of a plug-in in a file: a class_path, init_args, or both."""
    return isinstance(value, dict) and bool(value) and set(value) <= _PLUGIN_KEYS


def expand_all(tree: Tree, *, code: bool) -> Tree:
    """A whole experiment with all its values expanded."""
    return {option: expand(option, value, code=code) for option, value in tree.items()}


def expand(option: str, value: Any, *, code: bool) -> Any:
    """Expand every plug-in in an option's plain value to {"class_path": public name or import path, "init_args": {…}}.

    `code` is whether import paths may be imported; what `expand` returns may always be.

    Raises:
        OptionError: if a plug-in is unknown, or its options are not given by name.
    """
    kind, listed = registry.kind_of(option), registry.list_kind(option)
    if listed is not None:
        return [expand(item(option), one, code=code) for one in _items(option, value)]
    if kind is None or value is None:
        return value
    form = _form(option, value)
    options, expanded = form["init_args"], {}
    if "class_path" in form:
        name = form["class_path"]
        if name.lower() in _OFF:
            if options:
                raise MissingValue(f"{option}.{next(iter(options))}", f"cannot be set, because {option} is none")
            return None
        plugin = registry.find(option, name, kind=kind, code=code)
        if getattr(plugin, "runs_code", False) and not code:
            rule = "must not be in an untrusted file, because it runs the code that its options name"
            raise OptionError(option, name, rule, "if you trust the file, add --allow-code")
        expanded = {"class_path": registry.public_name(plugin)}
        options = getattr(plugin, "keywords", {}) | options
    return expanded | {"init_args": {key: expand(f"{option}.{key}", item, code=code) for key, item in options.items()}}


def over(option: str, old: Any, new: Any) -> Any:
    """Put one expanded value over another: if a plug-in replaces another, options of both keep their values."""
    if not (is_plugin_form(old) and is_plugin_form(new)):
        return new
    name, kept = new.get("class_path", old.get("class_path")), old["init_args"]
    if name != old.get("class_path"):
        known = plugin_options(registry.kind_of(option) or "", registry.find(option, name))
        kept = {key: value for key, value in kept.items() if key in known}
    merged = {key: over(f"{option}.{key}", kept.get(key), value) for key, value in new["init_args"].items()}
    return ({} if name is None else {"class_path": name}) | {"init_args": kept | merged}


def bind(options: dict[str, Option], tree: Tree, within: str = "") -> dict[str, Any]:
    """Typed values of the options that a tree sets, with its plug-ins constructed.

    A topology or a weight rule becomes {"class_path": public name, "init_args": {…}}, with its defaults: building it
    takes the number of peers. `within` is the option whose plug-in has these options; empty for a command or an
    experiment.

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
        return [_plugin(item(name), listed, one, EMPTY) for one in value]
    return value if kind is not None and value is None else convert(name, value, option.hint)


def _plugin(name: str, kind: str, form: Tree, default: Any) -> Any:
    """Construct the plug-in of an expanded form; without a name in it, the default with these options."""
    where, has_default = registry.KINDS[kind], default not in (None, EMPTY)
    if where.functions and has_default:
        form = over(name, expand(name, default, code=True), form)
    named = form.get("class_path") or (where.usual if default is None else "")
    if not named and not has_default:
        raise MissingValue(name, f"needs a name first: --{name} NAME; --{name}.help lists them")
    plugin: Any = registry.find(name, named, kind=kind) if named else type(default)
    if not where.functions:
        return _constructed(name, plugin, form["init_args"], default)
    options = plugin_options(kind, plugin)
    usual = {key: one.default for key, one in options.items() if one.default not in (None, EMPTY)}
    plugins = expand_all({key: value for key, value in usual.items() if registry.kind_of(key)}, code=True)
    values = usual | bind(options, plugins | form["init_args"], name)
    written = {key: values[key] for key in options if values.get(key) is not None}
    return {"class_path": registry.public_name(plugin), "init_args": written}


def _constructed(name: str, cls: Any, chosen: Tree, default: Any) -> Any:
    options, kept = options_of(cls), {}
    for key in chosen:
        if key not in options and key in (refused := getattr(cls, "refused_options", {})):
            raise UnknownOption(key, list(options), hint=refused[key]).within(name)
    if cls is type(default):  # an option need not have its class's default
        options = {key: Option(one.hint, getattr(default, key)) for key, one in options.items()}
    if dataclasses.is_dataclass(default):  # another class keeps what differs from this one's defaults
        usual = {key: one.default for key, one in options_of(type(default)).items() if key in options}
        kept = {key: getattr(default, key) for key, value in usual.items() if getattr(default, key) != value}
    values = kept | bind(options, chosen, name)
    try:
        return cls(**values)
    except OptionError as error:
        raise error.within(name) from error
    except ValueError as error:  # from a plug-in that raises no OptionError
        raise ValueError(f"{name}.{error}") from error


def item(option: str) -> str:
    """The option of one item of a list: `topology.topology` for `topology.topologies`."""
    return f"{option.rpartition('.')[0]}.{registry.list_kind(option)}".lstrip(".")


def _items(option: str, value: Any) -> list[Any]:
    """A list from YAML, or from text: `[ring, grid]` or `ring, grid`."""
    if value is NO_VALUE:
        raise MissingValue(option, f"needs a value: --{option} NAME,NAME")
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # the error is raised below
            value = plain_yaml.load(value if value.lstrip().startswith("[") else f"[{value}]")
    if not (isinstance(value, list) and value and all(isinstance(item, (str, dict)) for item in value)):
        raise OptionError(option, value, "must be a list of names, such as [ring, grid]")
    return value
