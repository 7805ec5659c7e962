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


class FunctionOptions:
    """The options of a function that is a plug-in."""

    public_name: ClassVar[str]


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


@cache
def _option_class(kind: str, plugin: registry.Plugin) -> type:
    from dfedsam.topologies.factories import factory, weight_factory

    public = registry.public_name(plugin)
    made = factory(public) if kind == "topology" else weight_factory(public)
    parameters = inspect.signature(made).parameters.values()
    fields = [_field(parameter) for parameter in parameters if parameter.name != "n"]
    name = re.sub(r"\W", "_", public if "." in public else f"{kind}_{public}")
    namespace = {"__doc__": made.__doc__, "public_name": public}
    cls = dataclasses.make_dataclass(
        name, fields, bases=(_BASES[kind],), namespace=namespace, frozen=True, kw_only=True
    )
    cls.__module__ = __name__
    globals()[name] = cls  # where jsonargparse finds it by its import path
    return cls


def _field(parameter: inspect.Parameter) -> tuple[str, Any, Any]:
    name, hint, value = parameter.name, parameter.annotation, parameter.default
    kind, listed = registry.kind_of(name), registry.list_kind(name)
    if kind is not None:
        hint, value = base_class(kind) | None if value is None else base_class(kind), _default(kind, value)
    elif listed is not None:
        hint = list[base_class(listed)]  # type: ignore[misc]
    elif name == "seed":
        hint, value = int | None, None  # the run's
    elif hint is inspect.Parameter.empty:
        hint = Any
    if value is inspect.Parameter.empty:
        return name, hint, dataclasses.field()
    if isinstance(value, (list, dict, set)):
        return name, hint, dataclasses.field(default_factory=partial(type(value), value))
    return name, hint, dataclasses.field(default=value)


def _default(kind: str, value: Any) -> Any:
    """A default as the instance that it means; a name in a signature is one of ours."""
    return option_class(kind, registry.find(kind, value))() if isinstance(value, str) else value
