"""Converts a command line or an experiment file to one tree of values by option.

`--algorithm dpsgd --algorithm.lr 0.1` is {"algorithm": {"class_path": "dpsgd", "init_args": {"lr": "0.1"}}}, as in a
file. Names of plug-ins are looked up in the registry, and trees are merged; types come later, from
the plug-ins' signatures (`dfedsam.launch.parser`).
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Collection, Iterable
from typing import Any

from jsonargparse import Namespace, set_parsing_settings

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.launch import factories, plain_yaml
from dfedsam.launch.errors import MissingValue, UnknownOption

Tree = dict[str, Any]
Pair = tuple[str, str | None]  # an option's name without dashes, and its value, if any
_EXAMPLE = "[ring, {class_path: random_regular, init_args: {degree: 4}}]"
_OFF = ("none", "null")  # names for no plug-in, where that is allowed
_PLUGIN_KEYS = {"class_path", "init_args"}
_FORM = "must be a name, or have a class_path and optional init_args"


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
            words.append(word)
    return words, found


def as_tree(found: Iterable[tuple[str, Any]]) -> Tree:
    """Merge options into one tree.

    Raises:
        OptionError: if an option has options but is no plug-in, or a plug-in's text is invalid YAML.
    """
    tree: Tree = {}
    paths = [([part for part in option.split(".") if part not in _PLUGIN_KEYS], value) for option, value in found]
    for path, value in sorted(paths, key=lambda pair: len(pair[0])):
        place = tree
        for number, head in enumerate(path[:-1]):
            here = ".".join(path[: number + 1])
            if registry.list_kind(head):
                raise MissingValue(
                    here, None, f"is a list: set the options of its plug-ins inside it, as in {_EXAMPLE}"
                )
            if not registry.kind_of(head):
                raise UnknownOption(".".join(path), [])
            place = place.setdefault(head, {}).setdefault("init_args", {})
            if not isinstance(place, dict):
                raise OptionError(f"{here}.init_args", place, "must be options by name, such as {steps: 4}")
        if path:
            place[path[-1]] = _typed_name(".".join(path), value) if registry.kind_of(path[-1]) else value
    return tree


def expand_all(tree: Tree, *, code: bool) -> Tree:
    """A whole experiment with all its values expanded."""
    return {option: expand(option, value, code=code) for option, value in tree.items()}


def expand(option: str, value: Any, *, code: bool) -> Any:
    """Expand every plug-in in a value to {"class_path": import path of the class of its options, "init_args": {…}}.

    Args:
        option: the option that has this value.
        value: plain values; plug-ins in any form.
        code: whether import paths may be imported.

    Raises:
        OptionError: if a plug-in is unknown, or its options are not given by name.
    """
    kind, listed = registry.kind_of(option), registry.list_kind(option)
    if listed is not None:
        item = f"{option.rpartition('.')[0]}.{listed}".lstrip(".")
        return [expand(item, one, code=code) for one in _items(option, value)]
    return _expand_plugin(option, kind, value, code) if kind is not None and value is not None else value


def _expand_plugin(option: str, kind: str, value: Any, code: bool) -> Tree | None:
    form = {"class_path": value} if isinstance(value, str) else value
    if not (isinstance(form, dict) and form and set(form) <= _PLUGIN_KEYS):
        raise OptionError(option, form, _FORM)
    options, expanded = form.get("init_args") or {}, {}
    if "class_path" in form:
        if not isinstance(form["class_path"], str):
            raise OptionError(f"{option}.class_path", form["class_path"], "must be a name, or an import path")
        if form["class_path"].lower() in _OFF:
            if options:
                raise MissingValue(f"{option}.{next(iter(options))}", None, f"cannot be set, because {option} is none")
            return None
        plugin = registry.find(option, form["class_path"], kind=kind, code=code)
        cls = factories.option_class(kind, getattr(plugin, "func", plugin))  # a file's name is a partial of its reader
        if getattr(cls, "runs_code", False) and not code:
            rule = "must not be in an untrusted file, because it runs the code that its options name"
            raise OptionError(option, form["class_path"], rule, "if you trust the file, add --allow-code")
        expanded = {"class_path": registry.import_path(cls)}
        set_parsing_settings(import_path_allowlist=[cls.__module__.partition(".")[0]])
        options = getattr(plugin, "keywords", {}) | options if isinstance(options, dict) else options
    if not isinstance(options, dict):
        raise OptionError(f"{option}.init_args", options, "must be options by name, such as {steps: 4}")
    known = {str(key).replace("-", "_"): item for key, item in options.items()}
    return expanded | {"init_args": {key: expand(f"{option}.{key}", item, code=code) for key, item in known.items()}}


def over(old: Any, new: Any) -> Any:
    """Merge one expanded tree over another: if a plug-in replaces another, options shared by both keep their values."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    if not (is_plugin_form(old) and is_plugin_form(new)):
        return old | {key: over(old.get(key), value) for key, value in new.items()}
    path = new.get("class_path", old.get("class_path"))
    kept = old.get("init_args", {})
    if path is not None and path != old.get("class_path"):
        known = inspect.signature(registry.import_object("class_path", path)).parameters
        kept = {key: value for key, value in kept.items() if key in known}
    form = {"init_args": over(kept, new.get("init_args", {}))}
    return form if path is None else {"class_path": path} | form


def instantiate(value: Any) -> Any:
    """Construct every plug-in in typed values.

    Raises:
        OptionError: if a plug-in rejects an option, with the option's full name.
    """
    if isinstance(value, (list, tuple)):
        return [instantiate(item) for item in value]
    if not isinstance(value, Namespace):
        return value
    if "class_path" not in value:
        return {key: _within(key, item) for key, item in vars(value).items()}
    cls = registry.import_object("class_path", value.class_path)
    return cls(**{key: _within(key, item) for key, item in vars(value.get("init_args", Namespace())).items()})


def _within(option: str, value: Any) -> Any:
    try:
        return instantiate(value)
    except OptionError as error:
        raise error.within(option) from error
    except ValueError as error:  # from a plug-in that raises no OptionError
        raise ValueError(f"{option}.{error}") from error


def _typed_name(option: str, value: Any) -> Tree:
    """The long form of a plug-in that is typed as a name or as YAML."""
    if not isinstance(value, str):
        raise MissingValue(option, value, f"needs a value: --{option} NAME")
    if not value.lstrip().startswith("{"):
        return {"class_path": value}
    try:
        form = plain_yaml.load(value)
    except ValueError as error:
        raise OptionError(option, value, f"must be YAML, but: {error}") from None
    if not is_plugin_form(form) or not isinstance(form.get("class_path", ""), str):
        raise OptionError(option, form, _FORM)
    return form


def _items(option: str, value: Any) -> list[Any]:
    """A list from YAML, or from text: `[ring, grid]` or `ring, grid`."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # the error is raised below
            value = plain_yaml.load(value if value.lstrip().startswith("[") else f"[{value}]")
    if not (isinstance(value, list) and value and all(isinstance(item, (str, dict)) for item in value)):
        raise OptionError(option, value, "must be a list of names, such as [ring, grid]")
    return value


def is_plugin_form(value: Any) -> bool:
    """Whether a value has the form of a plug-in in a file: a class_path, init_args, or both."""
    return isinstance(value, dict) and bool(value) and set(value) <= _PLUGIN_KEYS
