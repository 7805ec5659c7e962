"""The graphs of networkx by their dotted names, such as `networkx.petersen_graph`."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import networkx as nx

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.building import TWO
from dfedsam.topologies.graphs.networkx_options import docstring, signature
from dfedsam.topologies.normalize import components, normalize_graph
from dfedsam.validation import whole_number

PREFIX = "networkx."
_GROWS = {  # far more peers than n: too many to be tried
    *("binomial_tree", "dorogovtsev_goltsev_mendes_graph", "hypercube_graph", "kneser_graph"),
    *("margulis_gabber_galil_graph", "mycielski_graph", "sudoku_graph"),
}
_REFUSALS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError, nx.NetworkXException)


@cache
def from_networkx(path: str) -> Callable[..., nx.Graph]:
    """The function at a path of networkx as one of ours: a simple, connected graph with the peers 0..n-1 in order.

    Its options are networkx's, without those that say nothing of the graph, and with the types that the docstring says.
    The number of peers n is networkx's n where it has one. For the graphs where n means something else (`star_graph`,
    `grid_2d_graph`) there is the option `networkx_n`, which is passed on in its place. The seed is 0 unless it is
    given. A directed graph all of whose edges lead both ways becomes undirected.

    Args:
        path: Such as "networkx.random_regular_graph".

    Raises:
        ValueError: if networkx has no such function. The function itself raises one if networkx refuses its options, or
            if the graph has other than n peers, fewer than two, self-loops or parallel edges, or is not connected.
    """
    function = _find(path)
    theirs = inspect.signature(function).parameters

    def graph(n: int | None = None, **options: Any) -> nx.Graph:
        own = options.pop("networkx_n", None)
        if "seed" in theirs:
            options.setdefault("seed", 0)
        if "n" in theirs:
            if own is None and graph.__name__ in _GROWS:
                rule = f"must be given for {path}, which has far more peers than its n"
                raise OptionError("networkx_n", own, rule, "give networkx's own n, and --peers to match")
            options["n"] = whole_number("peers", n, 2, TWO) if own is None else own
        return _checked(path, _called(path, function, options), n, own, options)

    graph.__module__, _, graph.__name__ = path.rpartition(".")
    graph.__qualname__ = graph.__name__
    shown = signature(function)
    graph.__doc__ = docstring(function, shown.parameters)
    setattr(graph, "__signature__", shown)  # noqa: B010  (an attribute that type checkers do not know)
    return graph


def _find(path: str) -> Callable[..., Any]:
    try:
        return registry.import_object("topology", path)
    except ValueError as error:
        near = difflib.get_close_matches(path.rpartition(".")[2], dir(nx), n=1)
        guess = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        raise ValueError(f"{error}{guess}") from None


def _called(path: str, function: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    keywords, several = dict(options), []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            several = keywords.pop(name)
    try:
        return function(*several, **keywords)
    except _REFUSALS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"topology is {_form(path, options)}: networkx refuses, with: {reason}") from None


def _checked(path: str, made: Any, n: int | None, own: int | None, options: Mapping[str, Any]) -> nx.Graph:
    form = _form(path, options)
    if not isinstance(made, nx.Graph):
        raise ValueError(f"topology is {form}: it must be a graph, but it is a {type(made).__name__}; name another")
    if n is not None and len(made) != n:
        if own is None and "n" in options:
            hint = f"its n is not its number of peers: give it as networkx_n, so that there are {n}"
        else:
            hint = f"give --peers {len(made)}, or another networkx_n"
        raise ValueError(f"peers is {n}: {form} has {len(made)}; {hint}")
    if made.is_multigraph():
        simple = nx.DiGraph(made) if made.is_directed() else nx.Graph(made)
        if simple.number_of_edges() < made.number_of_edges():
            raise ValueError(
                f"topology is {form}: it must have no parallel edges; name a function of your own that joins them"
            )
        made = simple
    if made.is_directed() and all(made.has_edge(v, u) for u, v in made.edges()):
        made = made.to_undirected()
    try:
        graph = normalize_graph(made)
    except ValueError as error:
        raise ValueError(f"topology is {form}: {error}") from None
    apart = len(components(graph))
    if apart > 1:
        rule = f"must be connected, but it is in {apart} parts"
        raise OptionError("topology", form, rule, "give other options" + ", or another seed" * ("seed" in options))
    graph.graph["name"] = path.rpartition(".")[2]
    return graph


def _form(path: str, options: Mapping[str, Any]) -> str:
    """Such as "networkx.barbell_graph(m1=4, m2=0)"; long values are cut."""
    values = ", ".join(f"{name}={value!s:.30}" for name, value in options.items() if value is not None)
    return f"{path}({values})"
