"""Building a topology from what a user wrote: a name with options, a file, a function, a graph."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import networkx as nx

from dfedsam.topologies import names
from dfedsam.topologies.imports import as_written, import_path
from dfedsam.topologies.topology import Rule, Static, Topology

Spec = str | dict[str, Any]
"""A topology, or a weight rule, within another's options: its name, or {"class_path": name, "init_args": options}."""
PASSED = ("class_proportions",)  # options that a run finds itself, from its objective and seed: not written down


def make(
    name: Spec | Callable[..., nx.Graph | Topology] | nx.Graph | Topology,
    n: int | None,
    seed: int | None = None,
    *,
    weights: Spec | Rule | None = None,
    **options: Any,
) -> Topology:
    """Build a topology of n peers by name.

    Args:
        name: A short name (`ring`), a file, an import path, a function, or {"class_path": one of these, "init_args":
            options}. A function is called as `function(n, **options)`, without n where it has no such parameter, and
            gives a graph or a whole `Topology`. A graph or a topology that is there already is taken as it is.
        n: Number of peers; None where the graph says it itself, as a file does.
        seed: Passed on if the function has an option `seed` and `options` do not set it.
        weights: Weight rule for a graph (see `topologies.names.find_rule`); None takes Metropolis weights, for a
            directed graph those of push-sum.
        **options: The function's own options, such as `rows` or `p`.

    Raises:
        ValueError: if the name is unknown, the function has no such option, or the graph cannot be made with these.
    """
    if isinstance(name, dict):
        name, options = name["class_path"], {**name.get("init_args", {}), **options}
        weights = options.pop("weights", weights)
    if isinstance(name, nx.Graph):
        name = Static(name, None if weights is None else names.find_rule(weights))
    if isinstance(name, Topology):
        return _sized(name, n)
    function: Callable[..., Any] = names.find(name) if isinstance(name, str) else cast(Callable[..., Any], name)
    if isinstance(function, partial):  # options fixed by the name: a file's path
        function, options = function.func, {**function.keywords, **options}
    given = {key: value for key, value in options.items() if value is not None}
    arguments = _bind(name, function, n, seed, given)
    made = function(**arguments)
    written = {key: _written(value) for key, value in arguments.items() if key not in ("n", *PASSED)}
    description = {"class_path": import_path(function), "init_args": written}
    if isinstance(made, nx.Graph):
        rule = None if weights is None else names.find_rule(weights)
        if weights is not None:
            written["weights"] = _written(weights)
        made = Static(made, rule, description)
    elif not isinstance(made, Topology):
        raise ValueError(f"topology {name} gave a {type(made).__name__}: it must be a networkx graph or a Topology")
    elif weights is not None:
        raise ValueError(f"weights is {weights}: {name} brings its own weights; leave it out")
    made.description = made.description or description
    return _sized(made, n, str(name))


def has_size(function: Callable[..., Any]) -> bool:
    """Whether a topology's function takes the number of peers; one that does not says it itself."""
    return "n" in inspect.signature(function).parameters


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
    return arguments


def _sized(topology: Topology, n: int | None, name: str = "") -> Topology:
    if n is not None and topology.n != n:
        raise ValueError(
            f"peers is {n}: topology {name or 'given'} has {topology.n}; give --peers {topology.n}, or none"
        )
    return topology


def _written(value: Any) -> Any:
    """An option as plain values, so that a run's settings can hold it."""
    if isinstance(value, Topology):
        return value.description
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items() if key not in PASSED}
    if isinstance(value, (list, tuple)):
        return [_written(item) for item in value]
    return as_written(value) if callable(value) else value
