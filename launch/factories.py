"""Dataclasses of options for topologies and weight rules, which make them plug-ins like all others; and builders.

The functions also take the number of peers, or the graph. The other parameters are the user's options: each function
gets a frozen dataclass of them, made from its signature and docstring.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

from dfedsam import registry
from dfedsam.errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dfedsam import topologies


class FunctionOptions:
    """The options of a function that is a plug-in."""

    public_name: ClassVar[str]


class TopologyOptions(FunctionOptions):
    """The options of a topology."""


class WeightsOptions(FunctionOptions):
    """The options of a weight rule."""


PEERS = 16  # default, if neither the user nor the graph sets it
PROPORTIONS = "class_proportions"  # the option of topologies that use the data
Tree = dict[str, Any]
_BASES: dict[str, type] = {"topology": TopologyOptions, "weights": WeightsOptions}


def base_class(kind: str) -> type:
    """The type of an option whose value is a plug-in of this kind."""
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
    """A default value; a name in a signature becomes an instance of our plug-in."""
    return option_class(kind, registry.find(kind, value))() if isinstance(value, str) else value


def build(form: Tree, peers: int | None, seed: int, counts: Callable[[int, int], Any]) -> topologies.Topology:
    """Build a topology.

    Args:
        form: {"class_path": public name, "init_args": options}.
        peers: number of peers; None: the graph's own number, or PEERS.
        seed: the run's seed, for graphs without a seed of their own.
        counts: function of (peers, seed) that returns an objective's classes and the number of examples of each class
            for every peer, for topologies that use the data.

    Raises:
        ValueError: if it cannot be built.
    """
    from dfedsam.topologies import make

    if peers is None:
        peers = _own_size(form, seed)
    filled = _filled(form, lambda: _proportions(form, counts, peers or PEERS, seed))
    try:
        topology = make(filled, peers, seed)
    except OptionError as error:
        raise _full_name(form, error) from error
    topology.description = _without_proportions(topology.description)
    return topology


def _function(form: Tree) -> registry.Plugin:
    return registry.find("topology", form["class_path"])


def _own_size(form: Tree, seed: int) -> int | None:
    """The default number of peers; None if the function itself determines it."""
    from dfedsam.topologies import from_file, make

    function = _function(form)
    if "n" not in inspect.signature(function).parameters or function is from_file:
        return None
    for inner in _topologies_in(form):
        if _own_size(inner, seed) is None:
            return make(inner, None, seed).n
    return PEERS


def _topologies_in(form: Tree) -> Iterator[Tree]:
    for key, value in form.get("init_args", {}).items():
        if registry.kind_of(key) == "topology":
            yield value
        elif registry.list_kind(key) == "topology":
            yield from value


def _filled(form: Tree, proportions: Callable[[], NDArray[np.float64] | None]) -> Tree:
    """The form that `dfedsam.topologies.make` takes, with class proportions for every topology that uses them."""
    function, options = _function(form), dict(form.get("init_args", {}))
    if PROPORTIONS in inspect.signature(function).parameters:
        options[PROPORTIONS] = proportions()
    for key, value in options.items():
        if registry.kind_of(key) == "topology":
            options[key] = _filled(value, proportions)
        elif registry.list_kind(key) == "topology":
            options[key] = [_filled(one, proportions) for one in value]
    return {"class_path": form["class_path"], "init_args": options}


def _without_proportions(value: Any) -> Any:
    """A description without class proportions: they follow from the objective, its split and the seed."""
    if isinstance(value, dict):
        return {key: _without_proportions(item) for key, item in value.items() if key != PROPORTIONS}
    return [_without_proportions(item) for item in value] if isinstance(value, list) else value


def _proportions(form: Tree, counts: Callable[[int, int], Any], peers: int, seed: int) -> NDArray[np.float64]:
    """The share of each class in each peer's examples, shape (peers, classes)."""
    import numpy as np

    try:
        _, found = counts(peers, seed)
    except ValueError as error:
        rule = f"must know the classes of the peers' examples, but {str(error).partition(', so ')[0]}"
        hint = "choose an objective that has some, such as --objective logistic_regression"
        raise OptionError("topology", form["class_path"].rpartition(".")[2], rule, hint) from error
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1), dtype=np.float64)


def _full_name(form: Tree, error: OptionError) -> OptionError:
    """The same error with the option's full name, if exactly one nested topology has that value."""
    found = [path for path, value in _leaves("topology", form) if _last(path) == error.option and value == error.value]
    return error.within(found[0].rpartition(".")[0]) if len(found) == 1 else error


def _leaves(option: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Full names and values of all options in a form."""
    if isinstance(value, dict) and "class_path" in value:
        for key, item in value.get("init_args", {}).items():
            yield from _leaves(f"{option}.{key}", item)
    elif registry.list_kind(option):
        for item in value or []:
            yield from _leaves(option, item)
    else:
        yield option, value


def _last(option: str) -> str:
    return option.rpartition(".")[2]
