"""Topologies and weight rules as classes of their options, so that they are plug-ins like all others.

Their functions take the number of peers, or the graph, as well. What a user sets is the rest: a frozen dataclass for
each function, made from its signature and with its docstring.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from functools import cache, partial
from typing import Any, ClassVar

from dfedsam import registry

HIDDEN = ("n", "graph", "class_proportions")  # what the program itself passes to a topology or a weight rule
_WEIGHTS = "from the graph to W (default: metropolis; for a directed graph out_degree)."


class FunctionOptions:
    """The options of a function that is a plug-in."""

    public_name: ClassVar[str]
    function: ClassVar[registry.Plugin]

    def spec(self) -> dict[str, Any]:
        """{"class_path", "init_args"} as `dfedsam.topologies.make` takes it, without options that are not set."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]  # a subclass is a dataclass
        set_values = {name: _spec(value) for name, value in values.items() if value is not None}
        return {"class_path": registry.import_path(type(self).function), "init_args": set_values}


class TopologyOptions(FunctionOptions):
    """The options of a topology."""


class WeightsOptions(FunctionOptions):
    """The options of a weight rule."""


_BASES: dict[str, type] = {"topology": TopologyOptions, "weights": WeightsOptions}


def base_class(kind: str) -> type:
    """The type of an option that takes a plug-in of this kind."""
    return _BASES.get(kind) or registry.base_class(kind)


def option_class(kind: str, plugin: registry.Plugin) -> type:
    """The class whose arguments are a plug-in's options: itself, or that of a function."""
    return _option_class(kind, plugin) if kind in _BASES else typing.cast(type, plugin)


def default(option: str, value: Any) -> Any:
    """A default as an option of this name holds it: a name in a function's signature becomes an instance."""
    kind = registry.kind_of(option)
    if kind in _BASES and isinstance(value, str):
        return option_class(kind, registry.find(option, value))()
    return value


@cache
def _option_class(kind: str, function: registry.Plugin) -> type:
    hints = _hints(function)
    fields = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in HIDDEN or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        fields.append(_field(name, hints.get(name, Any), parameter.default))
    doc = inspect.getdoc(function) or ""
    if kind == "topology" and not _is_whole(hints.get("return")):
        fields.append(_field("weights", WeightsOptions | None, None))
        doc = _with_weights(doc)
    public = registry.public_name(function)
    name = re.sub(r"\W", "_", public if "." in public else registry.import_path(function))
    namespace = {"__doc__": doc, "public_name": public, "function": staticmethod(function)}
    made = dataclasses.make_dataclass(
        name, fields, bases=(_BASES[kind],), namespace=namespace, frozen=True, kw_only=True
    )
    made.__module__ = __name__
    globals()[name] = made  # where jsonargparse finds it by its import path
    return made


def _field(name: str, hint: Any, value: Any) -> tuple[str, Any, Any]:
    kind, listed = registry.kind_of(name), registry.list_kind(name)
    if kind is not None:
        hint = base_class(kind) | None if value is None else base_class(kind)
    elif listed is not None:
        hint = list[base_class(listed)]  # type: ignore[misc]
    elif name == "seed":
        hint, value = int | None, None  # the run's
    if value is inspect.Parameter.empty:
        return name, hint, dataclasses.field()
    if isinstance(value, (list, dict, set)):
        return name, hint, dataclasses.field(default_factory=partial(type(value), value))
    return name, hint, dataclasses.field(default=default(name, value))


def _hints(function: registry.Plugin) -> dict[str, Any]:
    """Annotations by name; an annotation that cannot be evaluated allows any value."""
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        hints = dict(getattr(function, "__annotations__", {}))
    for name, parameter in inspect.signature(function).parameters.items():
        hints.setdefault(name, parameter.annotation)
    return {
        name: Any if isinstance(hint, str) or hint is inspect.Parameter.empty else hint for name, hint in hints.items()
    }


def _is_whole(returns: Any) -> bool:
    """Whether a function gives a whole topology, which brings its weights, rather than a graph."""
    from dfedsam.topologies import Topology

    return isinstance(returns, type) and issubclass(returns, Topology)


def _with_weights(doc: str) -> str:
    line = f"    weights: {_WEIGHTS}\n"
    head, args, rest = doc.partition("Args:\n")
    return f"{head}{args}{line}{rest}" if args else f"{doc}\n\nArgs:\n{line}"


def _spec(value: Any) -> Any:
    if isinstance(value, FunctionOptions):
        return value.spec()
    return [_spec(item) for item in value] if isinstance(value, (list, tuple)) else value
