"""Builds a topology from a user's specification: a name with options, a file, a function, a graph, or arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.topologies.graph import AnyGraph, Graph, as_graph, of_adjacency, simple
from dfedsam.topologies.matrices import is_adjacency, square_matrix
from dfedsam.topologies.registry import find, find_rule, registered_only
from dfedsam.topologies.topology import Description, Static, Topology
from dfedsam.topologies.verify import contraction_factor
from dfedsam.topologies.weights.files import topology_of_matrix
from dfedsam.topologies.weights.rules import WeightRule, metropolis, out_degree

Spec = str | dict[str, Any]
"""A topology, or a weight rule, within another's options: its name, or {"class_path": name, "init_args": options}."""
_UNMIXED = 1e-9  # how near to 1 λ may come
_WRITTEN = 100_000  # edges of a graph up to which they are all written down where nothing else rebuilds it
PASSED = ("class_proportions",)  # options that a run finds itself, from its objective and seed: not written down


def make(
    name: Spec | Callable[..., AnyGraph | Topology] | AnyGraph | Topology | sp.sparray | NDArray[Any],
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
            gives a graph or a whole `Topology`. A graph or a topology is taken as it is. An array of whole numbers of
            shape (m, 2) holds edges; a sparse matrix (n, n) of zeros and ones is an adjacency matrix, another one W.
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
    if isinstance(name, (nx.Graph, Graph, np.ndarray)) or sp.issparse(name):
        return _sized(_of_arrays(cast(Any, name), n, rule), n)
    function = cast(Callable[..., Any], find(name) if isinstance(name, str) else name)
    if not callable(function):
        raise OptionError("topology", name, "must be a name, a graph, a matrix of edges, a function or a topology")
    name = name if isinstance(name, str) else registry.public_name(function)
    if isinstance(function, partial):  # options fixed by the name: a file's path
        function, options = function.func, {**function.keywords, **options}
    arguments = _bind(name, function, n, seed, {key: value for key, value in options.items() if value is not None})
    result = getattr(function, "arrays", function)(**arguments)
    written = {key: _written(value) for key, value in arguments.items() if key not in ("n", *PASSED)}
    description: Description = {"class_path": registry.public_name(function), "init_args": written}
    if isinstance(result, (nx.Graph, Graph)):
        topology: Topology = _static(as_graph(result), rule, description)
    elif not isinstance(result, Topology):
        raise ValueError(f"topology {name} gave a {type(result).__name__}: it must be a networkx graph or a Topology")
    elif rule is not None:
        raise OptionError("weights", weights, f"must be left out, since {name} has its own weights")
    else:
        topology = result
    topology.description = topology.description or description
    topology.notes += _mixing_notes(topology)
    return _sized(topology, n, str(name))


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The options of a topology with their types, without what the run passes; a graph takes `weights` too."""
    function = function.func if isinstance(function, partial) else function  # a file's name fixes its path
    signature = inspect.signature(function, eval_str=True)
    named = [one for one in signature.parameters.values() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    gives, rest = signature.return_annotation, [one for one in named if one.name not in ("n", *PASSED)]
    if isinstance(gives, type) and issubclass(gives, Topology):  # with weights of its own
        return rest
    weights = inspect.Parameter("weights", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Spec | None)
    return [*rest, weights]


def rule_parameters(rule: Callable[..., Any]) -> list[inspect.Parameter]:
    """The options of a weight rule with their types, without the graph; a default that is a rule as its name."""
    rule = find_rule(rule.func if isinstance(rule, partial) else rule)
    options = list(inspect.signature(rule.function, eval_str=True).parameters.values())[1:]
    usual = {one.name: rule.options.get(one.name, one.default) for one in options}
    rules = {name: value.description for name, value in usual.items() if isinstance(value, WeightRule)}
    return [one.replace(default=(usual | rules)[one.name]) for one in options]


def called(spec: Any) -> str:
    """A user's name of a topology, without the options."""
    if isinstance(spec, dict):
        spec = spec["class_path"]
    return spec if isinstance(spec, str) else getattr(spec, "__name__", type(spec).__name__)


def static_graph(spec: Any, n: int, seed: int, outer: str) -> Graph:
    """The graph of a topology within the one named `outer`; its weights are not used.

    Raises:
        OptionError: if it is directed or a schedule, or cannot be made.
    """
    inner = make(spec, n, seed)
    if inner.period != 1 or inner.directed:
        rule = f"must be undirected and the same in every round for {outer}"
        raise OptionError("topology", called(spec), rule, "take a graph, such as ring or torus")
    return inner.arrays if isinstance(inner, Static) else as_graph(inner.graph(0))


def _of_arrays(source: AnyGraph | sp.sparray | NDArray[Any], n: int | None, rule: WeightRule | None) -> Topology:
    """The topology of a graph, of edges or of a matrix."""
    if sp.issparse(source):
        matrix = square_matrix(source)
        if rule is None and not is_adjacency(matrix):
            return topology_of_matrix("W", matrix, dtype=getattr(source, "dtype", None))
        graph = of_adjacency(matrix)
    else:
        graph = as_graph(source)
        if isinstance(source, np.ndarray):  # the last peers may have no edge
            graph = simple(Graph(max(n or 0, graph.n), graph.edges))
    description: Description = {"class_path": "from_edges", "init_args": {}}
    if graph.size <= _WRITTEN:
        edges = list(map(list, graph.networkx.edges())) if isinstance(source, nx.Graph) else graph.edges.tolist()
        description["init_args"] = {"edges": edges, **({"directed": True} if graph.directed else {})}
    topology = _static(graph, rule, description)
    if graph.size > _WRITTEN:
        topology.description = None
    return topology


def _static(graph: Graph, rule: WeightRule | None, description: Description) -> Static:
    """A graph with its weights: those of the rule, else the usual ones."""
    used = rule or (out_degree if graph.directed else metropolis)
    if rule is not None:
        description["init_args"]["weights"] = rule.description
    return Static(graph, used(graph), sums=used.sums, description=description)


def _mixing_notes(topology: Topology) -> tuple[str, ...]:
    """Notes on a static W that may not mix: one with negative weights, or without positive diagonal entries."""
    W = topology.weights(0) if topology.period == 1 else None
    if W is None or not ((W.data < 0).any() or not W.diagonal().any()):
        return ()
    unmixed = abs(contraction_factor(W) - 1) <= _UNMIXED
    return ("W does not mix: λ is 1, so that the peers never come together",) if unmixed else ()


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
    if isinstance(value, (Topology, WeightRule)):
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
