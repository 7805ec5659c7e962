"""Short names of plug-ins, one place for all kinds: `ring`, `DFedSAM`, `two_point`, or an import path of a user's own.

A kind is known by the last part of its option's name: `--algorithm.estimator` takes an estimator, `--topology.topology`
another topology, `--topology.topologies` a list of them.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, get_origin

from dfedsam.registry import public_name

Plugin = Callable[..., Any]

TOPOLOGY = "topology"
WEIGHTS = "weights"
LISTS = {"topologies": TOPOLOGY}  # options that take several plug-ins, and their kind
KINDS = {  # option: where its plug-ins are, and what they have in common
    "algorithm": ("dfedsam.algorithms", "Algorithm"),
    "objective": ("dfedsam.objectives", "Objective"),
    "estimator": ("dfedsam.zeroth_order", "Estimator"),
    "gossip": ("dfedsam.gossip", "Gossip"),
    "compressor": ("dfedsam.gossip.compressors", "Compressor"),
    "split": ("dfedsam.data.split", "Split"),
    "parameters": ("dfedsam.objectives", "PromptParameters"),
    "blackbox": ("dfedsam.blackbox", "BlackBoxConfig"),
}


def is_kind(option: str) -> bool:
    """Whether an option, such as `algorithm.estimator`, takes a plug-in."""
    last = option.rpartition(".")[2]
    return last in KINDS or last in (TOPOLOGY, WEIGHTS)


def is_list(option: str) -> bool:
    """Whether an option, such as `topology.topologies`, takes a list of plug-ins."""
    return option.rpartition(".")[2] in LISTS


def item(option: str) -> str:
    """The option that one plug-in of such a list would be the value of: `topology.topology`."""
    head, dot, last = option.rpartition(".")
    return f"{head}{dot}{LISTS[last]}"


def table(kind: str) -> dict[str, Plugin]:
    """The plug-ins of a kind by the names we write: functions for topologies and weights, classes for others."""
    if kind == TOPOLOGY:
        from dfedsam import topologies

        return topologies.table()
    if kind == WEIGHTS:
        from dfedsam import topologies

        return {name: topologies.weight_factory(name) for name in topologies.rules()}
    base = base_class(kind)
    package = importlib.import_module(KINDS[kind][0])
    found = {name: getattr(package, name) for name in getattr(package, "__all__", dir(package))}
    found = {
        vars(plugin).get("public_name", name): plugin for name, plugin in found.items() if hasattr(plugin, "__dict__")
    }
    return {name: plugin for name, plugin in found.items() if _fits(plugin, base) and not inspect.isabstract(plugin)}


def base_class(kind: str) -> type:
    """The base class of a kind other than topologies."""
    package, base = KINDS[kind]
    return getattr(importlib.import_module(package), base)


def find(option: str, name: str) -> Plugin:
    """The plug-in that `name` means.

    Args:
        option: the option it was given to, such as `algorithm.estimator`; its last part is the kind.
        name: a short name in any case, with or without underscores and hyphens; an import path; for topologies also
            a graph's file.

    Raises:
        ValueError: if there is none, with the names there are and the nearest one.
    """
    from dfedsam.registry import import_object

    kind = option.rpartition(".")[2]
    if kind in (TOPOLOGY, WEIGHTS):
        return _function(option, kind, name)
    known = table(kind)
    short = {_plain(known_name): plugin for known_name, plugin in known.items()}
    if _plain(name) in short:
        return short[_plain(name)]
    if "." in name and all(part.isidentifier() for part in name.split(".")):
        plugin = import_object(option, name)
        if not _fits(plugin, base_class(kind)):
            path, base = KINDS[kind]
            raise ValueError(f"{option} is {name}: it must be a class derived from {path}.{base}")
        return plugin
    nearest = difflib.get_close_matches(_plain(name), short, n=1, cutoff=0.5)
    guess = f"; did you mean {short[nearest[0]].__name__}?" if nearest else ""
    raise ValueError(f"{option} is {name}: it must be one of {', '.join(known)}, or the import path of your own{guess}")


def expand(option: str, value: Any) -> Any:
    """Settings of an experiment file with every plug-in in the long form {class_path: import path, init_args: {…}}.

    Args:
        option: what `value` is the value of; empty for a whole experiment.
        value: as YAML gave it.

    Raises:
        ValueError: if a plug-in is not known.
    """
    if is_list(option):
        return [expand(item(option), one) for one in _items(option, value)]
    if is_kind(option) and isinstance(value, str):
        return long_form(find(option, value))
    if is_kind(option) and isinstance(value, dict) and isinstance(value.get("class_path"), str):
        form = long_form(find(option, value["class_path"]))
        form["init_args"] |= expand(option + ".init_args", value.get("init_args") or {})
        return form
    if isinstance(value, dict):
        inside = option.removesuffix("init_args")
        return {key: expand(f"{inside.rstrip('.')}.{key}".lstrip("."), item) for key, item in value.items()}
    return value


def long_form(plugin: Plugin) -> dict[str, Any]:
    """A plug-in as {class_path, init_args}; a graph's file is an option of the function that reads it."""
    function = getattr(plugin, "func", plugin)  # a partial's
    path = f"{function.__module__}.{function.__qualname__}" if isinstance(function, type) else public_name(function)
    return {"class_path": path, "init_args": dict(getattr(plugin, "keywords", {}))}


def _function(option: str, kind: str, name: str) -> Plugin:
    from dfedsam import topologies

    try:
        if kind == TOPOLOGY:
            return topologies.find(name)
        options = topologies.find_rule(name).options
        function = topologies.weight_factory(name)
        return partial(function, **options) if "path" in options else function
    except ValueError as error:
        own = str(error).removeprefix(f"{kind} is ")
        raise ValueError(f"{option} is {own}" if own != str(error) else own) from None


def _items(option: str, value: Any) -> list[Any]:
    """A list as YAML has it, or as one text: `[ring, grid]` or `ring, grid`."""
    if isinstance(value, str):
        import yaml

        with contextlib.suppress(yaml.YAMLError):  # what it is not then is said below
            value = yaml.safe_load(value if value.lstrip().startswith("[") else f"[{value}]")
    if not (isinstance(value, list) and value and all(isinstance(item, (str, dict)) for item in value)):
        raise ValueError(f"{option} is {value}: it must be a list of names, such as [ring, grid]")
    return value


def _fits(plugin: object, base: type) -> bool:
    if get_origin(plugin) is not None:  # dict[str, int], which Python 3.10 takes for a type
        return False
    return isinstance(plugin, type) and issubclass(plugin, base) and plugin is not base


def _plain(name: str) -> str:
    """A name without what may be left out or written differently."""
    return "".join(letter for letter in name.lower() if letter not in "_- ")
