"""The graphs of networkx by their dotted names, such as `networkx.petersen_graph`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import networkx as nx
from docstring_parser import DocstringStyle, parse

from dfedsam import registry
from dfedsam.errors import OptionError, one_line
from dfedsam.names import did_you_mean
from dfedsam.options import whole_number
from dfedsam.topologies.graph import as_graph, normalize_graph

PREFIX = "networkx."
_GENERATORS = ("networkx.generators.", "networkx.algorithms.bipartite.generators")  # all that may be called
_GROWS = {  # far more peers than n: too many to be tried
    *("binomial_tree", "dorogovtsev_goltsev_mendes_graph", "hypercube_graph", "kneser_graph"),
    *("margulis_gabber_galil_graph", "mycielski_graph", "sudoku_graph"),
}
_REFUSALS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError, nx.NetworkXException)
_HIDDEN = ("backend", "backend_kwargs", "create_using", "default")  # the last: of empty_graph, a class
_TYPES = {r"(list|tuple|sequence|iterable)": list, r"int": int, r"float": float, r"bool": bool}
_TEXTS = {
    "networkx_n": "networkx's own n, for graphs where that is not the number of peers; None takes the number of peers.",
    "seed": "seed, at least 0.",
}
_MARKUP = re.compile(r":\w+:(?=`)|[`$]| ?<[^>`]*>(?=`)")  # of reStructuredText


@cache
def from_networkx(path: str) -> Callable[..., nx.Graph]:
    """The function at a path of networkx as one of ours: a simple, connected graph with the peers 0..n-1 in order.

    Its options are networkx's, without those that do not affect the graph, with the types of its docstring.
    The number of peers n is networkx's n where it has one. For the graphs where n means something else (`star_graph`,
    `grid_2d_graph`) there is the option `networkx_n`, which is passed on in its place. The seed is 0 unless it is
    given. A directed graph all of whose edges lead both ways becomes undirected. Only functions that generate graphs
    can be named: nothing that reads a file or takes a graph.

    Args:
        path: such as "networkx.random_regular_graph".

    Raises:
        OptionError: if networkx has no such function. The function itself raises a ValueError if networkx refuses its
            options, or if the graph has other than n peers, fewer than two, self-loops or parallel edges, or is not
            connected.
    """
    function = _find(path)
    theirs = inspect.signature(function).parameters

    def graph(n: int | None = None, **options: Any) -> nx.Graph:
        networkx_n = options.pop("networkx_n", None)
        if "seed" in theirs:
            options.setdefault("seed", 0)
        if "n" in theirs:
            if networkx_n is None and graph.__name__ in _GROWS:
                rule = f"must be given for {path}, which has far more peers than its n"
                raise OptionError("networkx_n", networkx_n, rule, "use networkx's own n, and --peers to match")
            whole = networkx_n is None
            options["n"] = whole_number("peers", n, 2, "give two or more peers") if whole else networkx_n
        return _checked(path, _called(path, function, options), n, networkx_n, options)

    graph.__module__, _, graph.__name__ = path.rpartition(".")
    graph.__qualname__ = graph.__name__
    shown = _signature(function)
    graph.__doc__ = _docstring(function, shown.parameters)
    vars(graph)["__signature__"] = shown
    return graph


def _find(path: str) -> Callable[..., Any]:
    try:
        function = registry.import_object("topology", path)
    except OptionError as error:
        guess = did_you_mean(path.rpartition(".")[2], dir(nx), f"did you mean {PREFIX}{{}}?")
        raise OptionError(error.option, error.value, error.rule, guess or error.hint) from None
    if not getattr(function, "__module__", "").startswith(_GENERATORS):
        rule = "must be a function of networkx that generates a graph"
        raise OptionError("topology", path, rule, "see networkx's reference, Graph generators")
    return function


def _called(path: str, function: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    keywords, several = dict(options), []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            several = keywords.pop(name)
    try:
        return function(*several, **keywords)
    except _REFUSALS as error:
        reason = one_line(error)
        rule = f"must be accepted by networkx, which refuses with: {reason}"
        raise OptionError("topology", _form(path, options), rule) from None


def _checked(path: str, result: Any, n: int | None, networkx_n: int | None, options: Mapping[str, Any]) -> nx.Graph:
    form = _form(path, options)
    if not isinstance(result, nx.Graph):
        raise OptionError("topology", form, f"must be a graph, but it is a {type(result).__name__}", "name another")
    if n is not None and len(result) != n:
        hint = f"give --peers {len(result)}, or another networkx_n"
        if networkx_n is None and "n" in options:
            hint = f"its n is not its number of peers: give it as networkx_n, so that there are {n}"
        raise OptionError("peers", n, f"must be {len(result)}, as {form} has", hint)
    result = _simple(form, result)
    try:
        graph = normalize_graph(result)
    except OptionError:
        raise
    except ValueError as error:
        raise ValueError(f"topology is {form}: {error}") from None
    parts = int(as_graph(graph).parts().max()) + 1
    if parts > 1:
        rule = f"must be connected, but it is in {parts} parts"
        raise OptionError("topology", form, rule, "give other options" + ", or another seed" * ("seed" in options))
    graph.graph["name"] = path.rpartition(".")[2]
    return graph


def _simple(form: str, graph: Any) -> nx.Graph:
    """The graph without the form of a multigraph, and undirected where all edges lead both ways."""
    if graph.is_multigraph():
        simple = nx.DiGraph(graph) if graph.is_directed() else nx.Graph(graph)
        if simple.number_of_edges() < graph.number_of_edges():
            hint = "name a function of your own that joins them"
            raise OptionError("topology", form, "must have no parallel edges", hint)
        graph = simple
    if graph.is_directed() and all(graph.has_edge(v, u) for u, v in graph.edges()):
        graph = graph.to_undirected()
    return graph


def _form(path: str, options: Mapping[str, Any]) -> str:
    """Such as "networkx.barbell_graph(m1=4, m2=0)"; long values are cut."""
    values = ", ".join(f"{name}={value!s:.30}" for name, value in options.items() if value is not None)
    return f"{path}({values})"


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """Its options by name, n first, without those that say nothing of the graph.

    Types are those that the docstring or a default says, else Any. A function with an n gets `networkx_n` too, and the
    seed is 0 where networkx has none.
    """
    theirs = inspect.signature(function).parameters
    kinds = {name: kind for name, (kind, _) in _entries(function).items()}
    options = [
        _typed(parameter, kinds.get(name, "")).replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in theirs.items()
        if name not in (*_HIDDEN, "n") and parameter.kind != parameter.VAR_KEYWORD
    ]
    if "n" in theirs:
        n = inspect.Parameter("n", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=int)
        size = inspect.Parameter("networkx_n", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=int | None)
        options = [n, *options, size]
    return inspect.Signature(options, return_annotation=nx.Graph)


def _docstring(function: Callable[..., Any], options: Mapping[str, inspect.Parameter]) -> str:
    """networkx's description of the function and of these options, in the form of our own docstrings."""
    first = _plain((inspect.getdoc(function) or function.__name__).split("\n\n")[0])
    texts = {name: text for name, (_, text) in _entries(function).items()} | _TEXTS
    return "\n".join(
        [f"{first} (networkx)", "", "Args:", *(f"    {name}: {texts.get(name, '')}" for name in options), ""]
    )


def _typed(parameter: inspect.Parameter, kind: str) -> inspect.Parameter:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, annotation=list)
    default = 0 if parameter.name == "seed" else parameter.default
    annotation: Any = next((known for word, known in _TYPES.items() if re.match(word, kind.lower())), Any)
    if annotation is Any and isinstance(default, (bool, int, float)):
        annotation = type(default)
    if default is None and annotation is not Any:
        annotation = annotation | None
    return parameter.replace(default=default, annotation=annotation)


def _entries(function: Callable[..., Any]) -> dict[str, tuple[str, str]]:
    """Type and text of each option in networkx's docstring."""
    parsed = parse(inspect.getdoc(function) or "", style=DocstringStyle.NUMPYDOC)
    return {
        name.strip(): (parameter.type_name or "", _plain(parameter.description or ""))
        for parameter in parsed.params
        for name in parameter.arg_name.split(",")
    }


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub("", text).split())
