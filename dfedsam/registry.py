"""Public names of plug-ins: the one table behind the command line, experiment files, run folders and Python.

A plug-in of ours has one public name in snake_case: the name of the function for a topology or a weight rule, and for a
class its `public_name`, or else the class's name in snake_case. A package adds its own by an entry point of the group
"dfedsam.plugins" whose name is KIND.NAME, such as `topology.wheel = "mypackage.graphs:wheel"`. Anything else is named
by its import path.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, get_origin

from dfedsam.errors import OptionError

Plugin = Callable[..., Any]
ENTRY_POINTS = "dfedsam.plugins"


@dataclass(frozen=True)
class Kind:
    """Plug-ins that an option can choose from.

    Args:
        package: where they are. For classes its `__all__` is the list.
        base: their base class in that package; for functions the function of the package that lists them.
        functions: whether they are functions.
    """

    package: str
    base: str
    functions: bool = False


KINDS = {
    "topology": Kind("dfedsam.topologies", "table", functions=True),
    "weights": Kind("dfedsam.topologies", "rules", functions=True),
    "algorithm": Kind("dfedsam.algorithms", "Algorithm"),
    "objective": Kind("dfedsam.objectives", "Objective"),
    "estimator": Kind("dfedsam.zeroth_order", "Estimator"),
    "gossip": Kind("dfedsam.gossip", "Gossip"),
    "compressor": Kind("dfedsam.gossip.compressors", "Compressor"),
    "split": Kind("dfedsam.data.split", "Split"),
    "parameters": Kind("dfedsam.objectives", "PromptParameters"),
    "blackbox": Kind("dfedsam.blackbox", "BlackBoxConfig"),
}


def plugins(kind: str) -> dict[str, Plugin]:
    """The plug-ins of a kind by their public names: ours, then those of entry points."""
    where = KINDS[kind]
    package = importlib.import_module(where.package)
    if where.functions:
        known: dict[str, Plugin] = dict(getattr(package, where.base)())
    else:
        base = getattr(package, where.base)
        values = [getattr(package, name) for name in getattr(package, "__all__", dir(package))]
        known = {
            public_name(value): value for value in values if is_plugin(value, base) and not inspect.isabstract(value)
        }
    return known | {name: entry.load() for name, entry in _entry_points(kind).items() if name not in known}


def find(option: str, name: str, *, kind: str | None = None) -> Plugin:
    """The plug-in that a name means.

    Args:
        option: the option it is the value of, for the message; its last part is the kind unless `kind` says it.
        name: a public name in any case, with or without underscores and hyphens, or an import path.
        kind: key of KINDS.

    Raises:
        OptionError: if there is none; the hint has the nearest name.
    """
    kind = kind or option.rpartition(".")[2]
    known = plugins(kind)
    match = match_name(name, known)
    if match is not None:
        return known[match]
    if is_import_path(name):
        return import_object(option, name)
    guess = nearest(name, known)
    hint = f"did you mean {guess}?" if guess else ""
    raise OptionError(option, name, f"must be one of {', '.join(known)}, or the import path of your own", hint)


def public_name(plugin: Plugin) -> str:
    """What a plug-in is called in files: its public name, or its import path where it is not ours.

    Args:
        plugin: a class or a function.
    """
    if plugin.__module__.partition(".")[0] == "dfedsam":
        own = vars(plugin).get("public_name") if isinstance(plugin, type) else None
        return own or snake_case(plugin.__name__)
    path = import_path(plugin)
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.value.replace(":", ".") == path:
            return entry.name.partition(".")[2]
    return path


def import_object(option: str, path: str) -> Plugin:
    """The function or class at an import path such as `mypackage.graphs.wheel`.

    Raises:
        OptionError: if it cannot be imported, or is neither a function nor a class.
    """
    module, _, attribute = path.rpartition(".")
    try:
        value = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise OptionError(option, path, f"must be importable, but {error}", "fix the path, or PYTHONPATH") from None
    if not callable(value):
        rule = f"must be a function or a class, but it is a {type(value).__name__}"
        raise OptionError(option, path, rule, "fix the path")
    return value


def import_path(plugin: Plugin) -> str:
    """The path that `import_object` finds a function or class at."""
    return f"{plugin.__module__}.{plugin.__qualname__}"


def is_import_path(name: str) -> bool:
    """Whether a name has the form of an import path: identifiers joined by dots."""
    return "." in name and all(part.isidentifier() for part in name.split("."))


def is_plugin(value: object, base: type) -> bool:
    """Whether a value is a class derived from `base`."""
    if get_origin(value) is not None:  # dict[str, int], which Python 3.10 takes for a type
        return False
    return isinstance(value, type) and issubclass(value, base) and value is not base


def match_name(name: str, known: Collection[str]) -> str | None:
    """The one of `known` that is the same up to case, underscores, hyphens and blanks; None if there is none."""
    return {_normalize(one): one for one in known}.get(_normalize(name))


def nearest(name: str, known: Collection[str]) -> str | None:
    """The one of `known` that is written most like `name`, for "did you mean"; None if none is near."""
    names = {_normalize(one): one for one in known}
    close = difflib.get_close_matches(_normalize(name), names, n=1, cutoff=0.5)
    return names[close[0]] if close else None


def snake_case(name: str) -> str:
    """TwoPoint to two_point."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _entry_points(kind: str) -> dict[str, Any]:
    found = entry_points(group=ENTRY_POINTS)
    return {entry.name.partition(".")[2]: entry for entry in found if entry.name.partition(".")[0] == kind}


def _normalize(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "_- ")
