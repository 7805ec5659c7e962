"""Builds a topology from a user's specification: a name with options, a file, a function, or a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import networkx as nx
import numpy as np

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.topologies.normalize import normalize_graph
from dfedsam.topologies.registry import find, find_rule, registered_only
from dfedsam.topologies.topology import Description, Static, Topology
from dfedsam.topologies.verify import contraction_factor
from dfedsam.topologies.weights.rules import WeightRule, metropolis, out_degree

Spec = str | dict[str, Any]
"""A topology, or a weight rule, within another's options: its name, or {"class_path": name, "init_args": options}."""
_UNMIXED = 1e-9  # how near to 1 λ may come
PASSED = ("class_proportions",)  # options that a run finds itself, from its objective and seed: not written down


def make(
    name: Spec | Callable[..., nx.Graph | Topology] | nx.Graph | Topology,
    n: int | None = None,
    seed: int | None = None,
    *,
    weights: Spec | Callable[..., Any] | None = None,
    allow_import: bool = True,
    **options: Any,
) -> Topology:
    """Build a topology of n peers by name.

    Args:
        name: a public name (`ring`), a file, an import path, a function, or {"class_path": one of these, "init_args":
            options}. A function is called as `function(n, **options)`, without n where it has no such parameter, and
            gives a graph or a whole `Topology`. A graph or a topology is taken as it is.
        n: number of peers; None if the graph determines it itself, as a file does.
        seed: passed on if the function has an option `seed` and `options` do not set it.
        weights: weight rule for a graph (see `find_rule`); None takes Metropolis weights, for a directed graph those of
            push-sum.
        allow_import: whether import paths may be followed, also inside options: false for names from files.
        **options: the function's own options, such as `rows` or `p`.

    Raises:
        ValueError: if the name is unknown, the function has no such option, or the graph cannot be made with these.

    >>> make("grid", 12, rows=3).description
    {'class_path': 'grid', 'init_args': {'rows': 3}}
    >>> make("star", 4, weights="max_degree").weights(0).diagonal().tolist()
    [0.25, 0.75, 0.75, 0.75]
    """
    if not allow_import:
        with registered_only():
            return make(name, n, seed, weights=weights, **options)
    if isinstance(name, dict):
        name, options = name["class_path"], {**name.get("init_args", {}), **options}
        weights = options.pop("weights", weights)
    if isinstance(name, Topology):
        return _sized(name, n)
    rule = None if weights is None else find_rule(weights)
    if isinstance(name, nx.Graph):
        return _sized(_static(name, rule, _edges_of(name)), n)
    function = cast(Callable[..., Any], find(name) if isinstance(name, str) else name)
    if isinstance(function, partial):  # options fixed by the name: a file's path
        function, options = function.func, {**function.keywords, **options}
    arguments = _bind(name, function, n, seed, {key: value for key, value in options.items() if value is not None})
    result = function(**arguments)
    written = {key: _written(value) for key, value in arguments.items() if key not in ("n", *PASSED)}
    description: Description = {"class_path": registry.public_name(function), "init_args": written}
    if isinstance(result, nx.Graph):
        topology: Topology = _static(result, rule, description)
    elif not isinstance(result, Topology):
        raise ValueError(f"topology {name} gave a {type(result).__name__}: it must be a networkx graph or a Topology")
    elif rule is not None:
        raise OptionError("weights", weights, f"must be left out, since {name} has its own weights")
    else:
        topology = result
    topology.description = topology.description or description
    topology.notes += _mixing_notes(topology)
    return _sized(topology, n, str(name))


def has_size(function: Callable[..., Any]) -> bool:
    """Whether a topology's function takes the number of peers; one that does not says it itself."""
    return "n" in inspect.signature(function).parameters


def _static(graph: nx.Graph, rule: WeightRule | None, description: Description) -> Static:
    """A graph with its weights: those of the rule, else the usual ones."""
    used = rule or (out_degree if graph.is_directed() else metropolis)
    if rule is not None:
        description["init_args"]["weights"] = rule.description
    topology = Static(graph, used(graph), sums=used.sums, description=description)
    topology.notes = tuple(graph.graph.get("notes", ()))
    return topology


def _mixing_notes(topology: Topology) -> tuple[str, ...]:
    """Notes on a static W that may not mix: one with negative weights, or without positive diagonal entries."""
    W = topology.weights(0) if topology.period == 1 else None
    if W is None or not ((W.data < 0).any() or not W.diagonal().any()):
        return ()
    unmixed = abs(contraction_factor(W) - 1) <= _UNMIXED
    return ("W does not mix: λ is 1, so that the peers never come together",) if unmixed else ()


def _edges_of(graph: nx.Graph) -> Description:
    """What rebuilds a graph that was given as one: all its edges."""
    edges = [list(edge) for edge in normalize_graph(graph).edges()]
    options: dict[str, Any] = {"edges": edges}
    if graph.is_directed():
        options["directed"] = True
    return {"class_path": "from_edges", "init_args": options}


def _bind(
    name: object, function: Callable[..., Any], n: int | None, seed: int | None, options: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a call, defaults and n included."""
    signature = inspect.signature(function)
    if seed is not None and "seed" in signature.parameters:
        options = {"seed": seed, **options}
    sized = {"n": n} if "n" in signature.parameters else {}
    try:
        bound = signature.bind(**sized, **options)
    except TypeError as error:
        known = ", ".join(key for key in signature.parameters if key != "n") or "none"
        raise ValueError(f"topology {name} does not take these options: {error}; its options are: {known}") from None
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments.update(arguments.pop(parameter.name, {}))
        elif parameter.kind is parameter.VAR_POSITIONAL:  # options are passed by name
            arguments.pop(parameter.name, None)
    return arguments


def _sized(topology: Topology, n: int | None, name: str = "") -> Topology:
    if n is not None and topology.n != n:
        rule = f"must be {topology.n}, the number of peers of {f'topology {name}' if name else 'this topology'}"
        raise OptionError("peers", n, rule, f"give --peers {topology.n}, or leave it out")
    return topology


def _written(value: Any) -> Any:
    """An option as plain values, so that a run's settings can hold it."""
    if isinstance(value, Topology):
        return value.description
    if isinstance(value, WeightRule):
        return value.description
    if isinstance(value, Mapping):
        items = cast(Mapping[str, Any], value).items()
        return {key: _written(item) for key, item in items if key not in PASSED}
    if isinstance(value, (list, tuple)):
        return [_written(item) for item in cast(list[Any], value)]
    if isinstance(value, np.generic):
        return value.item()
    if callable(value):
        return find_rule(value).description
    return str(value) if isinstance(value, Path) else value
